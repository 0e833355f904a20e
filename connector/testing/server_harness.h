#ifndef BELLWIRE_CONNECTOR_TESTING_SERVER_HARNESS_H_
#define BELLWIRE_CONNECTOR_TESTING_SERVER_HARNESS_H_

#include <map>
#include <memory>
#include <string>

#include "connector/shard/server.h"
#include "connector/testing/fake_registry.h"
#include "connector/testing/test_agent.h"
#include "gtest/gtest.h"

namespace bellwire::connector {

// Connectors with real sockets and TLS on loopback, over one FakeRegistry.
class ServerHarness : public testing::Test, public ConnectorDirectory {
 public:
  // Finds the servers started here by their internal address.
  std::shared_ptr<ConnectorApi> Find(absl::string_view address) override;

 protected:
  ServerHarness();
  // The harness's certificate and registry, "connector-N" as internal address, and whatever else
  // `options` says.
  ConnectorServer::Options Complete(ConnectorServer::Options options);
  ConnectorServer* StartServer(ConnectorServer::Options options = {});
  void StopServer(ConnectorServer* server);

  // What a gateway does with a message: append, then hand it to the route. The outcome of the
  // hand-over.
  internal::v1::ConnectorResponse::Outcome Push(const DeviceId& device, absl::string_view payload,
                                                bool now_or_never = false);
  internal::v1::ConnectorResponse::Outcome Exchange(internal::v1::ConnectorRequest request);

  FakeRegistry registry_;
  const std::unique_ptr<DeviceKey> key_;
  std::map<std::string, std::unique_ptr<ConnectorServer>> servers_;

 private:
  std::string certificate_path_;
  std::string private_key_path_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_TESTING_SERVER_HARNESS_H_
