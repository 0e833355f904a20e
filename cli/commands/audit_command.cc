#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command.h"
#include "common/status_macros.h"
#include "gateway/admin/audit_log.h"
#include "ops/data_dir.h"

namespace bellwire::cli {
namespace {

struct Flags {
  std::string data_dir;
  bool verify = false;
};

std::string AboutOf(const gateway::AuditRecord& record) {
  return absl::StrJoin(record.about, " ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first, "=", entry.second);
  });
}

nlohmann::ordered_json ToJson(const gateway::AuditEntry& entry) {
  const gateway::AuditRecord& record = entry.record;
  nlohmann::ordered_json json = {{"n", entry.number},
                                 {"time", entry.time},
                                 {"who", record.who},
                                 {"role", record.role},
                                 {"peer", record.peer},
                                 {"what", record.what},
                                 {"about", nlohmann::ordered_json::object()},
                                 {"outcome", record.outcome}};
  for (const auto& [name, value] : record.about) json["about"][name] = value;
  if (record.of != 0) json["of"] = record.of;
  json["hash"] = entry.hash;
  return json;
}

absl::Status Show(const Flags& flags, CommandContext* context) {
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  uint64_t entries = 0;
  gateway::AuditEntry last;
  const absl::Status status = gateway::ReadAuditLog(
      DataDir(flags.data_dir).audit_log(), [&](const gateway::AuditEntry& entry) {
        ++entries;
        last = entry;
        if (flags.verify) return;
        if (out.json()) return out.Json(ToJson(entry));
        // What was asked and answered is one thing to a reader, and the answer says it.
        if (entry.record.outcome == "asked") return;
        rows.push_back(
            {absl::StrCat(entry.number), entry.time,
             entry.record.who.empty() ? "nobody" : entry.record.who, entry.record.what,
             AboutOf(entry.record),
             entry.record.outcome == "OK" ? out.Good("OK") : out.Bad(entry.record.outcome)});
      });
  if (!rows.empty()) out.Table({"N", "TIME", "WHO", "WHAT", "ABOUT", "OUTCOME"}, rows);
  if (!status.ok()) return status;
  if (!flags.verify) return absl::OkStatus();
  if (out.json()) {
    out.Json({{"entries", entries}, {"last_time", last.time}, {"last_hash", last.hash}});
    return absl::OkStatus();
  }
  out.Line(
      absl::StrCat(out.Good("sound"), "  ", entries, " entries, none changed, missing or moved"));
  if (entries == 0) return absl::OkStatus();
  out.Fields({{"last", absl::StrCat(last.number, " at ", last.time)}, {"its hash", last.hash}});
  out.Line(
      "what was cut off at the end shows only to whoever noted a later hash: each is in the "
      "server's log, event=audit");
  return absl::OkStatus();
}

}  // namespace

void AddAuditCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "audit", "Who changed what on this server, with which outcome (docs/operate/security.md)");
  auto flags = std::make_shared<Flags>();
  command->add_option("--data_dir", flags->data_dir, "Of `bellwire serve`, or of the gateway")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  command->add_flag("--verify", flags->verify,
                    "Only say whether a line was changed, taken out or put in; exits with 1 if so");
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire audit --data_dir /var/lib/bellwire\n"
              "  bellwire audit --verify --data_dir /var/lib/bellwire");
  command->callback([=] { context->run = [=] { return Show(*flags, context); }; });
}

}  // namespace bellwire::cli
