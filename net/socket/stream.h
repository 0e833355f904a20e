#ifndef BELLWIRE_NET_SOCKET_STREAM_H_
#define BELLWIRE_NET_SOCKET_STREAM_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::net {

// A byte stream on one event loop: TLS over TCP (tls_server.h, tls_client.h), a Unix socket
// (unix_stream.h), or simulated (simulated_network.h). Who makes one hands it over without a
// delegate; the new owner sets one before it returns to the loop. Single-threaded.
class Stream {
 public:
  // Who owns the stream hears of it here. Callbacks come from the loop, never from inside a method
  // of Stream; the delegate may close or DeleteLater the stream in any of them (and nothing calls
  // it after either), but must not destroy it there.
  class Delegate {
   public:
    virtual ~Delegate() = default;
    // Connected, and with TLS the handshake is done: Write works from now on.
    virtual void OnOpen() = 0;
    // Bytes arrived. `data` is valid during the call only; consume it all (nothing is kept).
    virtual void OnData(absl::string_view data) = 0;
    // Everything written has been handed to the kernel; called after Write returned with
    // buffered_bytes() > 0.
    virtual void OnDrained() {}
    // The end, exactly once, after which nothing comes: OK for a clean end of the peer, or why (a
    // refused handshake names its reason: see close_reason.h). Not called after Close().
    virtual void OnClosed(const absl::Status& status) = 0;
  };

  // Without Close before, cuts the connection at once. No callback comes.
  virtual ~Stream() = default;

  // Whom to call. REQUIRES: `delegate` lives until the stream is closed or destroyed.
  virtual void SetDelegate(Delegate* delegate) = 0;

  // Sends all of `data`, keeping a copy of what the kernel doesn't take. What is written within one
  // turn of the loop may leave as one packet, at the end of the turn. Bound it with
  // buffered_bytes(). REQUIRES: OnOpen came. After an error or Close it does nothing.
  virtual void Write(absl::string_view data) = 0;
  // Bytes kept because the kernel refused them; 0 while it takes everything.
  virtual size_t buffered_bytes() const = 0;

  // Sends what was written, then closes; no callback comes any more. The stream may be destroyed
  // right afterwards: the loop goes on sending for at most a second.
  virtual void Close() = 0;

  // Stops and resumes OnData: back-pressure. Starts resumed.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;

  // 32 bytes that both ends of this very TLS connection know and nobody else (RFC 9266,
  // tls-exporter). Empty if the stream has none (a Unix socket). Valid after OnOpen.
  virtual std::string tls_exporter() const { return std::string(); }
  // What the server had put in the ticket that this TLS session was resumed from (server side;
  // SendTicket). Empty: a full handshake.
  virtual std::string resumed_ticket_data() const { return std::string(); }
  // Server side: sends a session ticket that carries `data` (at most 64 bytes), encrypted; together
  // with what is written next, so better before than after a Write.
  virtual void SendTicket(absl::string_view data) { (void)data; }
  // The application protocol that TLS agreed on (ALPN). Empty: none, or no TLS. Valid after OnOpen.
  virtual std::string alpn() const { return std::string(); }
  // The numeric address of our end, without port. Empty if there is none (a Unix socket), or not
  // yet.
  virtual std::string local_host() const { return std::string(); }
  // Whether the peer's kernel has acknowledged everything that was written: then the path is alive,
  // however slow the peer is. nullopt: nobody can tell.
  virtual std::optional<bool> peer_received_all() const { return std::nullopt; }
  // "address:port" of the peer, for logs.
  virtual std::string peer_name() const = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_STREAM_H_
