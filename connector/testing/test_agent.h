#ifndef BELLWIRE_CONNECTOR_TESTING_TEST_AGENT_H_
#define BELLWIRE_CONNECTOR_TESTING_TEST_AGENT_H_

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/device/v1/device.pb.h"
#include "crypto/device_key.h"

namespace bellwire::connector {

// The other end of the wire, for tests: a blocking TLS client that owes nothing to net/, so that it
// can break every rule. A call that gets no answer within kPatience fails.
class TestAgent {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(20);
  struct Options {
    // ALPN; empty: none is offered.
    std::string alpn = "bellwire/1";
    // A ticket to resume from; not owned.
    SSL_SESSION* ticket = nullptr;
  };

  // Only a TCP connection to "127.0.0.1:port". Dies if that fails.
  static std::unique_ptr<TestAgent> ConnectTcp(absl::string_view address);
  // TLS on top; null if the handshake fails. The server's certificate is not checked.
  static std::unique_ptr<TestAgent> ConnectTls(absl::string_view address, const Options& options);
  static std::unique_ptr<TestAgent> ConnectTls(absl::string_view address) {
    return ConnectTls(address, Options());
  }
  ~TestAgent();
  TestAgent(const TestAgent&) = delete;
  TestAgent& operator=(const TestAgent&) = delete;

  // --- Below TLS. ---
  void WriteRaw(absl::string_view bytes);
  // Whether the peer closes the TCP connection, whatever it sends before.
  bool WaitRawClosed();

  // --- Inside TLS. ---
  void Write(absl::string_view bytes);
  void Send(const device::v1::AgentFrame& frame);
  void SendHeartbeat() { Write(absl::string_view("\0", 1)); }
  // The next frame; nullopt if the connection ended. A heartbeat is a frame without a body.
  std::optional<device::v1::ConnectorFrame> Receive();
  // Asks for new keys so many times, or until the connection ends. Reads nothing.
  void SendKeyUpdates(int times);
  // Whether the peer has closed the TCP connection, as far as is known now. Takes nothing from it.
  bool IsClosed() const;
  // Whether the connection ends; frames before the end are skipped.
  bool WaitClosed();

  device::v1::AgentFrame LoginFrame(const DeviceKey& key, uint64_t login_number) const;
  // Login and the answer, which should be Welcome.
  std::optional<device::v1::ConnectorFrame> Login(const DeviceKey& key, uint64_t login_number);

  bool resumed() const { return SSL_session_reused(ssl_) == 1; }
  // A copy for the caller, because OpenSSL spoils the session of a connection that ends without a
  // close_notify. What was received so far has to contain a ticket.
  SSL_SESSION* TakeTicket() { return SSL_SESSION_dup(SSL_get0_session(ssl_)); }

 private:
  TestAgent() = default;
  // False if the connection ended first.
  bool ReadExactly(char* out, size_t size);

  int fd_ = -1;
  SSL_CTX* ctx_ = nullptr;
  SSL* ssl_ = nullptr;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_TESTING_TEST_AGENT_H_
