#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_ENGINE_STEPS_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_ENGINE_STEPS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/postgres_engine.h"

// What tests of PostgresEngine do again and again.
namespace bellwire::registry {

inline void MakeStoreIn(const std::string& database) {
  auto connection =
      PgConnection::Connect({.database = database, .name = "test", .clock = RealClock()});
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(MakeStore(connection->get(), 8).ok());
}

// PostgresEngine::Options::wait that goes on for a minute.
inline std::function<bool(absl::Duration)> WaitForOwner() {
  return [deadline = RealClock()->Monotonic() + absl::Minutes(1)](absl::Duration pause) {
    absl::Notification never;
    never.WaitForNotificationWithTimeout(pause);
    return RealClock()->Monotonic() < deadline;
  };
}

// One key that is logged, and one that is put into the table at once.
inline WriteSet Writes(const std::string& key, const std::string& value) {
  return {{{Family::kDevices, "device 1234567890 " + key}, value}, {{Family::kTeams, key}, value}};
}

// What lies there since Writes. "-": no such key; or the reason of an error.
inline std::string Value(const KvEngine& engine, const std::string& key) {
  const auto device = engine.Get(Family::kDevices, "device 1234567890 " + key);
  const auto team = engine.Get(Family::kTeams, key);
  if (!device.ok()) return ErrorReason(device.status());
  if (!team.ok()) return ErrorReason(team.status());
  EXPECT_EQ(device->value_or("-"), team->value_or("-"));
  return team->value_or("-");
}

inline std::unique_ptr<PostgresEngine> OpenEngine(PostgresEngine::Options options) {
  auto engine = PostgresEngine::Open(std::move(options));
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? *std::move(engine) : nullptr;
}

// Repeats it until it is OK, for a minute.
inline void CommitAtLast(PostgresEngine* engine, const WriteSet& writes) {
  absl::Status status;
  const MonotonicTime deadline = RealClock()->Monotonic() + absl::Minutes(1);
  do {
    status = engine->Commit(writes);
  } while (!status.ok() && RealClock()->Monotonic() < deadline);
  ASSERT_TRUE(status.ok()) << status;
}

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_ENGINE_STEPS_H_
