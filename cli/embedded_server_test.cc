#include "cli/embedded_server.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "common/clock.h"
#include "common/error.h"
#include "connector/testing/test_agent.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"
#include "ops/init_data_dir.h"

namespace bellwire::cli {
namespace {

class EmbeddedServerTest : public testing::Test {
 protected:
  EmbeddedServerTest() {
    std::string parent = testing::TempDir() + "/embedded_XXXXXX";
    options_.data_dir = std::string(mkdtemp(parent.data())) + "/data";
    options_.provider_listen = "127.0.0.1:0";
    options_.device_listen = "127.0.0.1:0";
    options_.shards = 1;
    options_.clock = RealClock();
  }

  void Init() {
    const absl::Status made =
        InitDataDir(DataDir(options_.data_dir), {"127.0.0.1"}, RealClock()->WallNow());
    ASSERT_TRUE(made.ok()) << made;
  }

  EmbeddedServer::Options options_;
};

TEST_F(EmbeddedServerTest, RefusesADirectoryThatInitDidNotMake) {
  EXPECT_EQ(ErrorReason(EmbeddedServer::Start(options_).status()), "NOT_INITIALISED");
}

TEST_F(EmbeddedServerTest, ListensOnFreePorts) {
  Init();
  const auto server = EmbeddedServer::Start(options_);
  ASSERT_TRUE(server.ok()) << server.status();
  for (const std::string& address : {(*server)->provider_address(), (*server)->device_address()}) {
    EXPECT_TRUE(absl::StartsWith(address, "127.0.0.1:")) << address;
    EXPECT_NE(address, "127.0.0.1:0");
  }
}

TEST_F(EmbeddedServerTest, OneServerPerDirectoryAndTheNextAfterIt) {
  Init();
  auto first = EmbeddedServer::Start(options_);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ErrorReason(EmbeddedServer::Start(options_).status()), "STORE_LOCKED");
  (*first)->Drain(absl::Seconds(1));
  first->reset();
  const auto second = EmbeddedServer::Start(options_);
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST_F(EmbeddedServerTest, ATicketOutlivesARestart) {
  Init();
  auto server = EmbeddedServer::Start(options_);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto key = *DeviceKey::Generate();
  auto agent = connector::TestAgent::ConnectTls((*server)->device_address());
  ASSERT_NE(agent, nullptr);
  ASSERT_TRUE(agent->Login(*key, 1).has_value());
  agent->SendHeartbeat();  // The ticket comes before the answer to this.
  ASSERT_TRUE(agent->Receive().has_value());
  SSL_SESSION* const ticket = agent->TakeTicket();
  ASSERT_NE(ticket, nullptr);
  agent.reset();

  for (const bool has_keys : {true, false}) {
    if (!has_keys) {
      ASSERT_EQ(unlink(DataDir(options_.data_dir).ticket_keys().c_str()), 0);
    }
    server->reset();
    server = EmbeddedServer::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    agent = connector::TestAgent::ConnectTls((*server)->device_address(), {.ticket = ticket});
    ASSERT_NE(agent, nullptr);
    EXPECT_EQ(agent->resumed(), has_keys);
    agent.reset();
  }
  SSL_SESSION_free(ticket);
}

TEST_F(EmbeddedServerTest, APortInUseIsAnErrorThatNamesIt) {
  Init();
  const auto first = EmbeddedServer::Start(options_);
  ASSERT_TRUE(first.ok()) << first.status();
  options_.data_dir += "2";
  Init();
  EmbeddedServer::Options same_provider_port = options_;
  same_provider_port.provider_listen = (*first)->provider_address();
  EmbeddedServer::Options same_device_port = options_;
  same_device_port.device_listen = (*first)->device_address();
  for (const auto& [options, address] :
       {std::pair(same_provider_port, same_provider_port.provider_listen),
        std::pair(same_device_port, same_device_port.device_listen)}) {
    const absl::Status status = EmbeddedServer::Start(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), address)) << status;
  }
}

}  // namespace
}  // namespace bellwire::cli
