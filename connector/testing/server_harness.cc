#include "connector/testing/server_harness.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"

namespace bellwire::connector {

using internal::v1::ConnectorRequest;

ServerHarness::ServerHarness()
    : key_(*DeviceKey::Generate()),
      certificate_path_(absl::StrCat(testing::TempDir(), "/", NewShortId(), ".pem")),
      private_key_path_(absl::StrCat(testing::TempDir(), "/", NewShortId(), ".key")) {
  registry_.SetHandOver([this](ConnectorRequest request) { HandOver(std::move(request)); });
  const Validity validity{RealClock()->WallNow() - absl::Hours(1),
                          RealClock()->WallNow() + absl::Hours(24)};
  const auto ca = MakeCertificateAuthority("test", validity);
  EXPECT_TRUE(ca.ok()) << ca.status();
  LeafRequest request;
  request.common_name = "localhost";
  request.dns_names = {"localhost"};
  request.server = true;
  request.validity = validity;
  const auto leaf = IssueCertificate(*ca, request);
  EXPECT_TRUE(leaf.ok()) << leaf.status();
  EXPECT_TRUE(
      CreateFileAtomically(certificate_path_, leaf->certificate_pem, FileAccess::kPublic).ok());
  EXPECT_TRUE(CreateFileAtomically(private_key_path_, leaf->key_pem, FileAccess::kPrivate).ok());
}

ConnectorServer::Options ServerHarness::Complete(ConnectorServer::Options options) {
  options.device_listen = "127.0.0.1:0";
  if (options.shards == 0) options.shards = 2;
  options.certificate_path = certificate_path_;
  options.private_key_path = private_key_path_;
  options.internal_address = absl::StrCat("connector-", servers_.size());
  options.sessions = &registry_;
  options.networks = &registry_;
  options.topics = &registry_;
  return options;
}

ConnectorServer* ServerHarness::StartServer(ConnectorServer::Options options) {
  options = Complete(std::move(options));
  absl::StatusOr<std::unique_ptr<ConnectorServer>> server = ConnectorServer::Start(options);
  EXPECT_TRUE(server.ok()) << server.status();
  return (servers_[options.internal_address] = *std::move(server)).get();
}

void ServerHarness::StopServer(ConnectorServer* server) {
  for (auto& [address, owned] : servers_) {
    if (owned.get() == server) owned.reset();
  }
}

bool ServerHarness::Push(const DeviceId& device, absl::string_view payload, bool now_or_never) {
  const FakeRegistry::Appended appended = registry_.AddMessage(device, payload, now_or_never);
  if (!appended.route.has_value()) return false;
  ConnectorRequest request;
  *request.mutable_route() = *appended.route;
  request.set_device_id(std::string(device.bytes()));
  *request.mutable_deliver()->mutable_message() = appended.message;
  return HandOver(std::move(request));
}

bool ServerHarness::HandOver(ConnectorRequest request) {
  const auto it = servers_.find(request.route().connector_address());
  return it != servers_.end() && it->second != nullptr &&
         it->second->connector()->HandOver(std::move(request));
}

}  // namespace bellwire::connector
