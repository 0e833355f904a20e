#include "net/tls/ticket_keys.h"

#include <string>

#include "common/error.h"
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

// --- With shared secrets. ---

TicketSecret Secret(uint8_t byte) {
  TicketSecret secret;
  secret.fill(byte);
  return secret;
}

TEST(SharedTicketKeysTest, ServersWithTheSameSecretHaveTheSameKeys) {
  SimulatedClock clock;
  TicketKeys one(&clock, {Secret(1)}), other(&clock, {Secret(1)}), stranger(&clock, {Secret(2)});
  const TicketKeys::Key key = one.Current();
  const auto found = other.Find(NameOf(key));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->aes, key.aes);
  EXPECT_EQ(found->hmac, key.hmac);
  EXPECT_NE(key.aes, key.hmac);
  EXPECT_FALSE(stranger.Find(NameOf(key)).has_value());
}

TEST(SharedTicketKeysTest, RotateByWallTime) {
  SimulatedClock clock;
  TicketKeys keys(&clock, {Secret(1)});
  const TicketKeys::Key first = keys.Current();
  clock.Advance(kTicketLifetime);
  EXPECT_NE(keys.Current().name, first.name);
  EXPECT_TRUE(keys.Find(NameOf(first)).has_value());
  clock.Advance(kTicketLifetime);
  EXPECT_FALSE(keys.Find(NameOf(first)).has_value());
}

TEST(SharedTicketKeysTest, ClocksMayDiffer) {
  SimulatedClock here, ahead;
  ahead.Advance(kTicketLifetime);
  TicketKeys keys(&here, {Secret(1)}), theirs(&ahead, {Secret(1)});
  EXPECT_TRUE(keys.Find(NameOf(theirs.Current())).has_value());
  EXPECT_TRUE(theirs.Find(NameOf(keys.Current())).has_value());
}

// A new secret comes in as the second one everywhere, then as the first, then the old one goes.
TEST(SharedTicketKeysTest, EachStepOfAChangeOfSecretsKeepsTickets) {
  SimulatedClock clock;
  TicketKeys before(&clock, {Secret(1)}), prepared(&clock, {Secret(1), Secret(2)}),
      changed(&clock, {Secret(2), Secret(1)});
  EXPECT_EQ(prepared.Current().name, before.Current().name);
  EXPECT_NE(changed.Current().name, before.Current().name);
  EXPECT_TRUE(prepared.Find(NameOf(changed.Current())).has_value());
  EXPECT_TRUE(changed.Find(NameOf(prepared.Current())).has_value());
}

TEST(TicketSecretsTest, OneALine) {
  const std::string one(64, '1'), two(64, 'a');
  const auto secrets = ParseTicketSecrets("# ours\n" + one + "\n\n  " + two + "  # old\n");
  ASSERT_TRUE(secrets.ok()) << secrets.status();
  ASSERT_EQ(secrets->size(), 2u);
  EXPECT_EQ((*secrets)[0], Secret(0x11));
  EXPECT_EQ((*secrets)[1], Secret(0xaa));
}

TEST(TicketSecretsTest, AnythingElseIsRefused) {
  const std::string line(64, '1');
  const std::string four = line + "\n" + line + "\n" + line + "\n" + line + "\n";
  EXPECT_TRUE(ParseTicketSecrets(four).ok());
  for (const std::string& text :
       {std::string(), std::string("# nothing\n"), std::string(63, '1'), std::string(65, '1'),
        std::string(64, 'A'), std::string(64, 'g'), line + " " + line, four + line}) {
    EXPECT_EQ(ErrorReason(ParseTicketSecrets(text).status()), "BAD_TICKET_KEY_FILE") << text;
  }
}

}  // namespace
}  // namespace bellwire::net
