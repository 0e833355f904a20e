#ifndef BELLWIRE_NET_SOCKET_CLOSE_REASON_H_
#define BELLWIRE_NET_SOCKET_CLOSE_REASON_H_

#include "absl/strings/string_view.h"

// Why a stream ended or never opened: the reason (common/error.h) of the status in OnClosed.
namespace bellwire::net {

// INVALID_ARGUMENT: the peer is no Bellwire peer.
inline constexpr absl::string_view kPlainHttp = "PLAIN_HTTP";
inline constexpr absl::string_view kNotTls = "NOT_TLS";
// It offers TLS 1.2 or older only.
inline constexpr absl::string_view kTlsVersion = "TLS_VERSION";
// It offers or chose no application protocol, or another one than kAlpn.
inline constexpr absl::string_view kWrongAlpn = "WRONG_ALPN";
// It broke TLS in another way; the message holds OpenSSL's words.
inline constexpr absl::string_view kTlsError = "TLS_ERROR";

// UNAUTHENTICATED: neither CA nor pin vouches for the server, or the certificate names another one.
inline constexpr absl::string_view kCertificateNotTrusted = "CERTIFICATE_NOT_TRUSTED";
// PERMISSION_DENIED: the peer sent a fatal alert; the message names it.
inline constexpr absl::string_view kTlsAlert = "TLS_ALERT";

// UNAVAILABLE: the network, or the peer went away.
inline constexpr absl::string_view kNameNotResolved = "NAME_NOT_RESOLVED";
inline constexpr absl::string_view kCannotConnect = "CANNOT_CONNECT";
inline constexpr absl::string_view kClosedInHandshake = "CLOSED_IN_HANDSHAKE";
// The connection ended without TLS's goodbye: what came before may have been cut short.
inline constexpr absl::string_view kTruncated = "TRUNCATED";
inline constexpr absl::string_view kConnectionReset = "CONNECTION_RESET";
inline constexpr absl::string_view kSocketError = "SOCKET_ERROR";

// DEADLINE_EXCEEDED: no connection within the time given to Connect.
inline constexpr absl::string_view kConnectTimedOut = "CONNECT_TIMEOUT";

// RESOURCE_EXHAUSTED: this machine can't hold another connection.
inline constexpr absl::string_view kNoResources = "NO_RESOURCES";

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_CLOSE_REASON_H_
