#include "registry/engine/postgres/postgres_engine.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

// Looks at an owner that lives, in the time after which it counts as dead.
constexpr int kLooksPerSilence = 10;
// Heartbeats in that time.
constexpr int kBeatsPerSilence = 5;

int64_t NewOwner() {
  // Positive, and never kNoOwner.
  return static_cast<int64_t>(RandomUint64() >> 1) | 1;
}

absl::Status LeaseHeldError(absl::string_view holder) {
  return MakeError(absl::StatusCode::kUnavailable, "LEASE_HELD",
                   absl::StrCat("another registry owns the store, and lives: ", holder));
}

// How long one that comes waits for a feed to be freed: twice what that takes.
constexpr absl::Duration kFeedLookInterval = absl::Milliseconds(100);
constexpr int kFeedLooks = 30;

bool HasLentFeeds(const std::vector<Lease>& leases, int shared) {
  std::map<int64_t, int> feeds;
  bool lent = false;
  for (const Lease& lease : leases) {
    if (lease.partition > shared && lease.owner != kNoOwner) lent |= ++feeds[lease.owner] > 1;
  }
  return lent;
}

PostgresSession::Options SessionOptions(const PostgresEngine::Options& options, int64_t owner,
                                        uint32_t feed) {
  return {.durability = options.durability,
          .commit_timeout = options.commit_timeout,
          .max_recent_writes_bytes = options.max_recent_writes_bytes,
          .clock = options.clock,
          .owner = owner,
          .feed = feed};
}

}  // namespace

PostgresEngine::PostgresEngine(Options options)
    : options_(std::move(options)), owner_(NewOwner()), failures_(options_.clock) {}

PostgresEngine::~PostgresEngine() {
  heartbeat_ = nullptr;
  if (session_ == nullptr || dies_) return;
  absl::Status given;
  if (options_.shares) {
    // Others take what they like of it, and read no log for that.
    given = session_->Give({owned_.begin(), owned_.end()}, kNoOwner, "");
  }
  given.Update(Release(session_->connection(), owner_));
  if (!given.ok()) LogWarning("partitions_not_given_back", {{"error", given.message()}});
}

absl::StatusOr<std::unique_ptr<PgConnection>> PostgresEngine::Connect() const {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection,
                            PgConnection::Connect({.database = options_.database,
                                                   .name = NameOfConnection(owner_),
                                                   .clock = options_.clock}));
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows names,
      connection->Ask(kReadStandbyNames, {}, kReadTimeout, "reading the database's setup"));
  BELLWIRE_RETURN_IF_ERROR(CheckStandbyNames(options_.durability, names.Bytes(0, 0)));
  return connection;
}

absl::StatusOr<std::unique_ptr<PostgresEngine>> PostgresEngine::Open(Options options) {
  std::unique_ptr<PostgresEngine> engine(new PostgresEngine(std::move(options)));
  if (engine->options_.shares) {
    BELLWIRE_ASSIGN_OR_RETURN(engine->session_, engine->TryTakeOwn());
    return engine;
  }
  LeaseWatch watch(engine->options_.lease_silence);
  const absl::Duration pause = engine->options_.lease_silence / kLooksPerSilence;
  bool said = false;
  while (true) {
    std::string holder;
    absl::StatusOr<std::unique_ptr<PostgresSession>> session = engine->TryTake(&watch, &holder);
    if (!session.ok()) {
      watch.ReadFailed();
      // Who waits for an owner to die outlives the database's failures too.
      if (!said || !absl::IsUnavailable(session.status())) return session.status();
      if (const auto unsaid = engine->failures_.Take()) {
        LogWarning("lease_not_seen",
                   {{"error", session.status().message()}, {"unsaid", *unsaid}});
      }
    } else if (*session != nullptr) {
      engine->session_ = *std::move(session);
      return engine;
    }
    if (!engine->options_.wait) return LeaseHeldError(holder);
    if (!said) LogInfo("waiting_for_lease", {{"holder", holder}});
    said = true;
    if (!engine->options_.wait(pause)) return LeaseHeldError(holder);
  }
}

