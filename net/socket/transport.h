#ifndef BELLWIRE_NET_SOCKET_TRANSPORT_H_
#define BELLWIRE_NET_SOCKET_TRANSPORT_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "net/socket/socket.h"

namespace bellwire::net {

// How bytes get through a socket: as they are (PlainTransport) or encrypted (TlsTransport). Keeps
// nothing that it wasn't asked to keep, and calls nobody. Single-threaded.
class Transport {
 public:
  struct Result {
    enum Kind {
      kDone,     // `bytes` of them.
      kBlocked,  // The kernel is to be waited for.
      kEnd,      // Read: the peer said goodbye.
      kFailed,   // For ever; `status` says why.
    };
    Kind kind;
    size_t bytes = 0;
    absl::Status status = {};

    static Result Done(size_t bytes = 0) { return {kDone, bytes}; }
    static Result Blocked() { return {kBlocked}; }
    static Result End() { return {kEnd}; }
    static Result Failed(absl::Status status) { return {kFailed, 0, std::move(status)}; }
  };

  explicit Transport(int fd) : socket_(fd) {}
  // Closes the socket.
  virtual ~Transport() = default;

  Socket& socket() { return socket_; }

  // Must be Done before reading and writing. After Blocked, call it again when the socket is ready.
  virtual Result Handshake() = 0;
  // Some bytes into `buffer`; Blocked once everything that came is read.
  virtual Result Read(absl::Span<char> buffer) = 0;
  // Some of `data`. After Blocked, the next call must begin with the same bytes.
  virtual Result Write(absl::string_view data) = 0;
  // Says goodbye. REQUIRES: Write didn't say Blocked last.
  virtual void FinishWriting() = 0;

  // As in Stream.
  virtual std::string tls_exporter() { return std::string(); }
  virtual std::string resumed_ticket_data() { return std::string(); }
  virtual void SendTicket(absl::string_view data) { (void)data; }
  virtual std::string alpn() { return std::string(); }

 private:
  Socket socket_;
};

// Bytes as they are.
class PlainTransport final : public Transport {
 public:
  using Transport::Transport;

  Result Handshake() override { return Result::Done(); }
  Result Read(absl::Span<char> buffer) override;
  Result Write(absl::string_view data) override;
  void FinishWriting() override { socket().ShutdownWrite(); }
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_TRANSPORT_H_
