#include "device-agent/client/handled_deliveries.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

TEST(HandledDeliveriesTest, RemembersTheLastOnes) {
  HandledDeliveries handled;
  handled.Enter("inbox");
  for (uint64_t id = 1; id <= HandledDeliveries::kCapacity + 1; ++id) handled.Add(id);
  EXPECT_FALSE(handled.Contains(1));
  EXPECT_TRUE(handled.Contains(2));
  EXPECT_TRUE(handled.Contains(HandledDeliveries::kCapacity + 1));
}

TEST(HandledDeliveriesTest, AnotherInboxIsAnotherNumbering) {
  HandledDeliveries handled;
  handled.Enter("inbox");
  handled.Add(7);
  handled.Enter("inbox");
  EXPECT_TRUE(handled.Contains(7));
  handled.Enter("other");
  EXPECT_FALSE(handled.Contains(7));
}

}  // namespace
}  // namespace bellwire::agent
