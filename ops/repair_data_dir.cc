#include "ops/repair_data_dir.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "ops/data_dir_files.h"
#include "ops/main_support.h"

namespace bellwire {
namespace {

absl::Status CaKeyLost(const std::string& ca_key, const std::string& ca_pem) {
  return WithHint(
      MakeError(absl::StatusCode::kFailedPrecondition, "CA_KEY_LOST",
                absl::StrCat("there is no ", ca_key, ", so no certificate can be issued")),
      absl::StrCat(
          "put it back from a backup; without one, move ", ca_pem,
          " away and run `bellwire init --repair`, which makes a new CA: every client then "
          "needs the new ca.pem"));
}

// A CA whose two files are there.
absl::StatusOr<KeyAndCertificate> ReadAuthority(const std::string& certificate,
                                                const std::string& key) {
  if (!HasContents(key)) return CaKeyLost(key, certificate);
  KeyAndCertificate ca;
  BELLWIRE_ASSIGN_OR_RETURN(ca.certificate_pem, ReadWholeFile(certificate));
  BELLWIRE_ASSIGN_OR_RETURN(ca.key_pem, ReadPrivateFile(key));
  return ca;
}

absl::Status WriteCertificate(const std::string& path, const std::string& pem) {
  return ReplaceFileAtomically(path, pem, FileAccess::kPublic);
}

// The key before its certificate: after a crash in between, the next repair sees that they are no
// pair and issues another certificate.
absl::Status WritePair(const KeyAndCertificate& pair, const std::string& certificate,
                       const std::string& key) {
  BELLWIRE_RETURN_IF_ERROR(ReplaceFileAtomically(key, pair.key_pem, FileAccess::kPrivate));
  return WriteCertificate(certificate, pair.certificate_pem);
}

// The contents of a file that may be missing; empty if it is.
absl::StatusOr<std::string> ReadIfThere(const std::string& path) {
  if (!HasContents(path)) return std::string();
  return ReadWholeFile(path);
}

std::vector<std::string> NamesOf(const std::string& certificate_pem) {
  const absl::StatusOr<CertificateFacts> facts = ReadCertificateFacts(certificate_pem);
  if (!facts.ok()) return {};
  std::vector<std::string> names = facts->dns_names;
  names.insert(names.end(), facts->ip_addresses.begin(), facts->ip_addresses.end());
  return names;
}

void AddNames(const std::vector<std::string>& more, std::vector<std::string>* names) {
  for (const std::string& name : more) {
    if (std::find(names->begin(), names->end(), name) == names->end()) names->push_back(name);
  }
}

// The CA of the daemons among themselves; made again where it is lost or has ended.
struct InternalAuthority {
  KeyAndCertificate ca;
  bool is_new = false;
};
absl::StatusOr<InternalAuthority> LivingInternalAuthority(const DataDir& dir, absl::Time now) {
  InternalAuthority internal;
  std::string key_pem;
  if (HasContents(dir.internal_ca_key())) {
    BELLWIRE_ASSIGN_OR_RETURN(key_pem, ReadPrivateFile(dir.internal_ca_key()));
    BELLWIRE_ASSIGN_OR_RETURN(const std::string ca_pem, ReadIfThere(dir.internal_ca_certificate()));
    internal.ca = {.key_pem = key_pem, .certificate_pem = ca_pem};
    if (ValidityFrom(now, ca_pem).ok()) return internal;
  }
  internal.is_new = true;
  BELLWIRE_ASSIGN_OR_RETURN(
      internal.ca, MakeCertificateAuthority(kInternalAuthorityName, ValidityFrom(now), key_pem));
  BELLWIRE_RETURN_IF_ERROR(
      WritePair(internal.ca, dir.internal_ca_certificate(), dir.internal_ca_key()));
  return internal;
}

class Repair {
 public:
  Repair(const DataDir& dir, const RepairOptions& options, absl::Time now)
      : dir_(dir), options_(options), now_(now) {}

  absl::StatusOr<std::vector<Repaired>> Run() {
    BELLWIRE_RETURN_IF_ERROR(CheckStart());
    BELLWIRE_RETURN_IF_ERROR(RepairAuthority());
    BELLWIRE_RETURN_IF_ERROR(RepairServer());
    BELLWIRE_RETURN_IF_ERROR(RepairInternal());
    if (!HasContents(dir_.token_keys())) {
      unlink(dir_.token_keys().c_str());
      BELLWIRE_RETURN_IF_ERROR(TokenSealer::CreateKeyFile(dir_.token_keys()));
      Note("token.keys", "new: every token is dead; apps get new ones when they register again");
    }
    if (!HasContents(dir_.ticket_keys())) {
      BELLWIRE_RETURN_IF_ERROR(WriteSecret(dir_.ticket_keys()));
      Note("ticket.keys", "new: agents pay one full handshake each; give it to every connector");
    }
    if (!HasContents(dir_.admin_token())) {
      BELLWIRE_RETURN_IF_ERROR(WriteSecret(dir_.admin_token()));
      Note("admin.token", "new: the old one is worthless; give it to every gateway and admin");
    }
    return std::move(repaired_);
  }

