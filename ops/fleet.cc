#include "ops/fleet.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "ops/data_dir_files.h"
#include "ops/main_support.h"

namespace bellwire {
namespace {

std::string AuthorityDir(const std::string& path) { return absl::StrCat(path, "/authority"); }

// "gateway-2": kGateway.
std::optional<Role> RoleOfName(absl::string_view name) {
  if (name == "registry") return Role::kRegistry;
  for (const Role role : {Role::kGateway, Role::kConnector}) {
    int number = 0;
    const std::string prefix = absl::StrCat(RoleName(role), "-");
    if (absl::StartsWith(name, prefix) && absl::SimpleAtoi(name.substr(prefix.size()), &number)) {
      return role;
    }
  }
  return std::nullopt;
}

absl::Status Copy(const std::string& from, const std::string& to, FileAccess access) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string contents, ReadWholeFile(from));
  return ReplaceFileAtomically(to, contents, access);
}

// The key first: a directory with a certificate has its key.
absl::Status WritePair(const KeyAndCertificate& pair, const std::string& certificate,
                       const std::string& key) {
  BELLWIRE_RETURN_IF_ERROR(ReplaceFileAtomically(key, pair.key_pem, FileAccess::kPrivate));
  return ReplaceFileAtomically(certificate, pair.certificate_pem, FileAccess::kPublic);
}

absl::StatusOr<KeyAndCertificate> ReadAuthority(const std::string& certificate,
                                                const std::string& key) {
  KeyAndCertificate ca;
  BELLWIRE_ASSIGN_OR_RETURN(ca.certificate_pem, ReadWholeFile(certificate));
  if (!HasContents(key)) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "CA_KEY_LOST",
        absl::StrCat("there is no ", key, ": no certificate can be issued without it"));
  }
  BELLWIRE_ASSIGN_OR_RETURN(ca.key_pem, ReadPrivateFile(key));
  return ca;
}

