#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "gateway/admin/administrators.h"
#include "gateway/admin/audit_log.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

using gateway::AdministratorEntry;

// 256 bits: nothing to guess.
constexpr size_t kTokenBytes = 32;

struct Flags {
  std::string data_dir;
  std::string name;
  std::string role = "operator";
  std::string team_id;
  std::string out;
};

absl::StatusOr<std::vector<AdministratorEntry>> Read(const DataDir& dir) {
  if (access(dir.administrators().c_str(), F_OK) != 0) return std::vector<AdministratorEntry>();
  BELLWIRE_ASSIGN_OR_RETURN(const std::string text, ReadPrivateFile(dir.administrators()));
  return gateway::ParseAdministrators(text);
}

// Noted before it is done: whoever can write the one file can write the other.
absl::Status Write(const Flags& flags, const std::string& what,
                   const std::vector<AdministratorEntry>& entries, CommandContext* context) {
  const DataDir dir(flags.data_dir);
  BELLWIRE_RETURN_IF_ERROR(
      gateway::AppendToAuditLog(dir.audit_log(),
                                {.who = absl::StrCat("uid ", getuid()),
                                 .role = "",
                                 .peer = "bellwire admin",
                                 .what = what,
                                 .about = {{"name", flags.name},
                                           {"role", flags.role},
                                           {"team_id", flags.team_id}},
                                 .outcome = "OK"},
                                context->clock->WallNow())
          .status());
  BELLWIRE_RETURN_IF_ERROR(ReplaceFileAtomically(
      dir.administrators(), gateway::RenderAdministrators(entries), FileAccess::kPrivate));
  // The server reads it, whoever made it.
  struct stat owner {};
  if (geteuid() != 0 || stat(dir.path().c_str(), &owner) != 0) return absl::OkStatus();
  if (chown(dir.administrators().c_str(), owner.st_uid, owner.st_gid) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "can't give ", dir.administrators(), " to the owner of ", dir.path(), ": ", strerror(errno)));
}

std::vector<AdministratorEntry>::iterator Find(std::vector<AdministratorEntry>& entries,
                                               const std::string& name) {
  return std::find_if(entries.begin(), entries.end(), [&name](const AdministratorEntry& entry) {
    return entry.administrator.name == name;
  });
}

absl::Status Create(const Flags& flags, CommandContext* context) {
  if (!gateway::IsAdministratorName(flags.name)) {
    return absl::InvalidArgumentError(
        "a name has 1 to 64 characters of [a-zA-Z0-9._@-], such as alice");
  }
  const DataDir dir(flags.data_dir);
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<AdministratorEntry> entries, Read(dir));
  if (Find(entries, flags.name) != entries.end()) {
    return WithHint(absl::AlreadyExistsError(absl::StrCat("there is a ", flags.name, " already")),
                    "choose another name, or remove that one first");
  }
  if (entries.size() >= gateway::kMaxAdministrators) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a server has at most ", gateway::kMaxAdministrators, " administrators"));
  }
  std::string secret(kTokenBytes, '\0');
  FillRandom(secret.data(), secret.size());
  const std::string token = absl::BytesToHexString(secret);
  entries.push_back({{flags.name, *gateway::ParseAdminRole(flags.role), flags.team_id},
                     gateway::DigestOfToken(token)});
  // What a server would not read must not be in its file.
  BELLWIRE_RETURN_IF_ERROR(
      gateway::ParseAdministrators(gateway::RenderAdministrators(entries)).status());
  // The token is there once: where it goes must be certain before it is good for anything.
  BELLWIRE_RETURN_IF_ERROR(
      CreateFileAtomically(flags.out, absl::StrCat(token, "\n"), FileAccess::kPrivate));
  BELLWIRE_RETURN_IF_ERROR(Write(flags, "CreateAdministrator", entries, context));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"name", flags.name},
              {"role", flags.role},
              {"team_id", flags.team_id},
              {"token_file", flags.out}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("created"), "  ", flags.role, " ", out.Bold(flags.name),
                        flags.team_id.empty() ? "" : " of team ", flags.team_id,
                        ", whose token is in ", out.Bold(flags.out), " and nowhere else"));
  out.Line("next: it is good from the next call on, such as with --admin_token_file " + flags.out);
  return absl::OkStatus();
}

