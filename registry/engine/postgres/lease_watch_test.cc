#include "registry/engine/postgres/lease_watch.h"

#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

class LeaseWatchTest : public testing::Test {
 protected:
  // Whether the owner may be taken over after this read.
  bool Saw(int64_t counter, absl::Duration at, int64_t owner = 1) {
    const MonotonicTime now = MonotonicTime() + absl::Hours(1) + at;
    watch_.Saw(owner, counter, now);
    return watch_.IsSilent(owner, now);
  }

  LeaseWatch watch_{absl::Seconds(5)};
};

TEST_F(LeaseWatchTest, AnOwnerIsSilentOnceItsCounterStoodStillForSoLong) {
  EXPECT_FALSE(Saw(7, absl::Seconds(0)));
  EXPECT_FALSE(Saw(7, absl::Seconds(4.9)));
  EXPECT_TRUE(Saw(7, absl::Seconds(5)));
}

TEST_F(LeaseWatchTest, AnyOtherCounterIsASignOfLife) {
  EXPECT_FALSE(Saw(7, absl::Seconds(0)));
  EXPECT_FALSE(Saw(8, absl::Seconds(4)));
  EXPECT_FALSE(Saw(8, absl::Seconds(8)));
  EXPECT_FALSE(Saw(3, absl::Seconds(9))) << "the table was made anew";
  EXPECT_TRUE(Saw(3, absl::Seconds(14)));
}

TEST_F(LeaseWatchTest, AFailedReadStartsTheCountAnew) {
  EXPECT_FALSE(Saw(7, absl::Seconds(0)));
  watch_.ReadFailed();
  EXPECT_FALSE(Saw(7, absl::Seconds(6)));
  EXPECT_TRUE(Saw(7, absl::Seconds(11)));
}

TEST_F(LeaseWatchTest, OwnersAreWatchedEachForItself) {
  EXPECT_FALSE(Saw(7, absl::Seconds(0), 1));
  EXPECT_FALSE(Saw(7, absl::Seconds(3), 2));
  EXPECT_TRUE(Saw(7, absl::Seconds(5), 1));
  EXPECT_FALSE(Saw(7, absl::Seconds(5), 2));
}

}  // namespace
}  // namespace bellwire::registry