absl::Status PostgresEngine::Begin(PgConnection* connection) {
  if (heartbeat_ != nullptr) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(numbers_after_, NumberStart(connection, options_.clock->WallNow()));
  // From before the taking on: nobody must find this owner without.
  BELLWIRE_RETURN_IF_ERROR(BeatHeart(connection, owner_, options_.address, /*leaves=*/false));
  heartbeat_ = std::make_unique<Heartbeat>(
      Heartbeat::Options{.database = options_.database,
                         .owner = owner_,
                         .address = options_.address,
                         .interval = options_.lease_silence / kBeatsPerSilence,
                         .after_beat = options_.after_heartbeat,
                         .clock = options_.clock});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresEngine::TryTake(LeaseWatch* watch,
                                                                         std::string* holder) {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Connect());
  BELLWIRE_ASSIGN_OR_RETURN(info_, ReadStoreInfo(connection.get()));
  const MonotonicTime now = options_.clock->Boottime();
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<LeaseOwner> owners, ReadOwners(connection.get()));
  std::vector<int64_t> silent;
  for (const LeaseOwner& owner : owners) {
    if (owner.id == kNoOwner || owner.id == owner_) continue;
    watch->Saw(owner.id, owner.counter, now);
    if (!watch->IsSilent(owner.id, now)) *holder = owner.address;
    silent.push_back(owner.id);
  }
  if (!holder->empty()) return nullptr;
  BELLWIRE_RETURN_IF_ERROR(Begin(connection.get()));
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<Lease> leases, ReadLeases(connection.get()));
  for (const Lease& lease : leases) {
    const bool known = lease.owner == kNoOwner || lease.owner == owner_ ||
                       std::find(silent.begin(), silent.end(), lease.owner) != silent.end();
    if (!known) return StoreUnavailableError("another registry was quicker to take partitions");
  }
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PostgresSession> session,
                            TakeFrom(std::move(connection), leases));
  if (session == nullptr) {
    return StoreUnavailableError("another registry was quicker to take the partitions");
  }
  for (const Lease& lease : leases) owned_.insert(lease.partition);
  NoteTaken(leases, numbers_after_);
  // What stays disturbs nobody.
  ForgetHeartbeats(session->connection(), silent).IgnoreError();
  return session;
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresEngine::TryTakeOwn() {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Connect());
  BELLWIRE_ASSIGN_OR_RETURN(info_, ReadStoreInfo(connection.get()));
  BELLWIRE_RETURN_IF_ERROR(Begin(connection.get()));
  const Partitions partitions(info_.partitions, info_.key);
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<Lease> leases, ReadLeases(connection.get()));
  // One that was alone has all feeds, and frees those of others when it has seen this heartbeat.
  absl::Notification never;
  for (int look = 0; look < kFeedLooks && HasLentFeeds(leases, partitions.shared()); ++look) {
    never.WaitForNotificationWithTimeout(kFeedLookInterval);
    BELLWIRE_ASSIGN_OR_RETURN(leases, ReadLeases(connection.get()));
  }
  // The lowest one, so that there are no more than registries were running at a time.
  for (const Lease& lease : leases) {
    if (lease.partition <= partitions.shared() || lease.owner != kNoOwner) continue;
    feed_ = static_cast<uint32_t>(lease.partition - partitions.shared());
    partitions_ = std::make_unique<Partitions>(info_.partitions, info_.key, feed_);
    BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PostgresSession> session,
                              TakeFrom(std::move(connection), {lease}));
    if (session != nullptr) {
      owned_.insert(lease.partition);
      NoteTaken({lease}, numbers_after_);
      return session;
    }
    // Another one took it just now.
    BELLWIRE_ASSIGN_OR_RETURN(connection, Connect());
  }
  return MakeError(
      absl::StatusCode::kUnavailable, "LEASE_HELD",
      absl::StrCat(kMaxFeed, " registries share the store, which is the most: stop one of them"));
}

