#include "net/tls/tls_transport.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/socket/close_reason.h"
#include "net/tls/socket_bio.h"

namespace bellwire::net {
namespace {

// RFC 9266, 4.2.
constexpr absl::string_view kExporterLabel = "EXPORTER-Channel-Binding";
constexpr size_t kExporterBytes = 32;

// OpenSSL reports a peer's fatal alert as this plus its number.
constexpr int kFirstAlertReason = SSL_AD_REASON_OFFSET;

absl::Status Refused(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status StatusOfError(unsigned long error, long verify_result) {
  const char* const text = ERR_reason_error_string(error);
  const std::string words = text != nullptr ? text : absl::StrCat("OpenSSL error ", error);
  const int reason = ERR_GET_REASON(error);
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return Refused(kPlainHttp, "the peer speaks plain HTTP");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNKNOWN_PROTOCOL:
      return Refused(kNotTls, absl::StrCat("the peer doesn't speak TLS: ", words));
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return Refused(kTlsVersion, "the peer speaks older versions of TLS only");
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return Refused(kWrongAlpn, absl::StrCat("the server doesn't offer ", kAlpn));
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return MakeError(absl::StatusCode::kUnauthenticated, kCertificateNotTrusted,
                       verify_result == X509_V_ERR_APPLICATION_VERIFICATION
                           ? "the server's key is not the pinned one"
                           : X509_verify_cert_error_string(verify_result));
    default:
      if (reason >= kFirstAlertReason) {
        return MakeError(absl::StatusCode::kPermissionDenied, kTlsAlert, words);
      }
      return Refused(kTlsError, words);
  }
}

// Whether the certificate that this session was begun with is good for `name` too (RFC 8446,
// 4.6.1): a resumed one shows none.
bool IsFor(const std::string& name, SSL_SESSION* session) {
  X509* const certificate = SSL_SESSION_get0_peer(session);
  if (certificate == nullptr) return false;
  return X509_check_ip_asc(certificate, name.c_str(), 0) == 1 ||
         X509_check_host(certificate, name.c_str(), name.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

}  // namespace

std::unique_ptr<TlsTransport> TlsTransport::Server(std::shared_ptr<TlsServerContext> context,
                                                   int fd) {
  SSL_CTX* const ctx = context->ssl_ctx();
  const bool for_web = context->audience() == TlsAudience::kWeb;
  std::unique_ptr<TlsTransport> transport(new TlsTransport(std::move(context), ctx, fd));
  transport->any_alpn_ = for_web;
  SSL_set_accept_state(transport->ssl_);
  return transport;
}

std::unique_ptr<TlsTransport> TlsTransport::Client(std::shared_ptr<TlsClientContext> context,
                                                   int fd, absl::string_view server_name,
                                                   TlsSessionSlot* slot) {
  const bool checks_name = context->checks_chain();
  SSL_CTX* const ctx = context->ssl_ctx();
  std::unique_ptr<TlsTransport> transport(new TlsTransport(std::move(context), ctx, fd));
  SSL* const ssl = transport->ssl_;
  const std::string name(server_name);
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(name.c_str());
  if (address != nullptr) {
    ASN1_OCTET_STRING_free(address);
    if (checks_name) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str());
  } else {
    // RFC 6066, 3: names only, no addresses.
    SSL_set_tlsext_host_name(ssl, name.c_str());
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (checks_name) SSL_set1_host(ssl, name.c_str());
  }
  transport->state_.session_slot = slot;
  if (slot != nullptr && slot->get() != nullptr && (!checks_name || IsFor(name, slot->get()))) {
    // A copy, because OpenSSL spoils the session of an attempt that fails, and the next one wants
    // it too.
    SSL_SESSION* const session = SSL_SESSION_dup(slot->get());
    SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
  }
  SSL_set_connect_state(ssl);
  return transport;
}

TlsTransport::TlsTransport(std::shared_ptr<void> context, SSL_CTX* ctx, int fd)
    : Transport(fd), context_(std::move(context)), ssl_(SSL_new(ctx)), state_(&socket()) {
  BIO* const bio = NewSocketBio(&state_);
  SSL_set_bio(ssl_, bio, bio);
}

TlsTransport::~TlsTransport() {
  // Else OpenSSL spoils the session of a connection that didn't end cleanly, its ticket included.
  // But a phone that lost its network is who needs to resume; a broken peer was caught as an error.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

Transport::Result TlsTransport::Handshake() {
  ERR_clear_error();
  // A client's first flight waits for the answer. The last is followed by what its owner has to
  // say, a Login: one packet for both spares a phone's radio one, and the server a turn.
  state_.more_follows = SSL_is_server(ssl_) == 0 && SSL_in_before(ssl_) == 0;
  const int code = SSL_do_handshake(ssl_);
  state_.more_follows = false;
  if (code != 1) return Failure(code);
  if (!any_alpn_ && alpn() != kAlpn) {
    failed_ = true;
    return Result::Failed(Refused(kWrongAlpn, "the server chose no application protocol (ALPN)"));
  }
  open_ = true;
  state_.open = true;
  if (SSL_is_server(ssl_) && SSL_session_reused(ssl_)) {
    // Now, because the next ticket's data is going to replace it; and only of the session that was
    // really resumed, whatever else the client offered.
    void* data;
    size_t size;
    if (SSL_SESSION_get0_ticket_appdata(SSL_get0_session(ssl_), &data, &size) == 1) {
      resumed_ticket_data_ =
          std::make_unique<const std::string>(static_cast<const char*>(data), size);
    }
  }
  return Result::Done();
}

Transport::Result TlsTransport::Read(absl::Span<char> buffer) {
  ERR_clear_error();
  const int n = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
  return n > 0 ? Result::Done(static_cast<size_t>(n)) : Failure(n);
}

Transport::Result TlsTransport::Write(absl::string_view data) {
  ERR_clear_error();
  const int n = SSL_write(ssl_, data.data(), static_cast<int>(data.size()));
  return n > 0 ? Result::Done(static_cast<size_t>(n)) : Failure(n);
}

void TlsTransport::FinishWriting() {
  ERR_clear_error();
  if (open_ && !failed_) SSL_shutdown(ssl_);
  ERR_clear_error();
  socket().ShutdownWrite();
}

std::string TlsTransport::tls_exporter() {
  if (!open_) return std::string();
  std::string value(kExporterBytes, '\0');
  if (SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(value.data()), value.size(),
                                 kExporterLabel.data(), kExporterLabel.size(), nullptr, 0,
                                 /*use_context=*/0) != 1) {
    return std::string();
  }
  return value;
}

std::string TlsTransport::alpn() {
  const unsigned char* alpn = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &alpn, &size);
  return std::string(reinterpret_cast<const char*>(alpn), size);
}

void TlsTransport::SendTicket(absl::string_view data) {
  if (!open_ || failed_) return;
  state_.ticket_data = std::make_unique<const std::string>(data);
  state_.ticket_made = false;
  ERR_clear_error();
  if (SSL_new_session_ticket(ssl_) != 1) return;
  // Sends it, unless a write is pending: then that write's end does. An error comes back from the
  // next read or write.
  state_.more_follows = true;
  if (SSL_in_init(ssl_)) SSL_do_handshake(ssl_);
  state_.more_follows = false;
  if (state_.ticket_made && !SSL_in_init(ssl_)) ForgetTicket();
}

void TlsTransport::ForgetTicket() {
  state_.ticket_data.reset();
  SSL_SESSION* const session = SSL_get_session(ssl_);
  SSL_SESSION_set1_ticket_appdata(session, nullptr, 0);
  SSL_SESSION_set1_alpn_selected(session, nullptr, 0);
  SSL_SESSION_set1_hostname(session, nullptr);
}

Transport::Result TlsTransport::Failure(int code) {
  if (state_.excess != nullptr) {
    failed_ = true;
    ERR_clear_error();
    return Result::Failed(Refused(kTlsError, state_.excess));
  }
  switch (SSL_get_error(ssl_, code)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Result::Blocked();
    case SSL_ERROR_ZERO_RETURN:
      return Result::End();
    case SSL_ERROR_SYSCALL:
      failed_ = true;
      return Result::Failed(socket().status());
    default:
      break;
  }
  failed_ = true;
  const unsigned long error = ERR_peek_error();
  const long verify_result = SSL_get_verify_result(ssl_);
  ERR_clear_error();
  if (state_.alpn_refusal != nullptr) {
    return Result::Failed(Refused(kWrongAlpn, state_.alpn_refusal));
  }
  if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return Result::Failed(
        open_ ? MakeError(absl::StatusCode::kUnavailable, kTruncated,
                          "the connection ended without TLS's close_notify")
              : MakeError(absl::StatusCode::kUnavailable, kClosedInHandshake,
                          "the peer closed the connection during the TLS handshake"));
  }
  return Result::Failed(StatusOfError(error, verify_result));
}

}  // namespace bellwire::net
