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

}  // namespace
}  // namespace bellwire::gateway
