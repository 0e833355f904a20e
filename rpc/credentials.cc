#include "rpc/credentials.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/status_macros.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/auth_context.h"
#include "grpcpp/security/auth_metadata_processor.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/channel_arguments.h"
#include "openssl/err.h"

namespace bellwire {
namespace {

// A dead peer is found within half a minute, and a NAT or firewall between daemons sees traffic.
constexpr absl::Duration kKeepaliveInterval = absl::Seconds(20);
// From accept to the end of TLS, at a port of ours that only daemons of ours can use.
constexpr absl::Duration kInternalHandshakeTimeout = absl::Seconds(10);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
// Daemons restart within seconds; gRPC's own bounds (1 s to 2 min) suit the internet.
constexpr absl::Duration kReconnectMin = absl::Milliseconds(100);
constexpr absl::Duration kReconnectMax = absl::Seconds(2);
// For a connection attempt that nobody answers.
constexpr absl::Duration kDialTimeout = absl::Seconds(5);
// A team's apps in one answer; pages of mailboxes are far smaller.
constexpr int kMaxAnswerBytes = 64 * 1024 * 1024;

int Ms(absl::Duration d) { return static_cast<int>(absl::ToInt64Milliseconds(d)); }

absl::Status Bad(absl::string_view reason, const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, absl::StrCat(path, " ", why));
}

// One that is good now.
absl::StatusOr<std::string> ReadCertificate(const std::string& path) {
  absl::StatusOr<std::string> pem = ReadWholeFile(path);
  if (!pem.ok()) return pem;
  if (absl::Status s = CheckCertificateTimes(*pem, path, RealClock()->WallNow()); !s.ok()) return s;
  return pem;
}

struct InternalFiles {
  std::string ca_pem;
  TlsKeyPair node;
  bool ca_has_roles = false;
};

absl::StatusOr<InternalFiles> ReadInternal(const std::string& internal_dir) {
  InternalFiles files;
  const std::string ca_path = absl::StrCat(internal_dir, "/ca.pem");
  const std::string node_path = absl::StrCat(internal_dir, "/node.pem");
  BELLWIRE_ASSIGN_OR_RETURN(files.ca_pem, ReadCertificate(ca_path));
  BELLWIRE_ASSIGN_OR_RETURN(files.node,
                            ReadTlsKeyPair(node_path, absl::StrCat(internal_dir, "/node.key")));
  if (!IsIssuedBy(files.node.certificate_pem, files.ca_pem)) {
    return Bad("NOT_OF_THIS_CA", node_path,
               absl::StrCat("was not issued by ", ca_path,
                            ": copy the whole directory internal/ from where it was made"));
  }
  BELLWIRE_ASSIGN_OR_RETURN(const CertificateFacts ca, ReadCertificateFacts(files.ca_pem));
  files.ca_has_roles = ca.common_name == kInternalAuthorityWithRoles;
  return files;
}

// Of a certificate with these alternative names.
Roles RolesUnder(bool ca_has_roles, const std::vector<std::string>& uris) {
  const Roles roles = Roles::FromUris(uris);
  return roles.empty() && !ca_has_roles ? Roles::All() : roles;
}

// Looks at the caller's certificate at each call.
class RoleCheck final : public grpc::AuthMetadataProcessor {
 public:
  explicit RoleCheck(bool ca_has_roles) : ca_has_roles_(ca_has_roles) {}

  // It waits for nothing.
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* caller,
                       OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) override {
    std::vector<std::string> uris;
    for (const grpc::string_ref& uri : caller->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
      uris.emplace_back(uri.data(), uri.size());
    }
    const auto path = metadata.find(":path");
    const absl::string_view method =
        path == metadata.end() ? absl::string_view()
                               : absl::string_view(path->second.data(), path->second.size());
    const Roles roles = RolesUnder(ca_has_roles_, uris);
    const Roles callers = CallersOf(method);
    if (roles.HasAnyOf(callers)) return grpc::Status::OK;
    if (const auto unsaid = refusals_.Take()) {
      LogWarning("role_refused",
                 {{"method", method}, {"certificate_of", roles.Names()}, {"unsaid", *unsaid}});
    }
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                        absl::StrCat(method, " is for certificates of: ", callers.Names(),
                                     "; this one is of: ", roles.Names()));
  }

 private:
  const bool ca_has_roles_;
  LogLimit refusals_{RealClock()};
};

}  // namespace