// Of the daemons that have a directory, in order.
absl::StatusOr<std::vector<std::string>> DaemonNames(const std::string& path) {
  std::vector<std::string> names;
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return absl::UnavailableError(absl::StrCat("can't read ", path));
  while (const dirent* entry = readdir(directory)) {
    if (RoleOfName(entry->d_name).has_value()) names.emplace_back(entry->d_name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

class Fleet {
 public:
  Fleet(std::string path, const FleetOptions& options, absl::Time now)
      : path_(std::move(path)), authority_(AuthorityDir(path_)), options_(options), now_(now) {}

  absl::StatusOr<std::vector<FleetDaemon>> Make() {
    BELLWIRE_RETURN_IF_ERROR(Check());
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(path_));
    BELLWIRE_RETURN_IF_ERROR(MakeAuthority());
    BELLWIRE_RETURN_IF_ERROR(LoadAuthority());
    std::vector<FleetDaemon> daemons = {{.name = "registry", .role = Role::kRegistry}};
    for (int i = 1; i <= options_.gateways; ++i) {
      daemons.push_back({.name = absl::StrCat("gateway-", i), .role = Role::kGateway});
    }
    for (int i = 1; i <= options_.connectors; ++i) {
      daemons.push_back({.name = absl::StrCat("connector-", i), .role = Role::kConnector});
    }
    for (FleetDaemon& daemon : daemons) {
      const DataDir dir(absl::StrCat(path_, "/", daemon.name));
      // Its last file.
      if (HasContents(dir.internal_node_certificate())) continue;
      BELLWIRE_RETURN_IF_ERROR(MakeDaemon(dir, daemon));
      daemon.made = true;
    }
    return daemons;
  }

  absl::StatusOr<std::vector<RenewedCertificate>> Renew(
      const std::vector<std::string>& more_names) {
    BELLWIRE_RETURN_IF_ERROR(LoadAuthority());
    std::vector<RenewedCertificate> renewed;
    BELLWIRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, DaemonNames(path_));
    for (const std::string& name : names) {
      const DataDir dir(absl::StrCat(path_, "/", name));
      const Role role = *RoleOfName(name);
      if (HasContents(dir.server_certificate())) {
        BELLWIRE_RETURN_IF_ERROR(RenewServer(dir, more_names, &renewed));
      }
      BELLWIRE_ASSIGN_OR_RETURN(const std::string key, ReadPrivateFile(dir.internal_node_key()));
      BELLWIRE_ASSIGN_OR_RETURN(const Validity validity,
                                ValidityFrom(now_, inner_.certificate_pem));
      BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate node,
                                IssueCertificate(inner_, NodeRequest(validity, {role}), key));
      BELLWIRE_RETURN_IF_ERROR(
          Replace(dir.internal_node_certificate(), node.certificate_pem, &renewed));
    }
    return renewed;
  }

 private:
  absl::Status Check() const {
    if (options_.server_names.empty()) {
      return absl::InvalidArgumentError("a fleet needs the name that clients connect to");
    }
    for (const int number : {options_.gateways, options_.connectors}) {
      if (number < 0 || number > kMaxFleetDaemons) {
        return absl::InvalidArgumentError(
            absl::StrCat("a fleet has 0 to ", kMaxFleetDaemons, " daemons of a kind"));
      }
    }
    if (HasContents(DataDir(path_).internal_ca_certificate())) {
      return WithHint(MakeError(absl::StatusCode::kAlreadyExists, "ALREADY_INITIALISED",
                                absl::StrCat(path_, " is a data directory")),
                      absl::StrCat("make a fleet from it in another one: bellwire init --fleet "
                                   "--data_dir OTHER --from ",
                                   path_));
    }
    if (options_.from.empty()) return absl::OkStatus();
    if (IsFleet(path_)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, " is a fleet already: what it was made from stays"));
    }
    return CheckInitialised(DataDir(options_.from));
  }

  // Files that are there stay, so that an attempt that was cut off goes on.
  absl::Status MakeAuthority() {
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(authority_.path()));
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(authority_.internal()));
    const bool from = !options_.from.empty();
    const DataDir old(options_.from);
    if (!HasContents(authority_.ca_certificate())) {
      if (from) {
        BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate ca,
                                  ReadAuthority(old.ca_certificate(), old.ca_key()));
        BELLWIRE_RETURN_IF_ERROR(WritePair(ca, authority_.ca_certificate(), authority_.ca_key()));
      } else {
        BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate ca,
                                  MakeCertificateAuthority(kAuthorityName, ValidityFrom(now_)));
        BELLWIRE_RETURN_IF_ERROR(WritePair(ca, authority_.ca_certificate(), authority_.ca_key()));
      }
    }
    if (!HasContents(authority_.server_key())) {
      // The key that connectors share, since agents may have pinned it.
      if (from) {
        BELLWIRE_RETURN_IF_ERROR(
            Copy(old.server_key(), authority_.server_key(), FileAccess::kPrivate));
      } else {
        BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate ca,
                                  ReadAuthority(authority_.ca_certificate(), authority_.ca_key()));
        BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate pair, IssueServer(ca, ""));
        BELLWIRE_RETURN_IF_ERROR(
            ReplaceFileAtomically(authority_.server_key(), pair.key_pem, FileAccess::kPrivate));
      }
    }
    if (!HasContents(authority_.token_keys())) {
      BELLWIRE_RETURN_IF_ERROR(
          from ? Copy(old.token_keys(), authority_.token_keys(), FileAccess::kPrivate)
               : TokenSealer::CreateKeyFile(authority_.token_keys()));
    }
    if (!HasContents(authority_.ticket_keys())) {
      BELLWIRE_RETURN_IF_ERROR(
          from && HasContents(old.ticket_keys())
              ? Copy(old.ticket_keys(), authority_.ticket_keys(), FileAccess::kPrivate)
              : WriteSecret(authority_.ticket_keys()));
    }
    if (!HasContents(authority_.admin_token())) {
      BELLWIRE_RETURN_IF_ERROR(
          from ? Copy(old.admin_token(), authority_.admin_token(), FileAccess::kPrivate)
               : WriteSecret(authority_.admin_token()));
    }
    // Always a new one: an old one may have issued certificates without roles. Last, see IsFleet.
    if (HasContents(authority_.internal_ca_certificate())) return absl::OkStatus();
    BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate inner,
                              MakeCertificateAuthority(kInternalAuthorityName, ValidityFrom(now_)));
    return WritePair(inner, authority_.internal_ca_certificate(), authority_.internal_ca_key());
  }

  absl::Status LoadAuthority() {
    BELLWIRE_ASSIGN_OR_RETURN(outer_,
                              ReadAuthority(authority_.ca_certificate(), authority_.ca_key()));
    BELLWIRE_ASSIGN_OR_RETURN(
        inner_, ReadAuthority(authority_.internal_ca_certificate(), authority_.internal_ca_key()));
    return absl::OkStatus();
  }

  absl::StatusOr<KeyAndCertificate> IssueServer(const KeyAndCertificate& ca,
                                                const std::string& key_pem) const {
    BELLWIRE_ASSIGN_OR_RETURN(const Validity validity, ValidityFrom(now_, ca.certificate_pem));
    return IssueCertificate(ca, ServerRequest(options_.server_names, validity), key_pem);
  }

  absl::Status MakeDaemon(const DataDir& dir, const FleetDaemon& daemon) {
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(dir.path()));
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(dir.internal()));
    if (daemon.role != Role::kRegistry) {
      std::string key_pem;
      if (daemon.role == Role::kConnector) {
        BELLWIRE_ASSIGN_OR_RETURN(key_pem, ReadPrivateFile(authority_.server_key()));
      }
      BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate server, IssueServer(outer_, key_pem));
      BELLWIRE_RETURN_IF_ERROR(WritePair(server, dir.server_certificate(), dir.server_key()));
    }
    if (daemon.role != Role::kConnector) {
      BELLWIRE_RETURN_IF_ERROR(
          Copy(authority_.token_keys(), dir.token_keys(), FileAccess::kPrivate));
    } else {
      BELLWIRE_RETURN_IF_ERROR(
          Copy(authority_.ticket_keys(), dir.ticket_keys(), FileAccess::kPrivate));
    }
    if (daemon.name == "gateway-1") {
      BELLWIRE_RETURN_IF_ERROR(
          Copy(authority_.admin_token(), dir.admin_token(), FileAccess::kPrivate));
      // For whoever administers with this directory.
      BELLWIRE_RETURN_IF_ERROR(
          Copy(authority_.ca_certificate(), dir.ca_certificate(), FileAccess::kPublic));
    }
    BELLWIRE_RETURN_IF_ERROR(Copy(authority_.internal_ca_certificate(),
                                  dir.internal_ca_certificate(), FileAccess::kPublic));
    BELLWIRE_ASSIGN_OR_RETURN(const Validity validity, ValidityFrom(now_, inner_.certificate_pem));
    BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate node,
                              IssueCertificate(inner_, NodeRequest(validity, {daemon.role})));
    return WritePair(node, dir.internal_node_certificate(), dir.internal_node_key());
  }

  absl::Status RenewServer(const DataDir& dir, const std::vector<std::string>& more_names,
                           std::vector<RenewedCertificate>* renewed) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::string old_pem, ReadWholeFile(dir.server_certificate()));
    // One of another authority is renewed where it comes from.
    if (!IsIssuedBy(old_pem, outer_.certificate_pem)) return absl::OkStatus();
    BELLWIRE_ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificateFacts(old_pem));
    std::vector<std::string> names = facts.dns_names;
    names.insert(names.end(), facts.ip_addresses.begin(), facts.ip_addresses.end());
    for (const std::string& name : more_names) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    BELLWIRE_ASSIGN_OR_RETURN(const std::string key, ReadPrivateFile(dir.server_key()));
    BELLWIRE_ASSIGN_OR_RETURN(const Validity validity, ValidityFrom(now_, outer_.certificate_pem));
    BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate server,
                              IssueCertificate(outer_, ServerRequest(names, validity), key));
    return Replace(dir.server_certificate(), server.certificate_pem, renewed);
  }

  static absl::Status Replace(const std::string& file, const std::string& pem,
                              std::vector<RenewedCertificate>* renewed) {
    BELLWIRE_RETURN_IF_ERROR(ReplaceFileAtomically(file, pem, FileAccess::kPublic));
    BELLWIRE_ASSIGN_OR_RETURN(CertificateFacts facts, ReadCertificateFacts(pem));
    renewed->push_back({file, std::move(facts)});
    return absl::OkStatus();
  }

  const std::string path_;
  const DataDir authority_;
  const FleetOptions& options_;
  const absl::Time now_;
  KeyAndCertificate outer_;
  KeyAndCertificate inner_;
};

}  // namespace

bool IsFleet(const std::string& path) {
  return HasContents(DataDir(AuthorityDir(path)).internal_ca_certificate());
}

absl::StatusOr<std::vector<std::string>> FleetDirectories(const std::string& path) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, DaemonNames(path));
  std::vector<std::string> directories = {AuthorityDir(path)};
  for (const std::string& name : names) directories.push_back(absl::StrCat(path, "/", name));
  return directories;
}

absl::StatusOr<std::vector<FleetDaemon>> InitFleet(const std::string& path,
                                                   const FleetOptions& options, absl::Time now) {
  return Fleet(path, options, now).Make();
}

absl::StatusOr<std::vector<RenewedCertificate>> RenewFleet(
    const std::string& path, const std::vector<std::string>& more_names, absl::Time now) {
  const FleetOptions options;
  return Fleet(path, options, now).Renew(more_names);
}

}  // namespace bellwire
