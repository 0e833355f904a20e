#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/backup.grpc.pb.h"
#include "cli/command.h"
#include "cli/commands/registry_key_command.h"
#include "cli/commands/transfer_command.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "registry/backup/restore.h"
#include "registry/check/database_check.h"
#include "registry/check/store_check.h"
#include "registry/server/privacy_flags.h"
#include "rpc/registry_api.h"

namespace bellwire::cli {
namespace {

constexpr int kExitSound = 0;
constexpr int kExitProblems = 1;
constexpr int kExitNotChecked = 2;

// A check that takes longer than this says how far it is …
constexpr absl::Duration kPatience = absl::Seconds(2);
// … and again so often.
constexpr absl::Duration kProgressInterval = absl::Seconds(2);

struct CheckFlags {
  std::string data_dir;
  std::string store;
  std::string payload_key_file;
  std::string database;
};

struct BackupFlags : AdminFlags {
  std::string directory;
};

// Lines on stderr: stdout is for the answer.
class Progress {
 public:
  explicit Progress(const Clock* clock) : clock_(*clock), next_(clock->Monotonic() + kPatience) {}

  void operator()(absl::string_view what, uint64_t done) {
    if (clock_.Monotonic() < next_) return;
    next_ = clock_.Monotonic() + kProgressInterval;
    std::cerr << "checking " << what << ": " << done << (what == "tables" ? " bytes" : "")
              << " so far" << std::endl;
  }

