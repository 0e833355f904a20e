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
class ServerHarness : public testing::Test {
 protected:
  ServerHarness();
  // The harness's certificate and registry, "connector-N" as internal address, and whatever else
  // `options` says.
  ConnectorServer::Options Complete(ConnectorServer::Options options);
  ConnectorServer* StartServer(ConnectorServer::Options options = {});
  void StopServer(ConnectorServer* server);

  // Appends a message, and hands it over if there is a route: as ConnectorApi::HandOver.
  bool Push(const DeviceId& device, absl::string_view payload, bool now_or_never = false);
  // To the server of the route's address.
  bool HandOver(internal::v1::ConnectorRequest request);

  FakeRegistry registry_;
  const std::unique_ptr<DeviceKey> key_;
  std::map<std::string, std::unique_ptr<ConnectorServer>> servers_;
  // Files of the harness's own.
  const std::string certificate_path_;
  const std::string private_key_path_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_TESTING_SERVER_HARNESS_H_
