#include "net/tls/tls_context.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/tls1.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstring>
#include <utility>

#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "net/tls/tls_connection_state.h"

namespace bellwire::net {
namespace {

// The protocol list of an ALPN extension that holds kAlpn alone.
constexpr unsigned char kAlpnList[] =
    "\x0a"
    "bellwire/1";
constexpr unsigned int kAlpnListBytes = sizeof(kAlpnList) - 1;
static_assert(kAlpnListBytes == kAlpn.size() + 1);

// AES-128 is enough, and cheapest where the processor helps; a phone without that help puts
// ChaCha20 first in its list and gets it.
constexpr char kCipherSuites[] =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
constexpr char kGroups[] = "X25519:P-256";

// The protocol list that a server for the web chooses from. The last one is what `curl --http1.0`
// and health checks of old balancers offer: HTTP/1 by its first bytes.
constexpr unsigned char kWebAlpnList[] =
    "\x02h2"
    "\x08http/1.1"
    "\x08http/1.0";
constexpr unsigned int kWebAlpnListBytes = sizeof(kWebAlpnList) - 1;
static_assert(kWebAlpnListBytes == kAlpnHttp2.size() + 2 * kAlpnHttp1.size() + 3);

// Of TLS 1.2: with forward secrecy and authenticated encryption only (RFC 9113, 9.2.2).
constexpr char kTls12Ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, FreeBio>;

BioPtr Pem(absl::string_view pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// For encrypted keys: never ask a terminal.
int NoPassword(char*, int, int, void*) { return -1; }

absl::Status InvalidArgument(absl::string_view reason, absl::string_view message) {
  ERR_clear_error();
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

// Counts the peer's KeyUpdates. OpenSSL would take any number of them within one read.
void OnMessage(int sent, int, int content_type, const void* message, size_t size, SSL* ssl, void*) {
  if (sent != 0 || content_type != SSL3_RT_HANDSHAKE || size == 0 ||
      *static_cast<const unsigned char*>(message) != SSL3_MT_KEY_UPDATE) {
    return;
  }
  TlsConnectionState* const connection = TlsConnectionState::Of(ssl);
  if (++connection->key_updates <= kMaxTlsKeyUpdates) return;
  connection->excess = "the peer sent too many TLS KeyUpdates";
  // What was read already is thrown away.
  SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

SSL_CTX* NewContext(const SSL_METHOD* method) {
  SSL_CTX* const ctx = SSL_CTX_new(method);
  SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(ctx, kCipherSuites);
  SSL_CTX_set1_groups_list(ctx, kGroups);
  // Idle connections hold no record buffers; written bytes may move between tries, and go out a
  // record at a time.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One system call a packet instead of two: header and body come together.
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_max_early_data(ctx, 0);
  SSL_CTX_set_msg_callback(ctx, OnMessage);
  return ctx;
}

// Refuses a client without ALPN before any of the costly work.
int OnClientHello(SSL* ssl, int* alert, void*) {
  const unsigned char* extension;
  size_t size;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &extension,
                                &size) == 1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  TlsConnectionState::Of(ssl)->alpn_refusal = "the client offers no application protocol (ALPN)";
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int SelectAlpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
               const unsigned char* offered, unsigned int offered_size, void*) {
  if (SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, kAlpnList, kAlpnListBytes,
                            offered, offered_size) == OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_OK;
  }
  TlsConnectionState::Of(ssl)->alpn_refusal = "the client offers other application protocols only";
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int SelectWebAlpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                  const unsigned char* offered, unsigned int offered_size, void*) {
  if (SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, kWebAlpnList,
                            kWebAlpnListBytes, offered,
                            offered_size) == OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_OK;
  }
  TlsConnectionState::Of(ssl)->alpn_refusal = "the client offers neither h2 nor http/1.1";
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int OnTicketMade(SSL* ssl, void*) {
  TlsConnectionState* const connection = TlsConnectionState::Of(ssl);
  const std::string* const data = connection->ticket_data.get();
  if (data == nullptr) return 1;
  connection->ticket_made = true;
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data->data(), data->size());
}

SSL_TICKET_RETURN OnTicketRead(SSL*, SSL_SESSION*, const unsigned char*, size_t,
                               SSL_TICKET_STATUS status, void*) {
  // Anything else is not ours, or of a key that was rotated away: a full handshake. Nor is there a
  // renewal: the owner sends the next ticket.
  return status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW
             ? SSL_TICKET_RETURN_USE
             : SSL_TICKET_RETURN_IGNORE;
}

// Encrypts or decrypts a ticket as RFC 5077, 4 recommends: AES-CBC, then HMAC-SHA256.
int TicketKeyCallback(SSL* ssl, unsigned char* key_name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                      EVP_MAC_CTX* mac, int encrypt) {
  auto* const keys = static_cast<TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  std::optional<TicketKeys::Key> key;
  if (encrypt == 1) {
    key = keys->Current();
    memcpy(key_name, key->name.data(), key->name.size());
    FillRandom(iv, static_cast<size_t>(EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())));
  } else {
    key = keys->Find(
        absl::string_view(reinterpret_cast<const char*>(key_name), TicketKeys::kNameBytes));
    if (!key.has_value()) return 0;  // "Ignore the ticket."
  }
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac.data(), key->hmac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  const bool ok =
      EVP_MAC_CTX_set_params(mac, parameters) == 1 &&
      EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->aes.data(), iv, encrypt) == 1;
  OPENSSL_cleanse(&*key, sizeof(*key));
  return ok ? 1 : -1;
}

