#include "cli/commands/record_counts.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

// Every device is read, a few at a time.
constexpr absl::Duration kCountTimeout = absl::Minutes(30);

}  // namespace

void AddDryRunFlag(CLI::App* command, bool* dry_run) {
  command->add_flag("--dry_run", *dry_run,
                    "Delete nothing: count what there is, or what is left of a deletion. Takes "
                    "minutes on a large server, which serves meanwhile");
}

absl::Status PrintRecordCounts(const admin::v1::CountRecordsRequest& request,
                               const ServerConnection& server, CommandContext* context) {
  admin::v1::RecordCounts counts;
  BELLWIRE_RETURN_IF_ERROR(
      server.Call(&admin::v1::AdminService::Stub::CountRecords, request, &counts, kCountTimeout));
  const std::vector<std::pair<std::string, uint64_t>> rows = {
      {"apps", counts.apps()},
      {"keys", counts.keys()},
      {"aliases", counts.aliases()},
      {"devices", counts.devices()},
      {"tokens", counts.tokens()},
      {"messages", counts.messages()},
      {"message_histories", counts.message_histories()},
      {"receipt_blocks", counts.receipt_blocks()},
      {"topic_subscriptions", counts.topic_subscriptions()},
      {"topic_messages", counts.topic_messages()}};
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json;
    for (const auto& [name, count] : rows) json[name] = count;
    json["deleted"] = counts.deleted();
    out.Json(json);
    return absl::OkStatus();
  }
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [name, count] : rows) {
    if (count == 0) continue;
    std::string label = name;
    for (char& c : label) c = c == '_' ? ' ' : c;
    fields.push_back({label, absl::StrCat(count)});
  }
  if (fields.empty()) {
    out.Line("there is nothing but its name");
  } else {
    out.Fields(fields);
  }
  out.Line(counts.deleted() ? "it was deleted, and this is still to be taken away"
                            : "nothing was deleted");
  return absl::OkStatus();
}

}  // namespace bellwire::cli
