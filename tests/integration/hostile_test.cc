// Hostile peers on every port: each costs its own connection and nobody else anything.

#include <functional>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";

class HostileTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
    phone_ = std::make_unique<Phone>(*fleet_, "phone");
    ASSERT_TRUE(phone_->Start().ok());
    app_ = std::make_unique<App>(phone_->socket_path(), kMail);
    ASSERT_FALSE(app_->WaitForToken().empty());
  }

  // A well-behaved device with its one connection still gets its pushes.
  void ExpectUndisturbed() {
    const std::string payload = absl::StrCat("undisturbed ", ++sent_);
    ASSERT_TRUE(provider_.SendReliably(app_->WaitForToken(), payload).ok());
    ASSERT_TRUE(app_->WaitForTaken(sent_));
    EXPECT_EQ(app_->taken().back(), payload);
    EXPECT_THAT(TcpConnections(phone_->agent().pid()), testing::SizeIs(1));
  }

  std::string Noise(size_t size) {
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(absl::Uniform<int>(random_, 0, 256));
    return noise;
  }

  std::vector<std::string> TlsAddresses() {
    std::vector<std::string> all = fleet_->internal_addresses();
    all.push_back(fleet_->provider_address());
    all.push_back(fleet_->device_address());
    return all;
  }

  std::mt19937_64 random_{20261121};
  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::unique_ptr<Phone> phone_;
  std::unique_ptr<App> app_;
  size_t sent_ = 0;
};

TEST_P(HostileTest, NoiseAndPlainHttpOnEveryTcpPort) {
  const std::vector<std::string> openings = {
      Noise(1), Noise(100), Noise(64 * 1024), "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
      // A TLS handshake record that promises more than it brings.
      std::string("\x16\x03\x01\x40\x00\x01", 6)};
  for (const std::string& address : TlsAddresses()) {
    for (const std::string& opening : openings) {
      const auto peer = RawConnection::ConnectTcp(address);
      ASSERT_TRUE(peer.ok()) << address << peer.status();
      (*peer)->Write(opening);
    }
  }
  ExpectUndisturbed();
}

TEST_P(HostileTest, TheDevicePortClosesStrangersWithAReasonInTheLog) {
  struct Stranger {
    std::string name;
    std::function<absl::StatusOr<std::unique_ptr<RawConnection>>()> connect;
    std::string opening;
    std::string log;  // What the connector's log must hold afterwards.
  };
  const std::string address = fleet_->device_address();
  const auto tcp = [&] { return RawConnection::ConnectTcp(address); };
  const auto tls = [&] {
    return RawConnection::ConnectTls(address, {.ca_file = fleet_->ca_file()});
  };
  const std::vector<Stranger> strangers = {
      {"plain HTTP", tcp, "GET / HTTP/1.1\r\n\r\n", "HTTP"},
      {"noise", tcp, Noise(2000), ""},
      {"oversized frame before login", tls, "\xff\xff\xff\x7f", ""},
      {"frame that is no protobuf", tls, absl::StrCat("\x08", std::string(8, '\xff')), ""},
      {"endless varint", tls, std::string(16, '\xff'), ""},
      {"heartbeat before login", tls, std::string(1, '\0'), ""},
  };
  for (const Stranger& stranger : strangers) {
    SCOPED_TRACE(stranger.name);
    const auto peer = stranger.connect();
    ASSERT_TRUE(peer.ok()) << peer.status();
    (*peer)->Write(stranger.opening);
    EXPECT_TRUE((*peer)->ClosedByPeer());
    if (!stranger.log.empty()) {
      EXPECT_TRUE(WaitUntil([&] {
        return absl::StrContains(fleet_->connector(0).Log(), stranger.log);
      })) << fleet_->connector(0).Log();
    }
  }
  // Wrong ALPN, no ALPN and TLS 1.2 don't get through the handshake.
  EXPECT_FALSE(
      RawConnection::ConnectTls(address, {.ca_file = fleet_->ca_file(), .alpn = "\x02h2"}).ok());
  const auto no_alpn =
      RawConnection::ConnectTls(address, {.ca_file = fleet_->ca_file(), .alpn = ""});
  EXPECT_TRUE(!no_alpn.ok() || (*no_alpn)->ClosedByPeer());
  EXPECT_FALSE(RawConnection::ConnectTls(
                   address, {.ca_file = fleet_->ca_file(), .max_version = TLS1_2_VERSION})
                   .ok());
  ExpectUndisturbed();
}

