#include "bench/subscribers/make_subscribers.h"

#include <array>
#include <memory>
#include <utility>

#include "bellwire/admin/v1/admin.pb.h"
#include "common/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/kv_store.h"

namespace bellwire::bench {
namespace {

// Devices of one commit: enough that a sync is nothing beside them. The relay of one commit takes
// what as many left in the outbox.
constexpr uint64_t kDevicesPerCommit = 1000;

// D. Lea's and S. Vigna's splitmix64: another number for each number.
uint64_t Mix(uint64_t n) {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

absl::Status PutTeamAndApp(registry::KvStore& store, const SubscribersWanted& wanted,
                           const Clock& clock) {
  const auto now = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(WallNowMs(clock));
  BELLWIRE_ASSIGN_OR_RETURN(const auto teams, store.ListTeams());
  bool there = false;
  for (const admin::v1::Team& team : teams) there |= team.team_id() == wanted.team_id;
  if (!there) {
    admin::v1::Team team;
    team.set_team_id(wanted.team_id);
    team.set_name("Made by make-subscribers");
    *team.mutable_create_time() = now;
    BELLWIRE_RETURN_IF_ERROR(store.PutTeam(team).status());
  }
  BELLWIRE_ASSIGN_OR_RETURN(const auto apps, store.ListApps(wanted.team_id));
  for (const admin::v1::App& app : apps) {
    if (app.app_id() == wanted.app_id) return absl::OkStatus();
  }
  admin::v1::App app;
  app.set_team_id(wanted.team_id);
  app.set_app_id(wanted.app_id);
  app.set_overflow_policy(admin::v1::DROP_OLDEST);
  *app.mutable_create_time() = now;
  return store.PutApp(app).status();
}

absl::Status CommitWithCounts(registry::KvStore& store) {
  bool more = true;
  while (more) {
    BELLWIRE_ASSIGN_OR_RETURN(const registry::RelayResult relayed,
                              store.RelayReceipts(2 * kDevicesPerCommit));
    more = relayed.more;
  }
  return store.Commit();
}

}  // namespace

DeviceId SubscriberDevice(uint64_t n) {
  std::array<uint8_t, DeviceId::kSize> bytes;
  const uint64_t high = Mix(n);
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<uint8_t>(high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<uint8_t>(n >> (56 - 8 * i));
  }
  return DeviceId(bytes);
}

absl::Status MakeSubscribers(const SubscribersWanted& wanted, const Clock& clock,
                             const std::function<void(uint64_t made)>& progress) {
  BELLWIRE_ASSIGN_OR_RETURN(
      std::unique_ptr<registry::RocksDbEngine> engine,
      registry::RocksDbEngine::Open({.directory = wanted.store, .clock = &clock}));
  const uint64_t numbers_after = engine->numbers_after();
  registry::KvStore store(
      std::move(engine), {.clock = &clock, .random = RandomUint64, .numbers_after = numbers_after});
  BELLWIRE_RETURN_IF_ERROR(PutTeamAndApp(store, wanted, clock));
  for (uint64_t made = 0; made < wanted.count;) {
    const DeviceId device = SubscriberDevice(wanted.first + made);
    BELLWIRE_ASSIGN_OR_RETURN(const registry::RegistrationResult registered,
                              store.RegisterApp(device, wanted.app_id));
    BELLWIRE_RETURN_IF_ERROR(store
                                 .ChangeSubscription(device, registered.registration_id,
                                                     wanted.team_id, wanted.topic, true)
                                 .status());
    if (++made % kDevicesPerCommit != 0) continue;
    BELLWIRE_RETURN_IF_ERROR(CommitWithCounts(store));
    progress(made);
  }
  return CommitWithCounts(store);
}

}  // namespace bellwire::bench
