#include "ops/data_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "crypto/file_util.h"
#include "net/tls/ticket_keys.h"
#include "ops/main_support.h"
#include "rpc/credentials.h"

namespace bellwire {

const std::vector<std::string>& DataDir::KeyFiles() {
  static const auto* const kFiles = new std::vector<std::string>{
      "ca.pem",          "ca.key",          "server.pem",        "server.key",
      "internal/ca.pem", "internal/ca.key", "internal/node.pem", "internal/node.key",
      "token.keys",      "ticket.keys",     "admin.token"};
  return *kFiles;
}

namespace {

std::vector<std::string> FilesOf(const DataDir& dir, std::optional<Role> role) {
  std::vector<std::string> files = {dir.internal_ca_certificate(), dir.internal_node_certificate(),
                                    dir.internal_node_key()};
  if (role != Role::kRegistry) {
    files.push_back(dir.server_certificate());
    files.push_back(dir.server_key());
  }
  if (role != Role::kConnector) files.push_back(dir.token_keys());
  if (!role.has_value()) {
    files.push_back(dir.ca_certificate());
    files.push_back(dir.admin_token());
  }
  return files;
}

}  // namespace

absl::Status CheckInitialised(const DataDir& data_dir, std::optional<Role> role) {
  if (data_dir.path().empty()) {
    return WithHint(MakeError(absl::StatusCode::kFailedPrecondition, "NOT_INITIALISED",
                              "no data directory is named"),
                    "name it with --data_dir DIR; `bellwire init --data_dir DIR` makes one");
  }
  const std::vector<std::string> files = FilesOf(data_dir, role);
  const auto missing = std::find_if_not(files.begin(), files.end(), HasContents);
  if (missing == files.end()) {
    return role.has_value() ? CheckInternalRole(data_dir.internal(), *role) : absl::OkStatus();
  }
  const bool some = std::any_of(files.begin(), files.end(), HasContents);
  const bool empty = access(missing->c_str(), F_OK) == 0;
  return WithHint(
      MakeError(absl::StatusCode::kFailedPrecondition, "NOT_INITIALISED",
                absl::StrCat("the data directory ", data_dir.path(),
                             some ? " is not complete: " : " is not initialised: ",
                             empty ? "nothing is in " : "there is no ", *missing)),
      some
          ? absl::StrCat("put it back from a backup, or make it again with `bellwire init --repair "
                         "--data_dir ",
                         data_dir.path(), "`")
          : absl::StrCat("make it once with `bellwire init --data_dir ", data_dir.path(), "`"));
}

bool HasContents(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && info.st_size > 0;
}

std::string TicketKeyFile(const DataDir& data_dir, const std::string& named) {
  if (!named.empty()) return named;
  const std::string file = data_dir.ticket_keys();
  if (access(file.c_str(), F_OK) != 0) return "";
  const absl::StatusOr<std::string> text = ReadPrivateFile(file);
  const absl::Status usable = text.ok() ? net::ParseTicketSecrets(*text).status() : text.status();
  if (usable.ok()) return file;
  LogWarning("ticket_keys_unusable",
             {{"file", file},
              {"error", usable.message()},
              {"to_do", "`bellwire init --repair` makes an empty or missing one again"}});
  return "";
}

}  // namespace bellwire
