#include "registry/topics/subscriber_page.h"

#include <array>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"

namespace bellwire::registry {
namespace {

constexpr char kTeam[] = "teamaaaaaa";

SubscriberEntry Entry(uint32_t n) {
  std::array<uint8_t, 16> device{};
  for (int i = 0; i < 4; ++i) device[i] = static_cast<uint8_t>(n / 2 >> (24 - 8 * i));
  return {DeviceId(device), 1 + n % 2};
}

class SubscriberPageTest : public testing::Test {
 protected:
  void Subscribe(const std::string& topic, uint32_t n, const std::string& app = "com.example.mail",
                 const std::string& team = kTeam) {
    const SubscriberEntry entry = Entry(n);
    writes_[{Family::kTopics, SubscriberKey(team, topic, entry.device, entry.registration_id)}] =
        app;
  }
  void Commit() {
    ASSERT_TRUE(engine_.Commit(writes_).ok());
    writes_.clear();
  }

  using Found = std::map<SubscriberEntry, uint32_t>;
  // Everything, in pages of `max`.
  Found All(const std::vector<std::string>& topics, size_t max, const std::string& app = "") {
    Found all;
    std::optional<SubscriberEntry> after;
    while (true) {
      const auto page = PageSubscribers(engine_, kTeam, topics, after, max, app);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return all;
      EXPECT_LE(page->subscribers.size(), max + 1);
      ++pages_;
      for (const auto& subscriber : page->subscribers) {
        EXPECT_TRUE(!after.has_value() || *after < subscriber.entry);
        after = subscriber.entry;
        if (subscriber.topics != 0) all[subscriber.entry] = subscriber.topics;
      }
      if (!page->more) return all;
      EXPECT_FALSE(page->subscribers.empty()) << "nobody could go on";
      if (page->subscribers.empty()) return all;
    }
  }

  MemoryEngine engine_;
  WriteSet writes_;
  size_t pages_ = 0;
};

TEST_F(SubscriberPageTest, MergesTopicsInTheOrderOfDevices) {
  Found expected;
  const std::vector<std::string> topics = {"b", "a", "c", "d", "e"};
  for (uint32_t n = 0; n < 97; ++n) {
    for (uint32_t i = 0; i < topics.size(); ++i) {
      if ((n * 7 + i * 3) % (i + 2) != 0) continue;
      Subscribe(topics[i], n);
      expected[Entry(n)] |= 1u << i;
    }
    // Beside them.
    Subscribe("a-b", n);
    Subscribe("a", n, "com.example.mail", "teambbbbbb");
  }
  Commit();
  for (const size_t max : {1, 2, 3, 10, 96, 97, 1000}) EXPECT_EQ(All(topics, max), expected) << max;
}

TEST_F(SubscriberPageTest, ATopicWithoutSubscribersIsAnEmptyPage) {
  EXPECT_TRUE(All({"nobody"}, 10).empty());
  EXPECT_EQ(pages_, 1u);
}

TEST_F(SubscriberPageTest, APageHasItsBoundWhateverIsAskedFor) {
  for (uint32_t n = 0; n < kMaxPageSubscribers + 5; ++n) Subscribe("a", n);
  Commit();
  const auto page = PageSubscribers(engine_, kTeam, {"a"}, std::nullopt, SIZE_MAX, "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->subscribers.size(), kMaxPageSubscribers);
  EXPECT_TRUE(page->more);
  EXPECT_EQ(All({"a"}, kMaxPageSubscribers).size(), kMaxPageSubscribers + 5);
}

TEST_F(SubscriberPageTest, OtherAppsAreLeftOut) {
  Found expected;
  for (uint32_t n = 0; n < 50; ++n) {
    Subscribe("a", n, n % 5 == 0 ? "com.example.mail" : "com.example.chat");
    if (n % 5 == 0) expected[Entry(n)] = 1;
  }
  Commit();
  EXPECT_EQ(All({"a"}, 3, "com.example.mail"), expected);
  EXPECT_TRUE(All({"a"}, 3, "com.example.none").empty());
}

TEST_F(SubscriberPageTest, APageLooksAtSoManyAndSaysHowFarItCame) {
  // The only ones of the app come after more of the other than one page looks at.
  const uint32_t others = 2 * kMaxSubscribersLookedAt + 10;
  for (uint32_t n = 0; n < others; ++n) Subscribe("a", n, "com.example.chat");
  for (uint32_t n = 0; n < 3; ++n) Subscribe("b", n * 1000, "com.example.mail");
  Subscribe("a", others, "com.example.mail");
  Commit();
  const auto first = PageSubscribers(engine_, kTeam, {"a"}, std::nullopt, 10, "com.example.mail");
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->subscribers.size(), 1u);
  EXPECT_EQ(first->subscribers[0].topics, 0u);
  EXPECT_EQ(first->subscribers[0].entry, Entry(kMaxSubscribersLookedAt - 1));
  EXPECT_TRUE(first->more);
  const Found expected = {{Entry(0), 2}, {Entry(1000), 2}, {Entry(2000), 2}, {Entry(others), 1}};
  EXPECT_EQ(All({"a", "b"}, 10, "com.example.mail"), expected);
}

}  // namespace
}  // namespace bellwire::registry