 private:
  // Before anything is written.
  absl::Status CheckStart() const {
    BELLWIRE_RETURN_IF_ERROR(CheckIsWhole());
    const std::vector<std::string> files = {
        dir_.ca_certificate(), dir_.ca_key(),      dir_.server_certificate(),
        dir_.server_key(),     dir_.internal(),    dir_.token_keys(),
        dir_.ticket_keys(),    dir_.admin_token(), dir_.registry()};
    if (std::none_of(files.begin(), files.end(),
                     [](const std::string& file) { return access(file.c_str(), F_OK) == 0; })) {
      return WithHint(MakeError(absl::StatusCode::kFailedPrecondition, "NOT_INITIALISED",
                                absl::StrCat("there is nothing to repair in ", dir_.path())),
                      absl::StrCat("make a new data directory with `bellwire init --data_dir ",
                                   dir_.path(), "`"));
    }
    if (HasContents(dir_.token_keys()) || options_.new_token_keys) return absl::OkStatus();
    return WithHint(
        MakeError(absl::StatusCode::kFailedPrecondition, "TOKEN_KEYS_LOST",
                  absl::StrCat(dir_.token_keys(),
                               " is lost: without it every token is dead. Nothing was changed")),
        "put it back from a backup; without one, add --new_token_keys: apps must then register "
        "again, and providers learn new tokens");
  }

  // A daemon's own directory lacks things on purpose: what it has must not become more.
  absl::Status CheckIsWhole() const {
    BELLWIRE_ASSIGN_OR_RETURN(const std::string node,
                              ReadIfThere(dir_.internal_node_certificate()));
    const absl::StatusOr<CertificateFacts> facts = ReadCertificateFacts(node);
    if (!facts.ok()) return absl::OkStatus();
    const Roles roles = Roles::FromUris(facts->uris);
    if (roles.empty() || roles == Roles::All()) return absl::OkStatus();
    return WithHint(
        MakeError(absl::StatusCode::kFailedPrecondition, "FLEET_DIRECTORY",
                  absl::StrCat(dir_.path(), " is the directory of a ", roles.Names(),
                               ", which has nothing to make anything from")),
        "delete it where the fleet was made, run `bellwire init --fleet` there, and copy it again");
  }

  absl::Status RepairAuthority() {
    const bool has_certificate = HasContents(dir_.ca_certificate());
    const bool has_key = HasContents(dir_.ca_key());
    if (has_certificate && !has_key) {
      Note("ca.key", "still missing: until a backup brings it back, no certificate can be issued");
    }
    if (has_certificate) return absl::OkStatus();
    std::string key_pem;
    if (has_key) {
      BELLWIRE_ASSIGN_OR_RETURN(key_pem, ReadPrivateFile(dir_.ca_key()));
    }
    BELLWIRE_ASSIGN_OR_RETURN(
        const KeyAndCertificate ca,
        MakeCertificateAuthority(kAuthorityName, ValidityFrom(now_), key_pem));
    if (has_key) {
      Note("ca.pem",
           "made again from ca.key: clients that have the old one may keep it until it ends");
      return WriteCertificate(dir_.ca_certificate(), ca.certificate_pem);
    }
    Note("ca.pem, ca.key", "new: every provider and agent needs the new ca.pem");
    return WritePair(ca, dir_.ca_certificate(), dir_.ca_key());
  }

  absl::Status RepairServer() {
    BELLWIRE_ASSIGN_OR_RETURN(const std::string ca_pem, ReadWholeFile(dir_.ca_certificate()));
    BELLWIRE_ASSIGN_OR_RETURN(const std::string old_pem, ReadIfThere(dir_.server_certificate()));
    std::string key_pem;
    if (HasContents(dir_.server_key())) {
      BELLWIRE_ASSIGN_OR_RETURN(key_pem, ReadPrivateFile(dir_.server_key()));
    }
    const bool issued_here = IsIssuedBy(old_pem, ca_pem);
    if (IsPair(old_pem, key_pem) && (issued_here || !IsNewAuthority())) return absl::OkStatus();
    BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate ca,
                              ReadAuthority(dir_.ca_certificate(), dir_.ca_key()));
    std::vector<std::string> names = NamesOf(old_pem);
    if (names.empty()) names = options_.server_names;
    BELLWIRE_ASSIGN_OR_RETURN(const Validity validity, ValidityFrom(now_, ca_pem));
    BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate pair,
                              IssueCertificate(ca, ServerRequest(names, validity), key_pem));
    if (!key_pem.empty()) {
      Note("server.pem", "issued again for the key that was there, which keeps its pin");
      return WriteCertificate(dir_.server_certificate(), pair.certificate_pem);
    }
    Note("server.pem, server.key",
         "issued again with a new key: agents with --pin need the new pin");
    return WritePair(pair, dir_.server_certificate(), dir_.server_key());
  }

