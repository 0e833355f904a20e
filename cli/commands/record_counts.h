#ifndef BELLWIRE_CLI_COMMANDS_RECORD_COUNTS_H_
#define BELLWIRE_CLI_COMMANDS_RECORD_COUNTS_H_

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "cli/command.h"
#include "cli/server_connection.h"

namespace bellwire::cli {

// --dry_run of `team delete` and `app delete`.
void AddDryRunFlag(CLI::App* command, bool* dry_run);
// What --dry_run does: asks the server what there is of a team or an app, and prints it.
absl::Status PrintRecordCounts(const admin::v1::CountRecordsRequest& request,
                               const ServerConnection& server, CommandContext* context);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMANDS_RECORD_COUNTS_H_
