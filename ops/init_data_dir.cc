#include "ops/init_data_dir.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "ops/data_dir_files.h"
#include "ops/main_support.h"

namespace bellwire {
namespace {

absl::Status WritePair(const KeyAndCertificate& pair, const std::string& certificate_path,
                       const std::string& key_path) {
  BELLWIRE_RETURN_IF_ERROR(CreateFileAtomically(key_path, pair.key_pem, FileAccess::kPrivate));
  return CreateFileAtomically(certificate_path, pair.certificate_pem, FileAccess::kPublic);
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
        absl::StrCat("start the server in it with `bellwire serve`, make what is missing with "
                     "`bellwire init --repair --data_dir ",
                     data_dir.path(), "`, or choose another directory"));
  }

  const Validity validity = ValidityFrom(now);
  const LeafRequest server = ServerRequest(server_names, validity);
  const LeafRequest node = NodeRequest(validity);

  // Before anything is written: a malformed name leaves no trace.
  BELLWIRE_ASSIGN_OR_RETURN(const Issued outer, IssueFromNewAuthority(kAuthorityName, server));
  BELLWIRE_ASSIGN_OR_RETURN(const Issued inner,
                            IssueFromNewAuthority(kInternalAuthorityName, node));

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
