#include "cli/commands/registry_key_command.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bellwire/admin/v1/backup.grpc.pb.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"
#include "crypto/payload_keys.h"

namespace bellwire::cli {
namespace {

struct FileFlags {
  std::string file;
};

absl::Status Create(const FileFlags& flags, CommandContext* context) {
  BELLWIRE_RETURN_IF_ERROR(PayloadKeys::CreateFile(flags.file));
  BELLWIRE_ASSIGN_OR_RETURN(const auto keys, PayloadKeys::FromFile(flags.file));
  const std::string id = PayloadKeyName(keys->newest().id);
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"file", flags.file}, {"key_id", id}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("created"), "  payload key ", out.Bold(id), " in ", flags.file));
  out.Line(
      "keep a copy of the file apart from backups: without it nobody can read what is stored");
  out.Line(absl::StrCat("next: restart the server with ",
                        out.Bold(absl::StrCat("--payload_key_file=", flags.file)),
                        ", as a file that it can read and nobody else"));
  return absl::OkStatus();
}

absl::Status Rotate(const FileFlags& flags, CommandContext* context) {
  BELLWIRE_RETURN_IF_ERROR(PayloadKeys::AddKey(flags.file));
  BELLWIRE_ASSIGN_OR_RETURN(const auto keys, PayloadKeys::FromFile(flags.file));
  const std::string id = PayloadKeyName(keys->newest().id);
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"file", flags.file}, {"key_id", id}, {"keys", keys->keys().size()}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("added"), "  payload key ", out.Bold(id), " as the newest in ",
                        flags.file, ", which holds ", keys->keys().size(), " now"));
  out.Line(absl::StrCat(
      "a server that uses the file begins to seal with it within 2 s; next: ",
      out.Bold("bellwire registry key status"), " says when the others are not needed any more"));
  return absl::OkStatus();
}

nlohmann::ordered_json ToJson(const admin::v1::PayloadKeysOfStore& store) {
  const auto list = [](const auto& ids) {
    return std::vector<std::string>(ids.begin(), ids.end());
  };
  return {{"current_key_id", store.current_key_id()},
          {"former_key_ids", list(store.former_key_ids())},
          {"unneeded_key_ids", list(store.unneeded_key_ids())},
          {"clear_payloads", store.clear_payloads()},
          {"records_seen", store.records_seen()},
          {"records_resealed", store.records_resealed()},
          {"begin_time",
           store.has_begin_time() ? RenderTimeForJson(TimeOf(store.begin_time())) : ""},
          {"end_time", store.has_end_time() ? RenderTimeForJson(TimeOf(store.end_time())) : ""},
          {"old_files", store.old_files()}};
}

void Print(const admin::v1::PayloadKeysOfStore& store, Terminal& out) {
  if (store.current_key_id().empty()) {
    out.Line("payloads are in the clear: the server runs without --payload_key_file");
    return;
  }
  const std::string counts = absl::StrCat(store.records_seen(), " records looked at, ",
                                          store.records_resealed(), " sealed anew");
  std::vector<std::pair<std::string, std::string>> fields = {
      {"sealed with", absl::StrCat(out.Bold(store.current_key_id()), " since ",
                                   RenderTime(TimeOf(store.begin_time())))},
      {"rotation", store.has_end_time() ? absl::StrCat(out.Good("done"), " at ",
                                                       RenderTime(TimeOf(store.end_time())), ", ",
                                                       counts)
                                        : absl::StrCat("goes on: ", counts)}};
  if (store.former_key_ids_size() > 0) {
    fields.push_back({"needed still", absl::StrJoin(store.former_key_ids(), ", ")});
  }
  if (store.clear_payloads()) {
    fields.push_back(
        {"in the clear", "what is older than the first key, until the rotation is done"});
  }
  if (store.unneeded_key_ids_size() > 0) {
    fields.push_back({"not needed", absl::StrCat(absl::StrJoin(store.unneeded_key_ids(), ", "),
                                                 ": these lines may leave the key file")});
  }
  if (store.old_files()) {
    fields.push_back({"old files", "may hold what was sealed anew; they are being rewritten"});
  }
  out.Fields(fields);
}

absl::Status Status(const AdminFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::GetPayloadKeysResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&admin::v1::BackupService::Stub::GetPayloadKeys,
                                       admin::v1::GetPayloadKeysRequest(), &response));
  for (const admin::v1::PayloadKeysOfStore& store : response.stores()) {
    if (context->terminal->json()) {
      context->terminal->Json(ToJson(store));
    } else {
      Print(store, *context->terminal);
    }
  }
  return absl::OkStatus();
}

void AddFileFlag(CLI::App* command, FileFlags* flags) {
  command
      ->add_option("--payload_key_file", flags->file,
                   "The file, outside of the data directory (0600)")
      ->type_name("FILE")
      ->required();
}

}  // namespace

void AddRegistryKeyCommand(CLI::App* registry, CommandContext* context) {
  CLI::App* group = registry->add_subcommand(
      "key", "The keys that seal messages where they are stored: create, rotate, status");
  group->require_subcommand(1);

  auto file = std::make_shared<FileFlags>();
  CLI::App* create = group->add_subcommand("create", "Make a key file with one new key");
  AddFileFlag(create, file.get());
  AddJsonFlag(create, context);
  SetExamples(create,
              "  bellwire registry key create --payload_key_file /etc/bellwire/payload.keys");
  create->callback([=] { context->run = [=] { return Create(*file, context); }; });

  CLI::App* rotate = group->add_subcommand(
      "rotate",
      "Put a new key before the others in the file. A server that uses it seals with the new key, "
      "and seals anew what is stored, while messages flow");
  AddFileFlag(rotate, file.get());
  AddJsonFlag(rotate, context);
  SetExamples(rotate,
              "  bellwire registry key rotate --payload_key_file /etc/bellwire/payload.keys");
  rotate->callback([=] { context->run = [=] { return Rotate(*file, context); }; });

  auto admin = std::make_shared<AdminFlags>();
  CLI::App* status = group->add_subcommand(
      "status", "Show which key a running server seals with, and which it needs still");
  AddAdminFlags(status, admin.get());
  AddJsonFlag(status, context);
  SetExamples(status, "  bellwire registry key status --data_dir /var/lib/bellwire");
  status->callback([=] { context->run = [=] { return Status(*admin, context); }; });
}

}  // namespace bellwire::cli
