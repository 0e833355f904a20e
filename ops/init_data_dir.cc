#include "ops/init_data_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "ops/main_support.h"
#include "rpc/credentials.h"

namespace bellwire {
namespace {

// A phone whose clock is a day behind must not refuse a new server.
constexpr absl::Duration kBackdate = absl::Hours(24);
// 256 bits: nothing to guess.
constexpr size_t kSecretBytes = 32;

bool IsIpAddress(const std::string& name) {
  std::array<char, sizeof(in6_addr)> parsed;
  return inet_pton(AF_INET, name.c_str(), parsed.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), parsed.data()) == 1;
}

absl::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return absl::OkStatus();
  if (errno == EEXIST) {
    // An empty directory is often made beforehand (a volume, by packaging): take it over.
    if (chmod(path.c_str(), 0700) == 0) return absl::OkStatus();
  }
  return WithHint(absl::UnavailableError(
                      absl::StrCat("can't make the directory ", path, ": ", strerror(errno))),
                  "its parent must exist and be writable for you");
}

absl::Status WritePair(const KeyAndCertificate& pair, const std::string& certificate_path,
                       const std::string& key_path) {
  BELLWIRE_RETURN_IF_ERROR(CreateFileAtomically(key_path, pair.key_pem, FileAccess::kPrivate));
  return CreateFileAtomically(certificate_path, pair.certificate_pem, FileAccess::kPublic);
}

// A new secret, a line of hex digits.
absl::Status WriteSecret(const std::string& path) {
  std::string secret(kSecretBytes, '\0');
  FillRandom(secret.data(), secret.size());
  return CreateFileAtomically(path, absl::StrCat(absl::BytesToHexString(secret), "\n"),
                              FileAccess::kPrivate);
}

struct Issued {
  KeyAndCertificate ca;
  KeyAndCertificate leaf;
};

absl::StatusOr<Issued> IssueFromNewAuthority(absl::string_view authority_name,
                                             const LeafRequest& request) {
  Issued issued;
  BELLWIRE_ASSIGN_OR_RETURN(issued.ca, MakeCertificateAuthority(authority_name, request.validity));
  BELLWIRE_ASSIGN_OR_RETURN(issued.leaf, IssueCertificate(issued.ca, request));
  return issued;
}

}  // namespace

absl::Status InitDataDir(const DataDir& data_dir, const std::vector<std::string>& server_names,
                         absl::Time now) {
  for (const std::string& file :
       {data_dir.ca_certificate(), data_dir.ca_key(), data_dir.server_certificate(),
        data_dir.server_key(), data_dir.internal(), data_dir.token_keys(), data_dir.ticket_keys(),
        data_dir.admin_token(), data_dir.registry()}) {
    if (access(file.c_str(), F_OK) != 0) continue;
    return WithHint(
        MakeError(absl::StatusCode::kAlreadyExists, "ALREADY_INITIALISED",
                  absl::StrCat(data_dir.path(), " is in use: there is already ", file)),
        "choose another directory, or start the server in this one with `bellwire serve`");
  }

  const Validity validity{now - kBackdate, now + kCertificateLifetime};
  LeafRequest server{.common_name = "bellwire server", .server = true, .validity = validity};
  for (const std::string& name : server_names) {
    (IsIpAddress(name) ? server.ip_addresses : server.dns_names).push_back(name);
  }
  LeafRequest node{.common_name = std::string(kInternalServerName),
                   .dns_names = {std::string(kInternalServerName)},
                   .server = true,
                   .client = true,
                   .validity = validity};

  // Before anything is written: a malformed name leaves no trace.
  BELLWIRE_ASSIGN_OR_RETURN(const Issued outer, IssueFromNewAuthority("bellwire CA", server));
  BELLWIRE_ASSIGN_OR_RETURN(const Issued inner,
                            IssueFromNewAuthority("bellwire internal CA", node));

  BELLWIRE_RETURN_IF_ERROR(MakeDirectory(data_dir.path()));
  BELLWIRE_RETURN_IF_ERROR(WritePair(outer.ca, data_dir.ca_certificate(), data_dir.ca_key()));
  BELLWIRE_RETURN_IF_ERROR(
      WritePair(outer.leaf, data_dir.server_certificate(), data_dir.server_key()));
  BELLWIRE_RETURN_IF_ERROR(MakeDirectory(data_dir.internal()));
  BELLWIRE_RETURN_IF_ERROR(
      WritePair(inner.ca, data_dir.internal_ca_certificate(), data_dir.internal_ca_key()));
  BELLWIRE_RETURN_IF_ERROR(
      WritePair(inner.leaf, data_dir.internal_node_certificate(), data_dir.internal_node_key()));
  BELLWIRE_RETURN_IF_ERROR(TokenSealer::CreateKeyFile(data_dir.token_keys()));
  BELLWIRE_RETURN_IF_ERROR(WriteSecret(data_dir.ticket_keys()));
  return WriteSecret(data_dir.admin_token());
}

}  // namespace bellwire
