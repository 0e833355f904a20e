#include "ops/data_dir.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "ops/main_support.h"

namespace bellwire {

absl::Status CheckInitialised(const DataDir& data_dir) {
  if (data_dir.path().empty()) {
    return WithHint(MakeError(absl::StatusCode::kFailedPrecondition, "NOT_INITIALISED",
                              "no data directory is named"),
                    "name it with --data_dir DIR; `bellwire init --data_dir DIR` makes one");
  }
  for (const std::string& file :
       {data_dir.ca_certificate(), data_dir.server_certificate(), data_dir.server_key(),
        data_dir.token_keys(), data_dir.admin_token()}) {
    if (access(file.c_str(), F_OK) == 0) continue;
    return WithHint(
        MakeError(absl::StatusCode::kFailedPrecondition, "NOT_INITIALISED",
                  absl::StrCat("the data directory ", data_dir.path(),
                               " is not initialised: there is no ", file)),
        absl::StrCat("make it once with `bellwire init --data_dir ", data_dir.path(), "`"));
  }
  return absl::OkStatus();
}

std::string TicketKeyFile(const DataDir& data_dir, const std::string& named) {
  if (!named.empty()) return named;
  const std::string file = data_dir.ticket_keys();
  return access(file.c_str(), F_OK) == 0 ? file : std::string();
}

}  // namespace bellwire
