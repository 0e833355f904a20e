#ifndef BELLWIRE_NET_TLS_TLS_CONTEXT_H_
#define BELLWIRE_NET_TLS_TLS_CONTEXT_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "net/tls/ticket_keys.h"

// What the TLS connections of a process have in common. For devices: TLS 1.3 only, ALPN kAlpn only,
// no early data, no session cache; resumption works by stateless tickets that the server sends when
// its owner asks (Stream::SendTicket). For the web: TLS 1.2 too, HTTP/2 or HTTP/1.1 or no ALPN at
// all, and no resumption. Thread-safe, and shared by all loops of a process; streams keep what they
// need of it alive.
namespace bellwire::net {

inline constexpr absl::string_view kAlpn = "bellwire/1";
// What a server for the web chooses, in this order.
inline constexpr absl::string_view kAlpnHttp2 = "h2";
inline constexpr absl::string_view kAlpnHttp1 = "http/1.1";

// Who connects.
enum class TlsAudience { kDevices, kWeb };

class TlsServerContext {
 public:
  struct Options {
    // The certificate, and after it any intermediates; and its private key. PEM.
    std::string certificate_pem;
    std::string private_key_pem;
    // Rotates the ticket keys. Must outlive the context and its streams.
    const Clock* clock = nullptr;
    // As of TicketKeys: with them, tickets are good at every server that has them.
    std::vector<TicketSecret> ticket_secrets;
    TlsAudience audience = TlsAudience::kDevices;
  };
  // INVALID_ARGUMENT BAD_CERTIFICATE or BAD_PRIVATE_KEY: not PEM, or not a pair.
  static absl::StatusOr<std::shared_ptr<TlsServerContext>> Create(const Options& options);
  ~TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;

  SSL_CTX* ssl_ctx() const { return ctx_; }
  TicketKeys& ticket_keys() { return ticket_keys_; }
  TlsAudience audience() const { return audience_; }

 private:
  TlsServerContext(SSL_CTX* ctx, const Options& options);

  void SetUpForDevices();
  void SetUpForWeb();

  SSL_CTX* const ctx_;
  const TlsAudience audience_;
  TicketKeys ticket_keys_;
};

class TlsClientContext {
 public:
  // How a server proves itself. At least one; with both, both must hold.
  struct Options {
    // Certificates of authorities, PEM: the server's chain must end in one of them and name the
    // server that was meant.
    std::string ca_pem;
    // SHA-256 of the DER SubjectPublicKeyInfo of the server's own certificate, 32 bytes. Without a
    // CA it stands alone: neither issuer, name nor dates are looked at.
    std::string pin_sha256;
  };
  // INVALID_ARGUMENT BAD_CERTIFICATE, BAD_PIN or NO_TRUST.
  static absl::StatusOr<std::shared_ptr<TlsClientContext>> Create(const Options& options);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  SSL_CTX* ssl_ctx() const { return ctx_; }
  // Whether the chain and the name in the server's certificate are checked: there is a CA.
  bool checks_chain() const { return checks_chain_; }
  const std::string& pin_sha256() const { return pin_sha256_; }

 private:
  TlsClientContext(SSL_CTX* ctx, const Options& options);

  SSL_CTX* const ctx_;
  const bool checks_chain_;
  const std::string pin_sha256_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_CONTEXT_H_
