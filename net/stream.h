#ifndef BELLWIRE_NET_STREAM_H_
#define BELLWIRE_NET_STREAM_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::net {

// A connected byte stream on one event loop: TlsStream over a socket, UnixStream for the apps of an
// agent, SimulatedStream in simulations. Single-threaded.
class Stream {
 public:
  // Who owns the stream hears of it here. Callbacks come from the loop, never from inside a method
  // of Stream; the delegate may close or DeleteLater the stream in any of them.
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
    // refused handshake names its reason: wrong ALPN, plain HTTP, …). Not called after Close().
    virtual void OnClosed(const absl::Status& status) = 0;
  };

  virtual ~Stream() = default;  // Closes at once, without OnClosed.

  // Sends all of `data`, keeping a copy of what the kernel doesn't take now. Bound it with
  // buffered_bytes(). After an error or Close it does nothing.
  virtual void Write(absl::string_view data) = 0;
  // Bytes kept because the kernel didn't take them yet.
  virtual size_t buffered_bytes() const = 0;

  // Sends what is buffered (for at most a second), then closes; no callback comes any more.
  virtual void Close() = 0;

  // Stops and resumes OnData: back-pressure. Starts resumed.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;

  // 32 bytes that both ends of this very TLS connection know and nobody else (RFC 9266,
  // tls-exporter). Empty if the stream has none (UnixStream). Valid after OnOpen.
  virtual std::string tls_exporter() const { return std::string(); }
  // What the server had put in the ticket that this TLS session was resumed from (server side;
  // SetTicketData). Empty: a full handshake.
  virtual std::string resumed_ticket_data() const { return std::string(); }
  // Server side: sends a session ticket that carries `data` (at most 64 bytes), encrypted.
  virtual void SendTicket(absl::string_view data) { (void)data; }
  // "address:port" of the peer, for logs.
  virtual std::string peer_name() const = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_STREAM_H_
