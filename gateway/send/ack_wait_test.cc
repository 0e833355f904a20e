#include "gateway/send/ack_wait.h"

#include <optional>
#include <utility>

#include "absl/synchronization/notification.h"
#include "gateway/testing/fake_connectors.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

constexpr absl::Duration kForever = absl::Hours(1);

// Runs one wait to its end.
bool Wait(FakeConnectors* connectors, absl::Duration wait) {
  absl::Notification done;
  bool acked = false;
  WaitForAck(connectors->Find("a").get(), ConnectorRequest(), wait, [&](bool result) {
    acked = result;
    done.Notify();  // Aborts if it is called twice.
  });
  done.WaitForNotification();
  return acked;
}

TEST(AckWaitTest, OnlyTheDevicesAckCounts) {
  FakeConnectors connectors;
  connectors.SetOutcome(ConnectorResponse::DEVICE_ACKED);
  EXPECT_TRUE(Wait(&connectors, kForever));
  for (const auto outcome :
       {ConnectorResponse::TAKEN, ConnectorResponse::NO_SESSION, ConnectorResponse::OVERLOADED,
        ConnectorResponse::OUTCOME_UNSPECIFIED}) {
    connectors.SetOutcome(outcome);
    EXPECT_FALSE(Wait(&connectors, kForever));
  }
}

TEST(AckWaitTest, EndsWithoutAnAnswer) {
  FakeConnectors connectors;
  connectors.SetOutcome(std::nullopt);
  EXPECT_FALSE(Wait(&connectors, absl::Milliseconds(1)));
  connectors.AnswerSilent(ConnectorResponse::DEVICE_ACKED);  // Too late, and harmless.
}

TEST(AckWaitTest, ALaterAnswerEndsIt) {
  FakeConnectors connectors;
  connectors.SetOutcome(std::nullopt);
  absl::Notification done;
  WaitForAck(connectors.Find("a").get(), ConnectorRequest(), kForever, [&](bool acked) {
    EXPECT_TRUE(acked);
    done.Notify();
  });
  EXPECT_FALSE(done.HasBeenNotified());
  connectors.AnswerSilent(ConnectorResponse::DEVICE_ACKED);
  EXPECT_TRUE(done.HasBeenNotified());
}

TEST(AckWaitsTest, EndTogether) {
  FakeConnectors connectors;
  connectors.SetOutcome(std::nullopt);
  AckWaits waits;
  int ended = 0;
  const auto wait = [&] {
    waits.Wait(connectors.Find("a").get(), ConnectorRequest(), kForever, [&](bool acked) {
      EXPECT_FALSE(acked);
      ++ended;
    });
  };
  wait();
  wait();
  EXPECT_EQ(ended, 0);
  waits.EndAll();
  EXPECT_EQ(ended, 2);
  waits.EndAll();
  EXPECT_EQ(ended, 2);
  // A delivery that is made now is made all the same.
  wait();
  EXPECT_EQ(ended, 3);
  EXPECT_EQ(connectors.requests().size(), 3u);
  connectors.AnswerSilent(ConnectorResponse::DEVICE_ACKED);  // Too late, and harmless.
}

TEST(AckWaitsTest, AnAckThatCameIsNotForgotten) {
  FakeConnectors connectors;
  connectors.SetOutcome(std::nullopt);
  AckWaits waits;
  int acks = 0;
  waits.Wait(connectors.Find("a").get(), ConnectorRequest(), kForever,
             [&](bool acked) { acks += acked; });
  connectors.AnswerSilent(ConnectorResponse::DEVICE_ACKED);
  EXPECT_EQ(acks, 1);
  waits.EndAll();
  EXPECT_EQ(acks, 1);
}

}  // namespace
}  // namespace bellwire::gateway
