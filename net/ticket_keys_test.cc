#include "net/ticket_keys.h"

#include <string>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

std::string NameOf(const TicketKeys::Key& key) {
  return std::string(key.name.begin(), key.name.end());
}

TEST(TicketKeysTest, AKeyEncryptsForOneLifetimeAndDecryptsForTwo) {
  SimulatedClock clock;
  TicketKeys keys(&clock);
  const TicketKeys::Key first = keys.Current();
  clock.Advance(kTicketLifetime - absl::Seconds(1));
  EXPECT_EQ(keys.Current().name, first.name);

  clock.Advance(absl::Seconds(1));
  const TicketKeys::Key second = keys.Current();
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.aes, first.aes);
  EXPECT_NE(second.hmac, first.hmac);
  // A ticket of the first key's last moment is good until now plus a lifetime.
  const auto found = keys.Find(NameOf(first));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->aes, first.aes);

  clock.Advance(kTicketLifetime);
  EXPECT_FALSE(keys.Find(NameOf(first)).has_value());
  EXPECT_TRUE(keys.Find(NameOf(second)).has_value());
}

TEST(TicketKeysTest, AQuietSpellForgetsEverything) {
  SimulatedClock clock;
  TicketKeys keys(&clock);
  const std::string name = NameOf(keys.Current());
  clock.Advance(2 * kTicketLifetime);
  EXPECT_FALSE(keys.Find(name).has_value());
}

TEST(TicketKeysTest, UnknownNamesAreNotFound) {
  SimulatedClock clock;
  TicketKeys keys(&clock);
  EXPECT_FALSE(keys.Find(std::string(TicketKeys::kNameBytes, 'x')).has_value());
  EXPECT_FALSE(keys.Find("").has_value());
}

}  // namespace
}  // namespace bellwire::net
