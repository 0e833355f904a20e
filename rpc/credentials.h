#ifndef BELLWIRE_RPC_CREDENTIALS_H_
#define BELLWIRE_RPC_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "rpc/roles.h"

// gRPC credentials from the files of a data directory. Files are read once, here: a new certificate
// is taken up by a restart. Keys must be private files (crypto/file_util.h).
//
// Errors of all functions: those of crypto/file_util.h, and FAILED_PRECONDITION BAD_CERTIFICATE,
// CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, BAD_PRIVATE_KEY, KEY_MISMATCH (the key isn't that
// of the certificate) or NOT_OF_THIS_CA, naming the file. gRPC itself would only fail to listen,
// without a word.
namespace bellwire {

// What every certificate of the internal CA is issued for: daemons may then move between addresses
// without new certificates.
inline constexpr absl::string_view kInternalServerName = "bellwire-internal";
// The common name of an internal CA whose certificates all name their roles (roles.h). Under a CA
// of another name, which is older than roles, a certificate without roles is good for all of them.
inline constexpr absl::string_view kInternalAuthorityWithRoles = "bellwire internal CA with roles";

// A certificate, with what follows it in its file, and its private key, both in PEM.
struct TlsKeyPair {
  std::string certificate_pem;
  std::string key_pem;
};
// What a server shows to its clients.
absl::StatusOr<TlsKeyPair> ReadTlsKeyPair(const std::string& certificate_path,
                                          const std::string& key_path);

// TLS for a gRPC server that any client may connect to.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerTlsCredentials(
    const std::string& certificate_path, const std::string& key_path);

// TLS for a client that trusts the CAs of one PEM file: providers, the CLI.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientTlsCredentials(
    const std::string& ca_path);

// Mutual TLS between the daemons, from ca.pem, node.pem and node.key in `internal_dir`
// (DATA_DIR/internal): who has no certificate of that CA is refused in the handshake, and each call
// of who has none of the roles that may make it (CallersOf) with PERMISSION_DENIED.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> InternalServerCredentials(
    const std::string& internal_dir);
struct InternalCredentials {
  std::shared_ptr<grpc::ChannelCredentials> channel;
  // Whether every certificate of this CA names its roles.
  bool roles = false;
};
absl::StatusOr<InternalCredentials> InternalChannelCredentials(const std::string& internal_dir);

// Whether the certificate in `internal_dir` is good for a daemon of this role.
//   FAILED_PRECONDITION WRONG_ROLE: the message says what it is good for, and what to do
absl::Status CheckInternalRole(const std::string& internal_dir, Role role);

// A channel to the internal port "host:port" of another daemon: expects RoleServerName(peer), or
// kInternalServerName of a CA that is older than roles. Finds a dead peer by keepalive, and
// reconnects within a second or two of its return. Connects on first use.
std::shared_ptr<grpc::Channel> NewInternalChannel(const std::string& address,
                                                  const InternalCredentials& credentials,
                                                  Role peer);

// The other end: makes a server of an internal port take the keepalive of NewInternalChannel, and
// refuse a port that another process listens on.
void ConfigureInternalServer(grpc::ServerBuilder* builder);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_CREDENTIALS_H_