int OnNewSession(SSL* ssl, SSL_SESSION* session) {
  TlsSessionSlot* const slot = TlsConnectionState::Of(ssl)->session_slot;
  if (slot == nullptr || SSL_SESSION_is_resumable(session) != 1) return 0;
  // A copy, because OpenSSL spoils the session of a connection that ends without a close_notify: of
  // one whose server was killed, which is when resuming matters most.
  slot->Reset(SSL_SESSION_dup(session));
  return 0;  // "We keep no reference."
}

int VerifyPin(X509_STORE_CTX* store_context, void* arg) {
  const auto* const context = static_cast<const TlsClientContext*>(arg);
  unsigned char* der = nullptr;
  const int der_size =
      i2d_X509_PUBKEY(X509_get_X509_PUBKEY(X509_STORE_CTX_get0_cert(store_context)), &der);
  unsigned char digest[SHA256_DIGEST_LENGTH] = {};
  const bool matches = der_size > 0 &&
                       SHA256(der, static_cast<size_t>(der_size), digest) != nullptr &&
                       CRYPTO_memcmp(digest, context->pin_sha256().data(), sizeof(digest)) == 0;
  OPENSSL_free(der);
  if (!matches) {
    X509_STORE_CTX_set_error(store_context, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  return context->checks_chain() ? X509_verify_cert(store_context) : 1;
}

absl::Status UseCertificates(SSL_CTX* ctx, absl::string_view pem) {
  const BioPtr bio = Pem(pem);
  bool first = true;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)) {
    const bool ok = (first ? SSL_CTX_use_certificate(ctx, certificate)
                           : SSL_CTX_add1_chain_cert(ctx, certificate)) == 1;
    X509_free(certificate);
    if (!ok) return InvalidArgument("BAD_CERTIFICATE", "the server's certificate can't be used");
    first = false;
  }
  if (first) return InvalidArgument("BAD_CERTIFICATE", "the server's certificate isn't PEM");
  ERR_clear_error();  // The end of the PEM counted as one.
  return absl::OkStatus();
}

absl::Status UsePrivateKey(SSL_CTX* ctx, absl::string_view pem) {
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(Pem(pem).get(), nullptr, NoPassword, nullptr);
  if (key == nullptr) {
    return InvalidArgument("BAD_PRIVATE_KEY", "the server's private key isn't (plain) PEM");
  }
  const bool ok = SSL_CTX_use_PrivateKey(ctx, key) == 1;
  EVP_PKEY_free(key);
  if (!ok || SSL_CTX_check_private_key(ctx) != 1) {
    return InvalidArgument("BAD_PRIVATE_KEY",
                           "the server's private key doesn't belong to its certificate");
  }
  return absl::OkStatus();
}