absl::Status List(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<AdministratorEntry> entries,
                            Read(DataDir(flags.data_dir)));
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  for (const AdministratorEntry& entry : entries) {
    const std::string role(gateway::AdminRoleName(entry.administrator.role));
    const std::string& team_id = entry.administrator.team_id;
    if (out.json()) {
      out.Json({{"name", entry.administrator.name}, {"role", role}, {"team_id", team_id}});
    }
    rows.push_back({entry.administrator.name, role, team_id.empty() ? "all" : team_id});
  }
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line("nobody but whoever has admin.token, which is an owner's");
  } else {
    out.Table({"NAME", "ROLE", "TEAM"}, rows);
  }
  return absl::OkStatus();
}

absl::Status Remove(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<AdministratorEntry> entries, Read(DataDir(flags.data_dir)));
  const auto it = Find(entries, flags.name);
  if (it == entries.end()) {
    return absl::NotFoundError(absl::StrCat("there is no administrator ", flags.name));
  }
  Flags removed = flags;
  removed.role = std::string(gateway::AdminRoleName(it->administrator.role));
  removed.team_id = it->administrator.team_id;
  entries.erase(it);
  BELLWIRE_RETURN_IF_ERROR(Write(removed, "RemoveAdministrator", entries, context));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"name", flags.name}});
  } else {
    out.Line(absl::StrCat(out.Good("removed"), "  ", out.Bold(flags.name),
                          ": the token is worthless from the next call on"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddAdminCommand(CLI::App* root, CommandContext* context) {
  CLI::App* group = root->add_subcommand(
      "admin", "Named administrators of this server, each with a token and a role");
  group->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto add_data_dir = [flags](CLI::App* command) {
    command->add_option("--data_dir", flags->data_dir, "Of `bellwire serve`, or of the gateway")
        ->type_name("DIR")
        ->envname("BELLWIRE_DATA_DIR")
        ->required();
  };

  CLI::App* create = group->add_subcommand("create", "Make one; the token goes into a file, once");
  create->add_option("NAME", flags->name, "1 to 64 characters of [a-zA-Z0-9._@-]")
      ->type_name("")
      ->required();
  create
      ->add_option("--role", flags->role,
                   "read-only lists; operator also makes and changes teams, apps and keys, and "
                   "revokes keys; owner also deletes teams and apps, and makes backups")
      ->type_name("ROLE")
      ->check(CLI::IsMember({"read-only", "operator", "owner"}))
      ->capture_default_str();
  create
      ->add_option("--team", flags->team_id,
                   "Its role holds in this team alone [the whole server]")
      ->type_name("ID");
  create->add_option("--out", flags->out, "File to make for the token (0600)")
      ->type_name("FILE")
      ->required();
  add_data_dir(create);
  AddJsonFlag(create, context);
  SetExamples(create,
              "  bellwire admin create alice --role operator --out alice.token --data_dir ./data");
  create->callback([=] { context->run = [=] { return Create(*flags, context); }; });

  CLI::App* list = group->add_subcommand("list", "Show them and their roles");
  add_data_dir(list);
  AddJsonFlag(list, context);
  SetExamples(list, "  bellwire admin list --data_dir ./data");
  list->callback([=] { context->run = [=] { return List(*flags, context); }; });

  CLI::App* remove = group->add_subcommand("remove", "Make a token worthless");
  remove->add_option("NAME", flags->name, "As `admin list` shows it")->type_name("")->required();
  add_data_dir(remove);
  AddJsonFlag(remove, context);
  SetExamples(remove, "  bellwire admin remove alice --data_dir ./data");
  remove->callback([=] { context->run = [=] { return Remove(*flags, context); }; });
}

}  // namespace bellwire::cli
