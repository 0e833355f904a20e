#include "bench/subscribers/make_subscribers.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/kv_store.h"

namespace bellwire::bench {
namespace {

TEST(MakeSubscribersTest, TheStoreIsSoundAndPagesHoldEachOfThemOnce) {
  TempDir directory;
  SimulatedClock clock;
  SubscribersWanted wanted{.store = directory.path("store"),
                           .team_id = "teamaaaaaa",
                           .app_id = "com.example.news",
                           .topic = "news",
                           .count = 2500};
  uint64_t told = 0;
  ASSERT_TRUE(MakeSubscribers(wanted, clock, [&](uint64_t made) { told = made; }).ok());
  EXPECT_EQ(told, 2000u);
  // Some of them again, and others.
  wanted.first = 2400;
  wanted.count = 600;
  const absl::Status again = MakeSubscribers(wanted, clock, [](uint64_t) {});
  ASSERT_TRUE(again.ok()) << again;

  auto engine =
      registry::RocksDbEngine::Open({.directory = directory.path("store"), .clock = &clock});
  ASSERT_TRUE(engine.ok()) << engine.status();
  registry::CheckReport report;
  registry::CheckRecords(
      **engine, [](uint64_t) {}, &report);
  EXPECT_TRUE(report.sound()) << report.problems[0].where << ": " << report.problems[0].what;
  registry::KvStore store(*std::move(engine), {.clock = &clock, .random = RandomUint64});
  EXPECT_EQ(store.ListTopics("teamaaaaaa", "", 10, false)->topics(0).subscribers(), 3000);
  std::set<DeviceId> devices;
  std::optional<registry::SubscriberEntry> after;
  for (bool more = true; more;) {
    const auto page = store.PageSubscribers("teamaaaaaa", {"news"}, after, 1000, "");
    ASSERT_TRUE(page.ok());
    for (const auto& subscriber : page->subscribers) {
      EXPECT_TRUE(devices.insert(subscriber.entry.device).second);
      after = subscriber.entry;
    }
    more = page->more;
  }
  EXPECT_EQ(devices.size(), 3000u);
  EXPECT_TRUE(devices.contains(SubscriberDevice(2999)));
}

}  // namespace
}  // namespace bellwire::bench
