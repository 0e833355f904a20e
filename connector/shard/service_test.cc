#include "connector/shard/service.h"

#include <utility>
#include <vector>

#include "connector/session/session_id.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::ConnectorRequest;

class FakeShard final : public ConnectorEnd {
 public:
  bool HandOver(ConnectorRequest request) override {
    requests.push_back(std::move(request));
    return has_room;
  }
  void OnStreamBroken(const Devices&) override { ++broken; }
  void OnStreamOpened(const Devices&) override { ++opened; }
  std::vector<ConnectorRequest> requests;
  bool has_room = true;
  int broken = 0;
  int opened = 0;
};

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() { service_.SetShards({&shards_[0], &shards_[1]}); }

  bool Deliver(uint64_t incarnation, uint64_t session_id) {
    ConnectorRequest request;
    request.mutable_route()->set_connector_incarnation(incarnation);
    request.mutable_route()->set_session_id(session_id);
    request.mutable_deliver();
    return service_.HandOver(std::move(request));
  }

  FakeShard shards_[2];
  ConnectorService service_{7};
};

TEST_F(ServiceTest, FindsTheShardOfASession) {
  SessionIdSource ids(1);
  EXPECT_TRUE(Deliver(7, ids.Next()));
  EXPECT_TRUE(shards_[0].requests.empty());
  EXPECT_EQ(shards_[1].requests.size(), 1u);
  shards_[1].has_room = false;
  EXPECT_FALSE(Deliver(7, ids.Next()));
}

TEST_F(ServiceTest, AnotherIncarnationHasNoSessionHere) {
  EXPECT_FALSE(Deliver(8, SessionIdSource(0).Next()));
  EXPECT_FALSE(Deliver(7, SessionIdSource(2).Next()));
  EXPECT_TRUE(shards_[0].requests.empty());
}

TEST_F(ServiceTest, EveryShardHearsOfTheStream) {
  service_.OnStreamBroken(/*devices=*/{});
  service_.OnStreamOpened(/*devices=*/{});
  for (const FakeShard& shard : shards_) {
    EXPECT_EQ(shard.broken, 1);
    EXPECT_EQ(shard.opened, 1);
  }
}

TEST_F(ServiceTest, EvictsASessionOfItsOwn) {
  const DeviceId device = *DeviceId::FromBytes("0123456789abcdef");
  const uint64_t session = SessionIdSource(0).Next();
  service_.Evict(session, device, 3);
  ASSERT_EQ(shards_[0].requests.size(), 1u);
  EXPECT_EQ(shards_[0].requests[0].route().session_id(), session);
  EXPECT_EQ(shards_[0].requests[0].evict().winning_login_number(), 3u);
  EXPECT_EQ(shards_[0].requests[0].device_id(), device.bytes());
  EXPECT_EQ(shards_[0].requests[0].epoch(), UINT64_MAX) << "no session takes it for old";
}

}  // namespace
}  // namespace bellwire::connector
