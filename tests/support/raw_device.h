#ifndef BELLWIRE_TESTS_SUPPORT_RAW_DEVICE_H_
#define BELLWIRE_TESTS_SUPPORT_RAW_DEVICE_H_

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwire/device/v1/device.pb.h"
#include "crypto/device_key.h"
#include "tests/support/process.h"

namespace bellwire::tests {

// A blocking TCP or TLS connection to a port under test, for peers that misbehave. Not thread-safe.
class RawConnection {
 public:
  struct Tls {
    // PEM file of the CA to trust.
    std::string ca_file;
    // Wire format: length-prefixed names. Empty: no ALPN.
    std::string alpn =
        "\x0a"
        "bellwire/1";
    int max_version = TLS1_3_VERSION;
    // An IPv4 address of this machine to come from. Empty: any.
    std::string from;
  };

  // `address` is "host:port".
  static absl::StatusOr<std::unique_ptr<RawConnection>> ConnectTcp(const std::string& address,
                                                                   const std::string& from = "");
  static absl::StatusOr<std::unique_ptr<RawConnection>> ConnectTls(const std::string& address,
                                                                   const Tls& tls);
  static absl::StatusOr<std::unique_ptr<RawConnection>> ConnectUnix(const std::string& path);
  ~RawConnection();

  // Errors are the peer's right (it may have closed): the test looks at what follows.
  void Write(absl::string_view bytes);
  // Waits for bytes; UNAVAILABLE once the peer has closed or reset, DEADLINE_EXCEEDED if nothing
  // comes.
  absl::StatusOr<std::string> Read(absl::Duration patience = kPatience);
  // Whether the peer closes the connection in time; what it sends before is dropped.
  bool ClosedByPeer(absl::Duration patience = kPatience);
  // RFC 9266 exporter of this TLS connection.
  std::string TlsExporter();

 private:
  explicit RawConnection(int fd) : fd_(fd) {}
  int fd_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

// A device that speaks bellwire.device.v1 by hand, as docs/reference/wire_protocol.md says, apart
// from the agent's code: for sessions that the agent would never have. Not thread-safe.
class RawDevice {
 public:
  // Logs in and returns once the Welcome is there, or with what refused it. `extra`: what else the
  // Login says. `from`: an IPv4 address of this machine to come from; empty: any.
  static absl::StatusOr<std::unique_ptr<RawDevice>> Login(const std::string& address,
                                                          const std::string& ca_file,
                                                          const DeviceKey& key,
                                                          uint64_t login_number,
                                                          const device::v1::Login& extra = {},
                                                          const std::string& from = "");

  void Send(const device::v1::AgentFrame& frame);
  void SendHeartbeat();
  // The next frame; heartbeats of the connector are skipped and counted.
  absl::StatusOr<device::v1::ConnectorFrame> Next(absl::Duration patience = kPatience);
  // Registers the app and returns its token; pushes that come in between are an error.
  absl::StatusOr<std::string> RegisterApp(const std::string& app_id);

  const device::v1::Welcome& welcome() const { return welcome_; }
  int heartbeats_received() const { return heartbeats_received_; }
  RawConnection& connection() { return *connection_; }

 private:
  explicit RawDevice(std::unique_ptr<RawConnection> connection)
      : connection_(std::move(connection)) {}

  std::unique_ptr<RawConnection> connection_;
  std::string received_;
  device::v1::Welcome welcome_;
  int heartbeats_received_ = 0;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_SUPPORT_RAW_DEVICE_H_
