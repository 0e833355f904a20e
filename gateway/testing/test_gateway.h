#ifndef BELLWIRE_GATEWAY_TESTING_TEST_GATEWAY_H_
#define BELLWIRE_GATEWAY_TESTING_TEST_GATEWAY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "common/simulated_clock.h"
#include "crypto/provider_key.h"
#include "crypto/token_sealer.h"
#include "gateway/server.h"
#include "gateway/testing/fake_registry.h"
#include "gateway/testing/jwt_for_testing.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "rpc/test_pki.h"

namespace bellwire::gateway {

// A whole gateway on a loopback port with TLS, before a fake registry, and
// what a provider needs to call it. The registry knows one team with one key and accepts every
// message. The clock stands still unless the test moves it, which
// it may do while no call runs.
class TestGateway {
 public:
  static constexpr char kTeam[] = "teamteam22";
  static constexpr char kKeyId[] = "abcdefghij";
  static constexpr char kAdminToken[] = "the admin token";

  TestGateway();

  // A channel that trusts the gateway's certificate.
  std::shared_ptr<grpc::Channel> NewChannel() const;
  push::v1::PushService::Stub* push() { return push_.get(); }
  admin::v1::AdminService::Stub* admin() { return admin_.get(); }

  // The parts of a good JWT, issued now.
  JwtPartsForTesting JwtParts() const;
  // With the team's JWT; with another credential; with the admin token.
  std::unique_ptr<grpc::ClientContext> Context() const;
  std::unique_ptr<grpc::ClientContext> ContextWith(const std::string& jwt) const;
  std::unique_ptr<grpc::ClientContext> AdminContext() const;

  // Named administrators and the audit log; there is neither at first.
  std::string administrators_path() const { return pki.dir() + "/admins"; }
  std::string audit_path() const { return pki.dir() + "/audit.log"; }

  // A token of the device, and a message for it.
  std::string Token() const;
  push::v1::SendRequest Message() const;

  // One unary call with the team's JWT.
  absl::Status Send(const push::v1::SendRequest& request, push::v1::SendResponse* response);

  SimulatedClock clock;
  const ProviderKeyPair key;
  const std::unique_ptr<TokenSealer> sealer;
  const TestPki pki;
  // Answered by the registry's get_key: revoked since.
  bool revoked = false;
  FakeRegistry registry;
  // Destroyed before all of the above. May be reset by the test.
  std::unique_ptr<GatewayServer> server;

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<push::v1::PushService::Stub> push_;
  std::unique_ptr<admin::v1::AdminService::Stub> admin_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TESTING_TEST_GATEWAY_H_