Taking PostgresEngine::TakingOf(const std::vector<Lease>& leases) const {
  Taking taking{.owner = owner_, .address = options_.address, .durability = options_.durability};
  for (const Lease& lease : leases) {
    taking.partitions.push_back(lease.partition);
    taking.epoch = std::max(taking.epoch, lease.epoch + 1);
    if (std::find(taking.from.begin(), taking.from.end(), lease.owner) == taking.from.end()) {
      taking.from.push_back(lease.owner);
    }
  }
  return taking;
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresEngine::TakeFrom(
    std::unique_ptr<PgConnection> connection, const std::vector<Lease>& leases) const {
  Taking taking = TakingOf(leases);
  if (!owned_.empty()) taking.timeout = kResumeTimeout;
  BELLWIRE_ASSIGN_OR_RETURN(const auto taken, Take(connection.get(), taking));
  if (!taken.has_value()) return nullptr;
  auto session = std::make_unique<PostgresSession>(
      std::move(connection), SessionOptions(options_, owner_, feed_), info_, &counts_);
  BELLWIRE_RETURN_IF_ERROR(session->Add(taking.epoch, *taken));
  LogInfo("partitions_taken",
          {{"epoch", taking.epoch}, {"partitions", taking.partitions.size()}});
  return session;
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresEngine::Resume() const {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Connect());
  BELLWIRE_ASSIGN_OR_RETURN(const StoreInfo info, ReadStoreInfo(connection.get()));
  if (info.partitions != info_.partitions || info.key != info_.key) {
    return NotOwnerError("the store in the database is another one now");
  }
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<Lease> leases, ReadLeases(connection.get()));
  std::vector<Lease> mine;
  for (const Lease& lease : leases) {
    if (owned_.count(lease.partition) == 0) continue;
    if (lease.owner == owner_) {
      mine.push_back(lease);
    } else if (perhaps_given_.count(lease.partition) > 0) {
      owned_.erase(lease.partition);
      owned_since_.erase(lease.partition);
    } else {
      return NotOwnerError(absl::StrCat("another registry owns the partitions of this store: ",
                                        lease.owner == kNoOwner ? "nobody yet" : lease.address));
    }
  }
  perhaps_given_.clear();
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PostgresSession> session,
                            TakeFrom(std::move(connection), mine));
  if (session == nullptr) {
    return StoreUnavailableError("another registry was quicker to take the partitions");
  }
  return session;
}

absl::Status PostgresEngine::SetAddress(const std::string& address) {
  options_.address = address;
  heartbeat_->SetAddress(address);
  // Everything is taken anew, with the address.
  session_ = nullptr;
  return MakeReady().status();
}

absl::StatusOr<bool> PostgresEngine::TakeOver(const std::vector<Lease>& leases) {
  BELLWIRE_ASSIGN_OR_RETURN(PostgresSession* const session, Ready());
  const Taking taking = TakingOf(leases);
  // Before the taking, and after those that gave `leases` what they have: it is greater than the
  // numbers of all owners before.
  const absl::StatusOr<uint64_t> number =
      NumberStart(session->connection(), options_.clock->WallNow());
  if (!number.ok()) {
    NoteRead(number.status());
    return number.status();
  }
  const auto taken = Take(session->connection(), taking);
  if (!taken.ok()) {
    // It may have taken them: then the leases say so, and they are taken from itself.
    Drop(taken.status(), absl::ZeroDuration());
    return taken.status();
  }
  if (!taken->has_value()) return false;
  for (const TakenPartition& each : **taken) owned_.insert(each.partition);
  NoteTaken(leases, *number);
  LogInfo("partitions_taken",
          {{"epoch", taking.epoch}, {"partitions", taking.partitions.size()}});
  if (absl::Status added = session->Add(taking.epoch, **taken); !added.ok()) {
    Drop(added, absl::ZeroDuration());
    return added;
  }
  std::vector<int16_t> of_dead;
  for (const Lease& lease : leases) {
    // One that was free stays until somebody comes (PlanFleet).
    if (lease.partition > partitions_->shared() && lease.partition != partitions_->own() &&
        lease.owner != kNoOwner) {
      of_dead.push_back(lease.partition);
    }
  }
  if (!of_dead.empty()) BELLWIRE_RETURN_IF_ERROR(Give(of_dead, kNoOwner, ""));
  return true;
}

void PostgresEngine::NoteTaken(const std::vector<Lease>& leases, uint64_t number) {
  // A failure may have this one take them from itself: it has owned them all along.
  for (const Lease& lease : leases) owned_since_.try_emplace(lease.partition, number);
}

uint64_t PostgresEngine::OwnedSince(int partition) const {
  const auto it = owned_since_.find(static_cast<int16_t>(partition));
  return it == owned_since_.end() ? 0 : it->second;
}

absl::Status PostgresEngine::Give(const std::vector<int16_t>& partitions, int64_t to,
                                  const std::string& address) {
  BELLWIRE_ASSIGN_OR_RETURN(PostgresSession* const session, Ready());
  if (absl::Status given = session->Give(partitions, to, address); !given.ok()) {
    perhaps_given_.insert(partitions.begin(), partitions.end());
    Drop(given, absl::ZeroDuration());
    return given;
  }
  for (const int16_t partition : partitions) {
    owned_.erase(partition);
    owned_since_.erase(partition);
  }
  return absl::OkStatus();
}

