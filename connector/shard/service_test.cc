#include "connector/shard/service.h"

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "connector/session/session_id.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;
using internal::v1::Route;

class FakeShard final : public ShardPort {
 public:
  void Submit(ConnectorRequest request, ConnectorApi::ExchangeDone done) override {
    requests.push_back(std::move(request));
    std::move(done)(ConnectorResponse::TAKEN);
  }
  void CatchUp() override { ++catch_ups; }
  std::vector<ConnectorRequest> requests;
  int catch_ups = 0;
};

class FakeConnector final : public ConnectorApi {
 public:
  void Exchange(ConnectorRequest request, ExchangeDone done) override {
    requests.push_back(std::move(request));
    std::move(done)(ConnectorResponse::TAKEN);
  }
  std::vector<ConnectorRequest> requests;
};

class FakeDirectory final : public ConnectorDirectory {
 public:
  std::shared_ptr<ConnectorApi> Find(absl::string_view address) override {
    return connectors.try_emplace(std::string(address), std::make_shared<FakeConnector>())
        .first->second;
  }
  std::map<std::string, std::shared_ptr<FakeConnector>> connectors;
};

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() { service_.SetShards({&shards_[0], &shards_[1]}); }

  static Route RouteTo(absl::string_view address, uint64_t incarnation, uint64_t session_id) {
    Route route;
    route.set_connector_address(std::string(address));
    route.set_connector_incarnation(incarnation);
    route.set_session_id(session_id);
    return route;
  }
  ConnectorResponse::Outcome Deliver(const Route& route) {
    ConnectorRequest request;
    *request.mutable_route() = route;
    request.mutable_deliver();
    ConnectorResponse::Outcome outcome = ConnectorResponse::OUTCOME_UNSPECIFIED;
    service_.Exchange(std::move(request),
                      [&outcome](ConnectorResponse::Outcome o) { outcome = o; });
    return outcome;
  }

  FakeShard shards_[2];
  FakeDirectory directory_;
  ConnectorService service_{"here:1", 7, &directory_};
};

TEST_F(ServiceTest, FindsTheShardOfASession) {
  SessionIdSource ids(1);
  EXPECT_EQ(Deliver(RouteTo("here:1", 7, ids.Next())), ConnectorResponse::TAKEN);
  EXPECT_TRUE(shards_[0].requests.empty());
  EXPECT_EQ(shards_[1].requests.size(), 1u);
}

TEST_F(ServiceTest, EveryShardCatchesUpOnWhatWasMissed) {
  ConnectorRequest request;
  request.mutable_missed();
  ConnectorResponse::Outcome outcome = ConnectorResponse::OUTCOME_UNSPECIFIED;
  service_.Exchange(request, [&outcome](ConnectorResponse::Outcome o) { outcome = o; });
  EXPECT_EQ(outcome, ConnectorResponse::TAKEN);
  EXPECT_EQ(shards_[0].catch_ups, 1);
  EXPECT_EQ(shards_[1].catch_ups, 1);
}

TEST_F(ServiceTest, WhatOneSessionMissedIsForItsShard) {
  ConnectorRequest request;
  *request.mutable_route() = RouteTo("here:1", 7, SessionIdSource(1).Next());
  request.mutable_missed()->set_seq(5);
  service_.Exchange(request, [](ConnectorResponse::Outcome) {});
  ASSERT_EQ(shards_[1].requests.size(), 1u);
  EXPECT_EQ(shards_[1].requests[0].missed().seq(), 5u);
  EXPECT_EQ(shards_[0].catch_ups + shards_[1].catch_ups, 0);
}

TEST_F(ServiceTest, AnotherIncarnationHasNoSessionHere) {
  EXPECT_EQ(Deliver(RouteTo("here:1", 8, SessionIdSource(0).Next())),
            ConnectorResponse::NO_SESSION);
  EXPECT_EQ(Deliver(RouteTo("here:1", 7, SessionIdSource(2).Next())),
            ConnectorResponse::NO_SESSION);
  EXPECT_TRUE(shards_[0].requests.empty());
}

TEST_F(ServiceTest, EvictsHereElsewhereAndNotTheDead) {
  const DeviceId device = *DeviceId::FromBytes("0123456789abcdef");
  service_.Evict(RouteTo("here:1", 7, SessionIdSource(0).Next()), device, 3);
  ASSERT_EQ(shards_[0].requests.size(), 1u);
  EXPECT_EQ(shards_[0].requests[0].evict().winning_login_number(), 3u);
  EXPECT_EQ(shards_[0].requests[0].device_id(), device.bytes());

  service_.Evict(RouteTo("there:1", 9, 5), device, 4);
  ASSERT_EQ(directory_.connectors.size(), 1u);
  const auto there = directory_.connectors["there:1"];
  ASSERT_EQ(there->requests.size(), 1u);
  EXPECT_EQ(there->requests[0].route().session_id(), 5u);
  EXPECT_EQ(there->requests[0].evict().winning_login_number(), 4u);

  service_.Evict(RouteTo("here:1", 6, SessionIdSource(0).Next()), device, 5);
  EXPECT_EQ(shards_[0].requests.size(), 1u);
  EXPECT_EQ(directory_.connectors.size(), 1u);
}

TEST_F(ServiceTest, WithoutDirectoryThereIsNobodyElsewhere) {
  ConnectorService alone("here:1", 7, nullptr);
  alone.Evict(RouteTo("there:1", 9, 5), DeviceId(), 4);
}

}  // namespace
}  // namespace bellwire::connector