  // Whether this repair has made another CA than the one that clients know.
  bool IsNewAuthority() const {
    return std::any_of(repaired_.begin(), repaired_.end(),
                       [](const Repaired& r) { return r.file == "ca.pem, ca.key"; });
  }

  absl::Status RepairInternal() {
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(dir_.internal()));
    BELLWIRE_ASSIGN_OR_RETURN(const std::string ca_pem,
                              ReadIfThere(dir_.internal_ca_certificate()));
    BELLWIRE_ASSIGN_OR_RETURN(const std::string node_pem,
                              ReadIfThere(dir_.internal_node_certificate()));
    BELLWIRE_ASSIGN_OR_RETURN(const std::string node_key, ReadIfThere(dir_.internal_node_key()));
    // Daemons don't read the CA's key, and most have none.
    if (IsIssuedBy(node_pem, ca_pem) && IsPair(node_pem, node_key) &&
        ValidityFrom(now_, ca_pem).ok()) {
      return absl::OkStatus();
    }
    BELLWIRE_ASSIGN_OR_RETURN(const InternalAuthority internal,
                              LivingInternalAuthority(dir_, now_));
    BELLWIRE_ASSIGN_OR_RETURN(const Validity validity,
                              ValidityFrom(now_, internal.ca.certificate_pem));
    BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate node,
                              IssueCertificate(internal.ca, NodeRequest(validity)));
    Note("internal/", internal.is_new ? "new: every daemon of a fleet needs a copy"
                                      : "node.pem and node.key issued again");
    return WritePair(node, dir_.internal_node_certificate(), dir_.internal_node_key());
  }

  void Note(std::string file, std::string what) {
    repaired_.push_back({std::move(file), std::move(what)});
  }

  const DataDir& dir_;
  const RepairOptions& options_;
  const absl::Time now_;
  std::vector<Repaired> repaired_;
};

absl::Status RenewNode(const DataDir& dir, absl::Time now) {
  // A copy for one daemon need not have the CA's key. What it has is renewed where the key is.
  if (!HasContents(dir.internal_ca_key())) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(const InternalAuthority internal, LivingInternalAuthority(dir, now));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string key, ReadPrivateFile(dir.internal_node_key()));
  BELLWIRE_ASSIGN_OR_RETURN(const Validity validity,
                            ValidityFrom(now, internal.ca.certificate_pem));
  BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate node,
                            IssueCertificate(internal.ca, NodeRequest(validity), key));
  return WriteCertificate(dir.internal_node_certificate(), node.certificate_pem);
}

}  // namespace

absl::StatusOr<std::vector<Repaired>> RepairDataDir(const DataDir& data_dir,
                                                    const RepairOptions& options, absl::Time now) {
  return Repair(data_dir, options, now).Run();
}

absl::StatusOr<CertificateFacts> RenewCertificates(const DataDir& data_dir,
                                                   const std::vector<std::string>& more_names,
                                                   absl::Time now) {
  BELLWIRE_RETURN_IF_ERROR(CheckInitialised(data_dir));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string old_pem,
                            ReadWholeFile(data_dir.server_certificate()));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string ca_pem, ReadWholeFile(data_dir.ca_certificate()));
  if (!IsIssuedBy(old_pem, ca_pem)) {
    return WithHint(MakeError(absl::StatusCode::kFailedPrecondition, "NOT_OUR_CERTIFICATE",
                              absl::StrCat(data_dir.server_certificate(), " was not issued by ",
                                           data_dir.ca_certificate())),
                    "renew it where it comes from, and send the server SIGHUP");
  }
  BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate ca,
                            ReadAuthority(data_dir.ca_certificate(), data_dir.ca_key()));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string key, ReadPrivateFile(data_dir.server_key()));
  std::vector<std::string> names = NamesOf(old_pem);
  AddNames(more_names, &names);
  BELLWIRE_ASSIGN_OR_RETURN(const Validity validity, ValidityFrom(now, ca_pem));
  BELLWIRE_ASSIGN_OR_RETURN(const KeyAndCertificate renewed,
                            IssueCertificate(ca, ServerRequest(names, validity), key));
  BELLWIRE_RETURN_IF_ERROR(
      WriteCertificate(data_dir.server_certificate(), renewed.certificate_pem));
  BELLWIRE_RETURN_IF_ERROR(RenewNode(data_dir, now));
  return ReadCertificateFacts(renewed.certificate_pem);
}

}  // namespace bellwire
