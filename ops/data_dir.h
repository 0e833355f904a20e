#ifndef BELLWIRE_OPS_DATA_DIR_H_
#define BELLWIRE_OPS_DATA_DIR_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "rpc/roles.h"

namespace bellwire {

// The layout of a server's data directory: where each file is. `bellwire init` makes it
// (ops/init_data_dir.h), the daemons read from it. Immutable.
class DataDir {
 public:
  explicit DataDir(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }

  // All of the files below, relative to path(). Whoever has them and the store has the server.
  static const std::vector<std::string>& KeyFiles();

  // What providers and agents trust, and what issued the certificate below.
  std::string ca_certificate() const { return path_ + "/ca.pem"; }
  std::string ca_key() const { return path_ + "/ca.key"; }
  // Of the provider port and the device port.
  std::string server_certificate() const { return path_ + "/server.pem"; }
  std::string server_key() const { return path_ + "/server.key"; }
  // Mutual TLS between the daemons: rpc/credentials.h reads it.
  std::string internal() const { return path_ + "/internal"; }
  std::string internal_ca_certificate() const { return internal() + "/ca.pem"; }
  std::string internal_ca_key() const { return internal() + "/ca.key"; }
  std::string internal_node_certificate() const { return internal() + "/node.pem"; }
  std::string internal_node_key() const { return internal() + "/node.key"; }
  // Sealing keys of device tokens (crypto/token_sealer.h).
  std::string token_keys() const { return path_ + "/token.keys"; }
  // Secrets of session tickets (net/tls/ticket_keys.h). Directories that are older than it have
  // none.
  std::string ticket_keys() const { return path_ + "/ticket.keys"; }
  // Bearer token of the admin API, one line.
  std::string admin_token() const { return path_ + "/admin.token"; }
  // Named administrators (gateway/admin/administrators.h), and what administrators did
  // (gateway/admin/audit_log.h). There may be neither.
  std::string administrators() const { return path_ + "/admins"; }
  std::string audit_log() const { return path_ + "/audit.log"; }
  // The registry's store.
  std::string registry() const { return path_ + "/registry"; }

 private:
  std::string path_;
};

// Whether there is a file, and something in it: a full disk or a crash may leave an empty one.
bool HasContents(const std::string& path);

// Whether `bellwire init` made this directory, and nothing was lost since. With a role: whether it
// has what a daemon of that role needs, which is less.
//   FAILED_PRECONDITION NOT_INITIALISED: names what is missing and hints at the command to run
//   and with a role those of CheckInternalRole (rpc/credentials.h)
absl::Status CheckInitialised(const DataDir& data_dir, std::optional<Role> role = std::nullopt);

// The file of ticket secrets that a server reads: `named` if there is such a flag, else the
// directory's. Empty: it has none, or one that is of no use, which is logged; tickets are then good
// until the server's end only, and that costs nothing but full handshakes.
std::string TicketKeyFile(const DataDir& data_dir, const std::string& named);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_DATA_DIR_H_
