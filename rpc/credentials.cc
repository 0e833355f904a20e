#include "rpc/credentials.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "grpcpp/create_channel.h"
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

absl::StatusOr<std::string> ReadCertificate(const std::string& path) {
  absl::StatusOr<std::string> pem = ReadWholeFile(path);
  if (pem.ok() && !ParseCertificatePem(*pem)) {
    return Bad("BAD_CERTIFICATE", path, "isn't a certificate in PEM");
  }
  return pem;
}

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
  absl::StatusOr<std::string> ca = ReadCertificate(ca_path);
  if (!ca.ok()) return ca.status();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = *std::move(ca);
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> InternalServerCredentials(
    const std::string& internal_dir) {
  absl::StatusOr<std::string> ca = ReadCertificate(absl::StrCat(internal_dir, "/ca.pem"));
  if (!ca.ok()) return ca.status();
  absl::StatusOr<TlsKeyPair> pair = ReadTlsKeyPair(absl::StrCat(internal_dir, "/node.pem"),
                                                   absl::StrCat(internal_dir, "/node.key"));
  if (!pair.ok()) return pair.status();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = *std::move(ca);
  options.pem_key_cert_pairs = {{pair->key_pem, pair->certificate_pem}};
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> InternalChannelCredentials(
    const std::string& internal_dir) {
  absl::StatusOr<std::string> ca = ReadCertificate(absl::StrCat(internal_dir, "/ca.pem"));
  if (!ca.ok()) return ca.status();
  absl::StatusOr<TlsKeyPair> pair = ReadTlsKeyPair(absl::StrCat(internal_dir, "/node.pem"),
                                                   absl::StrCat(internal_dir, "/node.key"));
  if (!pair.ok()) return pair.status();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = *std::move(ca);
  options.pem_private_key = std::move(pair->key_pem);
  options.pem_cert_chain = std::move(pair->certificate_pem);
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::Channel> NewInternalChannel(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(std::string(kInternalServerName));
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
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

void ConfigureInternalServer(grpc::ServerBuilder* builder) {
  // By default a server takes pings every 5 min and punishes more with GOAWAY.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              Ms(kKeepaliveInterval / 2));
  // Whoever connects and has no certificate of ours keeps a descriptor for so long; gRPC's default is
  // two minutes.
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Ms(kInternalHandshakeTimeout));
  // Two daemons on one port would share its calls by chance: a mistake to be told, not to be
  // served.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace bellwire