absl::Status TrustAuthorities(SSL_CTX* ctx, absl::string_view pem) {
  const BioPtr bio = Pem(pem);
  int count = 0;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)) {
    count += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate);
    X509_free(certificate);
  }
  if (count == 0) return InvalidArgument("BAD_CERTIFICATE", "the CA certificate isn't PEM");
  ERR_clear_error();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<TlsServerContext>> TlsServerContext::Create(const Options& options) {
  std::shared_ptr<TlsServerContext> context(
      new TlsServerContext(NewContext(TLS_server_method()), options));
  SSL_CTX* const ctx = context->ctx_;
  if (absl::Status s = UseCertificates(ctx, options.certificate_pem); !s.ok()) return s;
  if (absl::Status s = UsePrivateKey(ctx, options.private_key_pem); !s.ok()) return s;
  return context;
}

TlsServerContext::TlsServerContext(SSL_CTX* ctx, const Options& options)
    : ctx_(ctx),
      audience_(options.audience),
      ticket_keys_(options.clock, options.ticket_secrets) {
  SSL_CTX_set_app_data(ctx, &ticket_keys_);
  SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 0);
  if (audience_ == TlsAudience::kWeb) {
    SetUpForWeb();
  } else {
    SetUpForDevices();
  }
}

void TlsServerContext::SetUpForDevices() {
  SSL_CTX_set_client_hello_cb(ctx_, OnClientHello, nullptr);
  SSL_CTX_set_alpn_select_cb(ctx_, SelectAlpn, nullptr);
  SSL_CTX_set_timeout(ctx_, absl::ToInt64Seconds(kTicketLifetime));
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx_, TicketKeyCallback);
  SSL_CTX_set_session_ticket_cb(ctx_, OnTicketMade, OnTicketRead, nullptr);
}

void TlsServerContext::SetUpForWeb() {
  SSL_CTX_set_min_proto_version(ctx_, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(ctx_, kTls12Ciphers);
  SSL_CTX_set_alpn_select_cb(ctx_, SelectWebAlpn, nullptr);
  // Renegotiation is a handshake's work for the asking, and forbidden in HTTP/2 (RFC 9113, 9.2.1).
  SSL_CTX_set_options(ctx_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
}

TlsServerContext::~TlsServerContext() { SSL_CTX_free(ctx_); }

absl::StatusOr<std::shared_ptr<TlsClientContext>> TlsClientContext::Create(const Options& options) {
  if (options.ca_pem.empty() && options.pin_sha256.empty()) {
    return InvalidArgument("NO_TRUST",
                           "neither a CA nor a pin: there is no way to know the server");
  }
  if (!options.pin_sha256.empty() && options.pin_sha256.size() != SHA256_DIGEST_LENGTH) {
    return InvalidArgument("BAD_PIN", "a pin is a SHA-256: 32 bytes");
  }
  std::shared_ptr<TlsClientContext> context(
      new TlsClientContext(NewContext(TLS_client_method()), options));
  if (!options.ca_pem.empty()) {
    if (absl::Status s = TrustAuthorities(context->ctx_, options.ca_pem); !s.ok()) return s;
  }
  return context;
}

TlsClientContext::TlsClientContext(SSL_CTX* ctx, const Options& options)
    : ctx_(ctx), checks_chain_(!options.ca_pem.empty()), pin_sha256_(options.pin_sha256) {
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  if (!pin_sha256_.empty()) SSL_CTX_set_cert_verify_callback(ctx, VerifyPin, this);
  SSL_CTX_set_alpn_protos(ctx, kAlpnList, kAlpnListBytes);
  // Sessions go to the connection's own slot, never into a table of OpenSSL's.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, OnNewSession);
}

TlsClientContext::~TlsClientContext() { SSL_CTX_free(ctx_); }

}  // namespace bellwire::net