// One thread that connects and resets: what it makes the logs say is sampled and summed up, however
// long it goes on. Before, it was 130 bytes and more for each connection.
TEST_P(HostileTest, LogsDoNotGrowAtAStrangersWill) {
  constexpr int kConnections = 3000;
  constexpr size_t kMaxGrowthBytes = 32 * 1024;
  const std::vector<std::pair<std::string, Process*>> ports = {
      {fleet_->device_address(), &fleet_->connector(0)},
      {fleet_->provider_address(), &fleet_->gateway(0)}};
  for (const auto& [address, process] : ports) {
    SCOPED_TRACE(address);
    const size_t before = process->Log().size();
    for (int i = 0; i < kConnections; ++i) {
      auto peer = RawConnection::ConnectTcp(address);
      ASSERT_TRUE(peer.ok()) << peer.status();
      // Half of them say something that is no TLS first.
      if (i % 2 == 0) (*peer)->Write("x");
    }
    // It has seen them all once another one gets through.
    ExpectUndisturbed();
    EXPECT_LT(process->Log().size() - before, kMaxGrowthBytes)
        << process->Log().substr(before, 4096);
  }
}

TEST_P(HostileTest, HalfOpenConnectionsAreClosedAndHoldNobodyUp) {
  std::vector<std::unique_ptr<RawConnection>> silent;
  for (int i = 0; i < 50; ++i) {
    auto peer = RawConnection::ConnectTcp(fleet_->device_address());
    ASSERT_TRUE(peer.ok()) << peer.status();
    silent.push_back(std::move(*peer));
  }
  // One that finished TLS and never logs in.
  auto tls = RawConnection::ConnectTls(fleet_->device_address(), {.ca_file = fleet_->ca_file()});
  ASSERT_TRUE(tls.ok()) << tls.status();
  silent.push_back(std::move(*tls));
  ExpectUndisturbed();
  for (auto& peer : silent) EXPECT_TRUE(peer->ClosedByPeer());
}

TEST_P(HostileTest, ATruncatedFrameAfterLoginCostsThatSessionOnly) {
  auto key = DeviceKey::Generate();
  ASSERT_TRUE(key.ok());
  auto device = RawDevice::Login(fleet_->device_address(), fleet_->ca_file(), **key, 1);
  ASSERT_TRUE(device.ok()) << device.status();
  (*device)->connection().Write("\x7f half a frame");
  device->reset();
  device = RawDevice::Login(fleet_->device_address(), fleet_->ca_file(), **key, 2);
  ASSERT_TRUE(device.ok()) << device.status();
  (*device)->connection().Write(std::string(5, '\xff'));
  EXPECT_TRUE((*device)->connection().ClosedByPeer());
  ExpectUndisturbed();
}

TEST_P(HostileTest, TheAgentsSocketSurvivesAnything) {
  for (const std::string& opening :
       {Noise(1), Noise(5000), std::string(64, '\xff'), std::string("GET / HTTP/1.1\r\n\r\n")}) {
    const auto peer = RawConnection::ConnectUnix(phone_->socket_path());
    ASSERT_TRUE(peer.ok()) << peer.status();
    (*peer)->Write(opening);
  }
  ExpectUndisturbed();
}

// A connection without the internal CA's certificate gets nowhere on an internal port.
TEST_P(HostileTest, InternalPortsWantTheInternalCertificate) {
  for (const std::string& address : fleet_->internal_addresses()) {
    const auto peer = RawConnection::ConnectTls(
        address, {.ca_file = fleet_->data_dir() + "/internal/ca.pem", .alpn = "\x02h2"});
    // TLS 1.3 clients learn of a refused certificate only with the first read.
    EXPECT_TRUE(!peer.ok() || (*peer)->ClosedByPeer()) << address;
  }
  ExpectUndisturbed();
}

INSTANTIATE_TEST_SUITE_P(Deployments, HostileTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