 private:
  const Clock& clock_;
  MonotonicTime next_;
};

// What was checked: how it lies there, and what its records say.
struct Checked {
  // Of a store in RocksDB: "table files" and so on. In the order of the report.
  std::vector<std::pair<std::string, uint64_t>> extent;
  bool opened = false;
  registry::CheckReport records;
  // What to do about damage.
  std::string to_do;
};

void Print(const Checked& checked, absl::Duration took, Terminal& out) {
  const registry::CheckReport& records = checked.records;
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [name, number] : checked.extent) fields.push_back({name, absl::StrCat(number)});
  for (size_t i = 0; checked.opened && i < registry::kRecordKinds; ++i) {
    const auto kind = static_cast<registry::RecordKind>(i);
    if (kind == registry::RecordKind::kUnknown && records.counts[i] == 0) continue;
    fields.push_back({std::string(RecordKindName(kind)), absl::StrCat(records.counts[i])});
  }
  out.Fields(fields);
  out.Line();
  for (const registry::CheckProblem& problem : records.problems) {
    out.Line(absl::StrCat(out.Bad("problem"), "  ", out.Bold(problem.where), ": ", problem.what));
  }
  if (records.problem_count > records.problems.size()) {
    out.Line(absl::StrCat(out.Bad("problem"), "  ", records.problem_count - records.problems.size(),
                          " more"));
  }
  if (records.sound()) {
    out.Line(absl::StrCat(out.Good("sound"), "  ", records.records(), " records, checked in ",
                          RenderDuration(took)));
    return;
  }
  out.Line(absl::StrCat("to do: ", checked.to_do));
  out.Line(absl::StrCat(out.Bad("damaged"), "  ", records.problem_count, " problems",
                        checked.opened ? ""
                                       : "; the store can't be opened, so its records were not "
                                         "looked at"));
}

nlohmann::ordered_json ToJson(const Checked& checked) {
  nlohmann::ordered_json counts = nlohmann::ordered_json::object();
  for (size_t i = 0; i < registry::kRecordKinds; ++i) {
    counts[std::string(RecordKindName(static_cast<registry::RecordKind>(i)))] =
        checked.records.counts[i];
  }
  nlohmann::ordered_json problems = nlohmann::ordered_json::array();
  for (const registry::CheckProblem& problem : checked.records.problems) {
    problems.push_back({{"where", problem.where}, {"what", problem.what}});
  }
  nlohmann::ordered_json json = {{"sound", checked.records.sound()}, {"opened", checked.opened}};
  for (const auto& [name, number] : checked.extent) {
    json[absl::StrReplaceAll(name, {{" ", "_"}})] = number;
  }
  json["records"] = counts;
  json["problem_count"] = checked.records.problem_count;
  json["problems"] = problems;
  return json;
}

absl::StatusOr<Checked> CheckFiles(const CheckFlags& flags, Progress* progress) {
  const std::string directory =
      flags.store.empty() ? DataDir(flags.data_dir).registry() : flags.store;
  if (access(directory.c_str(), F_OK) != 0) {
    return WithHint(
        absl::NotFoundError(absl::StrCat("there is no store ", directory)),
        "--data_dir takes the server's DATA_DIR, and --store a directory like DATA_DIR/registry");
  }
  BELLWIRE_ASSIGN_OR_RETURN(
      registry::StoreCheckReport report,
      registry::CheckStore(
          {.directory = directory, .payload_key_file = flags.payload_key_file},
          [&](absl::string_view what, uint64_t done) { (*progress)(what, done); }));
  return Checked{
      .extent = {{"table files", report.table_files}, {"table bytes", report.table_bytes}},
      .opened = report.opened,
      .records = std::move(report.records),
      .to_do =
          "keep a copy of the directory, look at the disk and the memory, and restore the "
          "backup: docs/operate/operations.md, \"A damaged store\""};
}

absl::StatusOr<Checked> CheckTables(const CheckFlags& flags, Progress* progress,
                                    const Clock* clock) {
  BELLWIRE_ASSIGN_OR_RETURN(
      registry::DatabaseCheckReport report,
      registry::CheckDatabase({.database = flags.database, .clock = clock}, [&](int done, int) {
        (*progress)("partitions", static_cast<uint64_t>(done));
      }));
  return Checked{.extent = {{"partitions", static_cast<uint64_t>(report.partitions)}},
                 .opened = report.opened,
                 .records = std::move(report.records),
                 .to_do =
                     "run pg_amcheck, look at the servers' disks and memory, and go back to a "
                     "moment before the damage: docs/operate/fleet.md, \"Backups\""};
}

absl::Status Check(const CheckFlags& flags, CommandContext* context) {
  context->exit_when_failed = kExitNotChecked;
  if (flags.store.empty() && flags.data_dir.empty() && flags.database.empty()) {
    return absl::InvalidArgumentError(
        "which store? Name it: --data_dir DIR, --store DIR, or --database URL");
  }
  const MonotonicTime start = context->clock->Monotonic();
  Progress progress(context->clock);
  BELLWIRE_ASSIGN_OR_RETURN(const Checked checked,
                            flags.database.empty() ? CheckFiles(flags, &progress)
                                                   : CheckTables(flags, &progress, context->clock));
  if (context->terminal->json()) {
    context->terminal->Json(ToJson(checked));
  } else {
    Print(checked, context->clock->Monotonic() - start, *context->terminal);
  }
  context->exit_when_done = checked.records.sound() ? kExitSound : kExitProblems;
  return absl::OkStatus();
}

absl::Status Backup(const BackupFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::BackupRequest request;
  request.set_directory(flags.directory);
  admin::v1::BackupResponse made;
  BELLWIRE_RETURN_IF_ERROR(
      server.Call(&admin::v1::BackupService::Stub::Backup, request, &made, kBackupTimeout));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"directory", made.directory()}, {"files", made.files()}, {"bytes", made.bytes()}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("made"), "  backup ", out.Bold(made.directory()), ", ",
                        made.files(), " files of ", made.bytes(), " bytes, secrets among them"));
  out.Line(absl::StrCat(
      "next: ", out.Bold(absl::StrCat("bellwire registry check --data_dir ", made.directory())),
      " on the registry's machine, and a copy on another disk"));
  return absl::OkStatus();
}