absl::StatusOr<PostgresSession*> PostgresEngine::Ready() const {
  if (session_ != nullptr) return session_.get();
  if (fenced_ || options_.clock->Monotonic() < next_attempt_) return last_error_;
  return MakeReady();
}

absl::StatusOr<PostgresSession*> PostgresEngine::MakeReady() const {
  absl::StatusOr<std::unique_ptr<PostgresSession>> session = Resume();
  if (session.ok()) {
    counts_.resumed.Add();
    LogInfo("store_resumed", {});
    session_ = *std::move(session);
    return session_.get();
  }
  if (ErrorReason(session.status()) == "NOT_OWNER") {
    fenced_ = true;
    last_error_ = session.status();
    LogError("fenced", {{"error", session.status().message()}});
    if (options_.on_fenced) options_.on_fenced();
    return last_error_;
  }
  // Whatever it is: nothing is lost, and who sends tries again.
  const absl::Status why = absl::IsUnavailable(session.status())
                               ? session.status()
                               : StoreUnavailableError(session.status().message());
  Drop(why, kStoreReopenInterval);
  return why;
}

void PostgresEngine::Drop(const absl::Status& why, absl::Duration pause) const {
  session_ = nullptr;
  next_attempt_ = options_.clock->Monotonic() + pause;
  last_error_ = why;
  if (const auto unsaid = failures_.Take()) {
    LogError("store_unavailable", {{"error", why.message()}, {"unsaid", *unsaid}});
  }
}

void PostgresEngine::NoteRead(const absl::Status& status) const {
  if (session_ != nullptr && session_->lost()) Drop(status, absl::ZeroDuration());
}

absl::StatusOr<std::optional<std::string>> PostgresEngine::Get(Family family,
                                                               absl::string_view key) const {
  BELLWIRE_ASSIGN_OR_RETURN(const PostgresSession* session, Ready());
  auto value = session->recent().Get(family, key);
  if (!value.ok()) NoteRead(value.status());
  return value;
}

absl::StatusOr<std::optional<absl::string_view>> PostgresEngine::View(Family family,
                                                                      absl::string_view key,
                                                                      std::string* storage) const {
  BELLWIRE_ASSIGN_OR_RETURN(const PostgresSession* session, Ready());
  auto value = session->recent().View(family, key, storage);
  if (!value.ok()) NoteRead(value.status());
  return value;
}

absl::Status PostgresEngine::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  BELLWIRE_ASSIGN_OR_RETURN(const PostgresSession* session, Ready());
  const absl::Status scanned = session->recent().Scan(family, from, to, visit);
  if (!scanned.ok()) NoteRead(scanned);
  return scanned;
}

absl::Status PostgresEngine::ReadDevices(
    absl::Span<const std::string> devices, size_t max_bytes,
    absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)> visit)
    const {
  BELLWIRE_ASSIGN_OR_RETURN(const PostgresSession* session, Ready());
  const absl::Status read = session->ReadDevices(devices, max_bytes, visit);
  if (!read.ok()) NoteRead(read);
  return read;
}

absl::Status PostgresEngine::Commit(const WriteSet& writes) {
  BELLWIRE_ASSIGN_OR_RETURN(PostgresSession * session, Ready());
  const PostgresSession::Outcome outcome = session->Commit(writes);
  if (outcome.status.ok()) return absl::OkStatus();
  const bool resolve = outcome.unknown || outcome.fenced;
  Drop(outcome.status, resolve ? absl::ZeroDuration() : kStoreReopenInterval);
  if (!resolve) return outcome.status;
  if (outcome.unknown) counts_.unknown.Add();
  const absl::StatusOr<PostgresSession*> resumed = MakeReady();
  if (!resumed.ok()) {
    // Unknown still, but for a fenced one.
    return fenced_ ? resumed.status() : outcome.status;
  }
  // What was found here is on a standby too: the taking, which came later, is.
  const bool made =
      outcome.unknown && (*resumed)->commit_no(outcome.partition) == outcome.commit_no;
  LogWarning("commit_resolved", {{"made", made}, {"error", outcome.status.message()}});
  if (!made) {
    return StoreUnavailableError(
        absl::StrCat("the commit was not made: ", outcome.status.message()));
  }
  counts_.unknown_made.Add();
  return absl::OkStatus();
}

}  // namespace bellwire::registry
