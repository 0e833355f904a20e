#include "ops/data_dir_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "ops/main_support.h"
#include "rpc/credentials.h"

namespace bellwire {
namespace {

constexpr absl::Duration kBackdate = absl::Hours(24);
// 256 bits: nothing to guess.
constexpr size_t kSecretBytes = 32;

bool IsIpAddress(const std::string& name) {
  std::array<char, sizeof(in6_addr)> parsed;
  return inet_pton(AF_INET, name.c_str(), parsed.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), parsed.data()) == 1;
}

}  // namespace

Validity ValidityFrom(absl::Time now) { return {now - kBackdate, now + kCertificateLifetime}; }

absl::StatusOr<Validity> ValidityFrom(absl::Time now, absl::string_view ca_pem) {
  BELLWIRE_ASSIGN_OR_RETURN(const absl::Time ca_end, CertificateNotAfter(ca_pem));
  Validity validity = ValidityFrom(now);
  validity.not_after = std::min(validity.not_after, ca_end);
  if (ca_end > now) return validity;
  return WithHint(
      MakeError(absl::StatusCode::kFailedPrecondition, "CA_EXPIRED",
                absl::StrCat("the CA ended at ",
                             absl::FormatTime(absl::RFC3339_sec, ca_end, absl::UTCTimeZone()))),
      "move ca.pem away and run `bellwire init --repair`, which makes it again from ca.key; then "
      "give the new ca.pem to every client");
}

LeafRequest ServerRequest(const std::vector<std::string>& names, const Validity& validity) {
  LeafRequest request{.common_name = "bellwire server", .server = true, .validity = validity};
  for (const std::string& name : names) {
    (IsIpAddress(name) ? request.ip_addresses : request.dns_names).push_back(name);
  }
  return request;
}

LeafRequest NodeRequest(const Validity& validity, Roles roles) {
  LeafRequest request{.common_name = std::string(kInternalServerName),
                      .dns_names = {std::string(kInternalServerName)},
                      .server = roles.HasAnyOf({Role::kRegistry, Role::kConnector}),
                      .client = true,
                      .validity = validity};
  for (const Role role : roles.List()) {
    request.uris.push_back(RoleUri(role));
    if (role != Role::kGateway) request.dns_names.push_back(RoleServerName(role));
  }
  return request;
}

absl::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return absl::OkStatus();
  struct stat info {};
  if (errno == EEXIST && stat(path.c_str(), &info) == 0) {
    if (!S_ISDIR(info.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(path, " is no directory"));
    }
    if ((info.st_mode & 077) == 0) return absl::OkStatus();
    // An empty directory is often made beforehand (a volume, by packaging): take it over. One with
    // something in it is somebody's, such as /tmp, who would be locked out.
    std::error_code error;
    if (!std::filesystem::is_empty(path, error) || error) {
      return WithHint(
          absl::InvalidArgumentError(absl::StrCat(
              path, " is not empty, and others have access to it: it would be closed to them")),
          "name a directory of its own");
    }
    if (chmod(path.c_str(), 0700) == 0) return absl::OkStatus();
  }
  return WithHint(absl::UnavailableError(
                      absl::StrCat("can't make the directory ", path, ": ", strerror(errno))),
                  "its parent must exist and be writable for you");
}

absl::Status WriteSecret(const std::string& path) {
  std::string secret(kSecretBytes, '\0');
  FillRandom(secret.data(), secret.size());
  return ReplaceFileAtomically(path, absl::StrCat(absl::BytesToHexString(secret), "\n"),
                               FileAccess::kPrivate);
}

}  // namespace bellwire