absl::StatusOr<TlsKeyPair> ReadTlsKeyPair(const std::string& certificate_path,
                                          const std::string& key_path) {
  absl::StatusOr<std::string> certificate_pem = ReadCertificate(certificate_path);
  if (!certificate_pem.ok()) return certificate_pem.status();
  absl::StatusOr<std::string> key_pem = ReadPrivateFile(key_path);
  if (!key_pem.ok()) return key_pem.status();
  const EvpPkeyPtr key = ParsePrivateKeyPem(*key_pem);
  if (!key) return Bad("BAD_PRIVATE_KEY", key_path, "isn't a private key in PEM, unencrypted");
  const X509Ptr certificate = ParseCertificatePem(*certificate_pem);
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return Bad("KEY_MISMATCH", key_path,
               absl::StrCat("isn't the private key of the certificate in ", certificate_path));
  }
  return TlsKeyPair{*std::move(certificate_pem), *std::move(key_pem)};
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerTlsCredentials(
    const std::string& certificate_path, const std::string& key_path) {
  absl::StatusOr<TlsKeyPair> pair = ReadTlsKeyPair(certificate_path, key_path);
  if (!pair.ok()) return pair.status();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_key_cert_pairs = {{pair->key_pem, pair->certificate_pem}};
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientTlsCredentials(
    const std::string& ca_path) {
  absl::StatusOr<std::string> ca = ReadWholeFile(ca_path);
  if (!ca.ok()) return ca.status();
  // The first of maybe many, of which some may have ended.
  if (!ParseCertificatePem(*ca)) {
    return Bad("BAD_CERTIFICATE", ca_path, "isn't a certificate in PEM");
  }
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = *std::move(ca);
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> InternalServerCredentials(
    const std::string& internal_dir) {
  absl::StatusOr<InternalFiles> files = ReadInternal(internal_dir);
  if (!files.ok()) return files.status();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = std::move(files->ca_pem);
  options.pem_key_cert_pairs = {{files->node.key_pem, files->node.certificate_pem}};
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::SslServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<RoleCheck>(files->ca_has_roles));
  return credentials;
}

absl::StatusOr<InternalCredentials> InternalChannelCredentials(const std::string& internal_dir) {
  absl::StatusOr<InternalFiles> files = ReadInternal(internal_dir);
  if (!files.ok()) return files.status();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = std::move(files->ca_pem);
  options.pem_private_key = std::move(files->node.key_pem);
  options.pem_cert_chain = std::move(files->node.certificate_pem);
  return InternalCredentials{grpc::SslCredentials(options), files->ca_has_roles};
}

absl::Status CheckInternalRole(const std::string& internal_dir, Role role) {
  absl::StatusOr<InternalFiles> files = ReadInternal(internal_dir);
  if (!files.ok()) return files.status();
  BELLWIRE_ASSIGN_OR_RETURN(const CertificateFacts node,
                            ReadCertificateFacts(files->node.certificate_pem));
  const Roles roles = RolesUnder(files->ca_has_roles, node.uris);
  if (roles.Has(role)) {
    if (!files->ca_has_roles) {
      LogWarning("certificate_without_role",
                 {{"file", absl::StrCat(internal_dir, "/node.pem")},
                  {"consequence", "who has one daemon's certificate can do what all daemons can"},
                  {"to_do", "make directories with a role each: bellwire init --fleet --from"}});
    }
    return absl::OkStatus();
  }
  return Bad(
      "WRONG_ROLE", absl::StrCat(internal_dir, "/node.pem"),
      absl::StrCat("is the certificate of: ", roles.Names(), "; this daemon is a ", RoleName(role),
                   ": start it with the data directory that `bellwire init "
                   "--fleet` made for it"));
}

std::shared_ptr<grpc::Channel> NewInternalChannel(const std::string& address,
                                                  const InternalCredentials& credentials,
                                                  Role peer) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(credentials.roles ? RoleServerName(peer)
                                                       : std::string(kInternalServerName));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Ms(kKeepaliveInterval));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Ms(kKeepaliveTimeout));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // As many as the interval gives.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Ms(kReconnectMin));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Ms(kReconnectMax));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   Ms(kDialTimeout));  // Its name notwithstanding.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY,
                   0);  // An http_proxy of the environment isn't for us.
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  return grpc::CreateCustomChannel(address, credentials.channel, arguments);
}

void ConfigureInternalServer(grpc::ServerBuilder* builder) {
  // By default a server takes pings every 5 min and punishes more with GOAWAY.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              Ms(kKeepaliveInterval / 2));
  // Whoever connects and has no certificate of ours keeps a descriptor for so long; gRPC's default
  // is two minutes.
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Ms(kInternalHandshakeTimeout));
  // Two daemons on one port would share its calls by chance: a mistake to be told, not to be
  // served.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace bellwire