absl::Status Restore(const registry::RestoreOptions& options, CommandContext* context) {
  Progress progress(context->clock);
  BELLWIRE_ASSIGN_OR_RETURN(const registry::Restored restored,
                            registry::RestoreBackup(options, context->clock->WallNow(),
                                                    [&](absl::string_view what, uint64_t done) {
                                                      progress(what, done);
                                                    }));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"data_dir", options.data_dir},
              {"records", restored.records},
              {"moved_to", restored.moved_to}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("restored"), "  ", out.Bold(options.data_dir), ", ",
                        restored.records, " records"));
  if (!restored.moved_to.empty()) {
    out.Line(absl::StrCat("what was there is in ", out.Bold(restored.moved_to)));
  }
  out.Line("next: start the server");
  return absl::OkStatus();
}

}  // namespace

void AddRegistryCommand(CLI::App* root, CommandContext* context) {
  CLI::App* group = root->add_subcommand(
      "registry", "The registry's store: check, backup, restore, export, import, key");
  group->require_subcommand(1);
  CLI::App* check = group->add_subcommand(
      "check",
      "Verify the store: every byte of its files, and that its records fit to each other. Changes "
      "nothing. No server may use it, unless it is in PostgreSQL. Exits with 0 if it is sound, 1 "
      "if "
      "it is damaged, 2 if it can't be checked (a server uses it, or it is none)");
  auto flags = std::make_shared<CheckFlags>();
  check->add_option("--data_dir", flags->data_dir, "The server's data directory")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR");
  check
      ->add_option("--store", flags->store,
                   "Instead: the store's own directory, such as a copy of DATA_DIR/registry")
      ->type_name("DIR");
  registry::AddPayloadKeyFlag(check, &flags->payload_key_file);
  check
      ->add_option("--database", flags->database,
                   "Instead: a store in PostgreSQL, which registries may use meanwhile")
      ->type_name("URL");
  AddJsonFlag(check, context);
  SetExamples(check,
              "  bellwire registry check --data_dir /var/lib/bellwire\n"
              "  bellwire registry check --store /backup/registry --json\n"
              "  bellwire registry check --database \"service=bellwire\"");
  check->callback([=] { context->run = [=] { return Check(*flags, context); }; });

  AddRegistryKeyCommand(group, context);

  CLI::App* backup =
      group->add_subcommand("backup",
                            "Have a running server make a backup: its store, with everything that "
                            "was answered OK, and its "
                            "keys. It writes below its --backup_dir only, and messages flow on");
  auto backup_flags = std::make_shared<BackupFlags>();
  backup
      ->add_option("DIR", backup_flags->directory,
                   "A new directory right below the server's --backup_dir: its name, or its path")
      ->type_name("")
      ->required();
  AddAdminFlags(backup, backup_flags.get());
  AddJsonFlag(backup, context);
  SetExamples(backup,
              "  bellwire registry backup monday --data_dir /var/lib/bellwire\n"
              "  bellwire registry backup \"$(date +%Y-%m-%d)\" --server push.example.com:7443 \\\n"
              "      --ca ca.pem --admin_token_file admin.token --json");
  backup->callback([=] { context->run = [=] { return Backup(*backup_flags, context); }; });

  CLI::App* restore = group->add_subcommand(
      "restore",
      "Put a backup into the place of a server that is stopped, once it was checked. Refuses where "
      "there is a store or a key already");
  auto options = std::make_shared<registry::RestoreOptions>();
  restore->add_option("DIR", options->backup, "The backup")->type_name("")->required();
  restore->add_option("--data_dir", options->data_dir, "Where the server is to find it")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  restore->add_flag("--force", options->force,
                    "Move what is there to DATA_DIR/before_restore_TIME instead of refusing");
  restore->add_flag("--keep_keys", options->keep_keys,
                    "Put back the store alone: the keys that are there are newer");
  registry::AddPayloadKeyFlag(restore, &options->payload_key_file);
  AddJsonFlag(restore, context);
  SetExamples(restore,
              "  bellwire registry restore /backup/monday --data_dir /var/lib/bellwire --force");
  restore->callback([=] { context->run = [=] { return Restore(*options, context); }; });
  AddTransferCommands(group, context);
}

}  // namespace bellwire::cli
