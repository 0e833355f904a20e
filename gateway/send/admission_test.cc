#include "gateway/send/admission.h"

#include <optional>
#include <utility>

#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(AdmissionTest, AdmitsUpToTheLimit) {
  Admission admission(2);
  auto first = admission.TryAdmit();
  auto second = admission.TryAdmit();
  EXPECT_TRUE(first.has_value());
  EXPECT_TRUE(second.has_value());
  EXPECT_FALSE(admission.TryAdmit().has_value());
  first.reset();
  EXPECT_TRUE(admission.TryAdmit().has_value());
}

TEST(AdmissionTest, ALowerLimitOfTheMomentHolds) {
  Admission admission(2);
  auto first = admission.TryAdmit(1);
  EXPECT_TRUE(first.has_value());
  EXPECT_FALSE(admission.TryAdmit(1).has_value());
  auto second = admission.TryAdmit(5);
  EXPECT_TRUE(second.has_value());
  EXPECT_FALSE(admission.TryAdmit(5).has_value());
}

TEST(AdmissionTest, AMovedTicketCountsOnce) {
  Admission admission(2);
  {
    auto ticket = admission.TryAdmit();
    Admission::Ticket moved = *std::move(ticket);
    EXPECT_EQ(admission.admitted(), 1u);
  }
  EXPECT_EQ(admission.admitted(), 0u);
}

TEST(AdmissionTest, ALimitOfZeroAdmitsNothing) {
  Admission admission(0);
  EXPECT_FALSE(admission.TryAdmit().has_value());
}

}  // namespace
}  // namespace bellwire::gateway
