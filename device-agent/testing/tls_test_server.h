#ifndef BELLWIRE_DEVICE_AGENT_TESTING_TLS_TEST_SERVER_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_TLS_TEST_SERVER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/functional/function_ref.h"
#include "device-agent/testing/fake_connector.h"
#include "net/loop/epoll_loop.h"
#include "net/tls/tls_server.h"

namespace bellwire::agent {

// A FakeConnector behind a real TLS port on the loopback, on a thread of its own, with a
// certificate made for this run. Thread-safe.
class TlsTestServer {
 public:
  TlsTestServer();
  ~TlsTestServer();

  // "127.0.0.1:port".
  const std::string& address() const { return address_; }
  const std::string& ca_pem() const { return ca_pem_; }

  // Runs `task` with the connector on its thread, and waits for it.
  void Do(absl::FunctionRef<void(FakeConnector*)> task);
  // Asks until `condition` holds, for at most a minute.
  bool WaitUntil(absl::FunctionRef<bool(FakeConnector*)> condition);

 private:
  std::string ca_pem_;
  std::string address_;
  net::EpollLoop loop_;
  std::unique_ptr<FakeConnector> connector_;
  std::unique_ptr<net::TlsServer> listener_;
  std::thread thread_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_TLS_TEST_SERVER_H_
