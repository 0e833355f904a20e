#include "registry/engine/postgres/postgres_engine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/logged_commit.h"
#include "registry/engine/postgres/commit_statement.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/engine/postgres/postgres_commit_log.h"
#include "registry/engine/postgres/record_table.h"
#include "registry/engine/recent_writes.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

// Of RecentWrites, what goes to the table with one commit, as in RocksDbEngine.
constexpr uint64_t kMinLeavingBytes = 128 * 1024;
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

}  // namespace

// A connection whose owner has the partitions, and what the table of records hasn't heard of.
class PostgresEngine::Session final {
 public:
  // `taken_epoch` and `taken`: as Take has answered on this connection.
  Session(std::unique_ptr<PgConnection> connection, const Options& options, const StoreInfo& info,
          int64_t taken_epoch, const Taken& taken, Counts* counts)
      : options_(options),
        partitions_(info.partitions, info.key),
        connection_(std::move(connection)),
        epoch_(taken_epoch),
        commit_no_(taken.commit_no),
        table_(connection_.get(), &partitions_, options.clock, &counts->reads),
        counts_(*counts) {
    for (const int64_t number : commit_no_) last_commit_no_ = std::max(last_commit_no_, number);
  }

  const RecentWrites& recent() const { return recent_; }
  bool lost() const { return connection_->lost(); }
  // Number of the last commit that wrote to the partition, as of the taking.
  int64_t commit_no(int partition) const { return commit_no_[static_cast<size_t>(partition)]; }

  // Reads the commit log.
  absl::Status Recover();

  // As DeviceReader.
  absl::Status ReadDevices(
      absl::Span<const std::string> devices, size_t max_bytes,
      absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)>
          visit) const;

  struct Outcome {
    absl::Status status;
    // Nobody knows whether it was made. It is, if this partition has this number.
    bool unknown = false;
    int partition = 0;
    int64_t commit_no = 0;
    // Another epoch: it was not made.
    bool fenced = false;
  };
  // After an error the session is good for nothing but to be closed.
  Outcome Commit(const WriteSet& writes);
  absl::Status GiveBack(int64_t owner) { return Release(connection_.get(), owner); }

 private:
  void Stage(Family family, absl::string_view key, const std::optional<std::string>& value);
  void StageRecent(const WriteSet& writes, const LogPlace& place, uint64_t kept_bytes);

  const Options& options_;
  const Partitions partitions_;
  const std::unique_ptr<PgConnection> connection_;
  const int64_t epoch_;
  const std::vector<int64_t> commit_no_;
  int64_t last_commit_no_ = 0;
  RecordTable table_;
  RecentWrites recent_{&table_};
  CommitStatement statement_;
  // All partitions have one owner, and one log: under the one that is everybody's.
  PostgresCommitLog log_{connection_.get(), partitions_.shared(), &statement_};
  LoggedCommit entry_;
  // Of the log's entries.
  uint64_t last_entry_ = 0;
  uint64_t logged_bytes_ = 0;
  Counts& counts_;
};

absl::Status PostgresEngine::Session::Recover() {
  BELLWIRE_RETURN_IF_ERROR(table_.LookAtOutbox());
  uint64_t first = 0;
  // Counts on the way.
  class Counting final : public CommitLog {
   public:
    Counting(const CommitLog& log, uint64_t* first, uint64_t* bytes)
        : log_(log), first_(*first), bytes_(*bytes) {}
    void Append(uint64_t, absl::string_view) override {}
    void TrimTo(uint64_t) override {}
    absl::Status ReadFrom(
        uint64_t commit,
        absl::FunctionRef<absl::Status(uint64_t, absl::string_view)> visit) const override {
      return log_.ReadFrom(commit, [&](uint64_t number, absl::string_view entry) {
        if (first_ == 0) first_ = number;
        bytes_ += entry.size();
        return visit(number, entry);
      });
    }

   private:
    const CommitLog& log_;
    uint64_t& first_;
    uint64_t& bytes_;
  };
  BELLWIRE_ASSIGN_OR_RETURN(RecoveredWrites recovered,
                            RecoverFrom(Counting(log_, &first, &logged_bytes_)));
  last_entry_ = recovered.last_commit;
  // As if all of it had been written by the first entry: what is older leaves for the table first.
  for (auto& [key, change] : recovered.writes) {
    recent_.Add(key, std::move(change), LogPlace{first, 0});
  }
  return absl::OkStatus();
}

absl::Status PostgresEngine::Session::ReadDevices(
    absl::Span<const std::string> devices, size_t max_bytes,
    absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)> visit)
    const {
  return table_.ReadDevices(
      devices, max_bytes, [&](Family family, const std::string& device, DeviceRecords records) {
        recent_.ForEach(family, device, [&](absl::string_view key, const Change& change) {
          if (change.value.has_value()) {
            records.records.insert_or_assign(std::string(key), *change.value);
          } else {
            records.records.erase(key);
          }
        });
        visit(family, device, std::move(records));
      });
}

void PostgresEngine::Session::Stage(Family family, absl::string_view key,
                                    const std::optional<std::string>& value) {
  const int partition = partitions_.Of(family, key);
  if (!value.has_value()) {
    statement_.Delete(partition, family, key);
    return;
  }
  if (family == Family::kOutbox) table_.PutsIntoOutbox();
  statement_.Put(partition, family, key, *value);
}

void PostgresEngine::Session::StageRecent(const WriteSet& writes, const LogPlace& place,
                                          uint64_t kept_bytes) {
  // What leaves RecentWrites goes to the table with this commit.
  recent_.TakeBefore(
      logged_bytes_ - std::min(logged_bytes_, options_.max_recent_writes_bytes),
      std::max(kMinLeavingBytes, 2 * kept_bytes),
      [this](Family family, absl::string_view key, const std::optional<std::string>& value) {
        Stage(family, key, value);
      });
  const uint64_t oldest = recent_.oldest().value_or(place).commit;
  entry_.Start(oldest);
  for (const auto& [key, change] : writes) {
    if (!RecentWrites::Keeps(key.family)) continue;
    statement_.Touch(partitions_.Of(key.family, key.key));
    entry_.Write(key.family, key.key, change.value);
  }
  log_.TrimTo(oldest);
  log_.Append(place.commit, entry_.bytes());
}

PostgresEngine::Session::Outcome PostgresEngine::Session::Commit(const WriteSet& writes) {
  statement_.Clear();
  const LogPlace place{last_entry_ + 1, logged_bytes_};
  bool logs = false;
  uint64_t kept_bytes = 0;
  for (const auto& [key, change] : writes) {
    if (RecentWrites::Keeps(key.family)) {
      logs = true;
      kept_bytes += key.key.size() + (change.value.has_value() ? change.value->size() : 0);
    } else {
      Stage(key.family, key.key, change.value);
    }
  }
  if (logs) StageRecent(writes, place, kept_bytes);
  // All partitions are taken together, so any of them tells whose all are. A look alone would not
  // do: a primary that was cut off shows old leases, and acknowledges nothing.
  if (statement_.empty()) statement_.Touch(partitions_.shared());
  Outcome outcome;
  outcome.partition = *statement_.touched().begin();
  outcome.commit_no = last_commit_no_ + 1;
  // The names are read after the commit: emptying them releases commits that wait for a standby,
  // and this backend hears of it before it reads its next statement.
  const PgQuery queries[] = {statement_.Query(epoch_, outcome.commit_no), {&kReadStandbyNames, {}}};
  const PgAnswer answer =
      connection_->Run(queries, options_.commit_timeout, "writing to the database");
  outcome.status = answer.status;
  outcome.unknown = answer.end == PgAnswer::End::kUnknown;
  if (!answer.status.ok()) return outcome;
  if (!statement_.WasMade(answer.rows[0])) {
    outcome.fenced = true;
    outcome.status = NotOwnerError("another registry owns the partitions of this store");
    return outcome;
  }
  outcome.status = CheckStandbyNames(options_.durability, answer.rows[1].Bytes(0, 0));
  if (!outcome.status.ok()) return outcome;
  counts_.commits.Add();
  last_commit_no_ = outcome.commit_no;
  if (!logs) return outcome;
  for (const auto& [key, change] : writes) {
    if (RecentWrites::Keeps(key.family)) recent_.Add(key, change, place);
  }
  last_entry_ = place.commit;
  logged_bytes_ += entry_.bytes().size();
  return outcome;
}

PostgresEngine::PostgresEngine(Options options)
    : options_(std::move(options)), owner_(NewOwner()), failures_(options_.clock) {}

PostgresEngine::~PostgresEngine() {
  heartbeat_ = nullptr;
  if (session_ == nullptr || dies_) return;
  if (const absl::Status given = session_->GiveBack(owner_); !given.ok()) {
    LogWarning("partitions_not_given_back", {{"error", given.message()}});
  }
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
  LeaseWatch watch(engine->options_.lease_silence);
  const absl::Duration pause = engine->options_.lease_silence / kLooksPerSilence;
  bool said = false;
  while (true) {
    std::string holder;
    absl::StatusOr<std::unique_ptr<Session>> session = engine->TryTake(&watch, &holder);
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

absl::StatusOr<std::unique_ptr<PostgresEngine::Session>> PostgresEngine::TryTake(
    LeaseWatch* watch, std::string* holder) {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Connect());
  BELLWIRE_ASSIGN_OR_RETURN(info_, ReadStoreInfo(connection.get()));
  const MonotonicTime now = options_.clock->Boottime();
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<LeaseOwner> owners, ReadOwners(connection.get()));
  std::vector<int64_t> from = {owner_};
  for (const LeaseOwner& owner : owners) {
    from.push_back(owner.id);
    if (owner.id == kNoOwner || owner.id == owner_) continue;
    watch->Saw(owner.id, owner.counter, now);
    if (!watch->IsSilent(owner.id, now)) *holder = owner.address;
  }
  if (!holder->empty()) return nullptr;
  BELLWIRE_ASSIGN_OR_RETURN(numbers_after_,
                            NumberStart(connection.get(), options_.clock->WallNow()));
  if (heartbeat_ == nullptr) {
    // From before the taking on: nobody must find this owner without.
    BELLWIRE_RETURN_IF_ERROR(BeatHeart(connection.get(), owner_));
    heartbeat_ = std::make_unique<Heartbeat>(
        Heartbeat::Options{.database = options_.database,
                           .owner = owner_,
                           .interval = options_.lease_silence / kBeatsPerSilence,
                           .clock = options_.clock});
  }
  PgConnection* const used = connection.get();
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                            TakeFrom(std::move(connection), owners, from));
  // What stays disturbs nobody.
  ForgetOtherHeartbeats(used, owner_).IgnoreError();
  return session;
}

absl::StatusOr<std::unique_ptr<PostgresEngine::Session>> PostgresEngine::TakeFrom(
    std::unique_ptr<PgConnection> connection, const std::vector<LeaseOwner>& owners,
    std::vector<int64_t> from) const {
  Taking taking{.from = std::move(from),
                .owner = owner_,
                .address = options_.address,
                .durability = options_.durability};
  for (int16_t p = 0; p <= info_.partitions; ++p) taking.partitions.push_back(p);
  for (const LeaseOwner& owner : owners) taking.epoch = std::max(taking.epoch, owner.epoch + 1);
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<Taken> taken, Take(connection.get(), taking));
  if (!taken.has_value()) {
    return StoreUnavailableError("another registry was quicker to take the partitions");
  }
  auto session = std::make_unique<Session>(std::move(connection), options_, info_, taking.epoch,
                                           *taken, &counts_);
  BELLWIRE_RETURN_IF_ERROR(session->Recover());
  LogInfo("partitions_taken",
          {{"epoch", taking.epoch}, {"partitions", taking.partitions.size()}});
  return session;
}

absl::StatusOr<std::unique_ptr<PostgresEngine::Session>> PostgresEngine::Resume() const {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Connect());
  BELLWIRE_ASSIGN_OR_RETURN(const StoreInfo info, ReadStoreInfo(connection.get()));
  if (info.partitions != info_.partitions || info.key != info_.key) {
    return NotOwnerError("the store in the database is another one now");
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<LeaseOwner> owners, ReadOwners(connection.get()));
  for (const LeaseOwner& owner : owners) {
    if (owner.id != owner_) {
      return NotOwnerError(absl::StrCat("another registry owns the partitions of this store: ",
                                        owner.id == kNoOwner ? "nobody yet" : owner.address));
    }
  }
  return TakeFrom(std::move(connection), owners, {owner_});
}

absl::StatusOr<PostgresEngine::Session*> PostgresEngine::Ready() const {
  if (session_ != nullptr) return session_.get();
  if (fenced_ || options_.clock->Monotonic() < next_attempt_) return last_error_;
  return MakeReady();
}

absl::StatusOr<PostgresEngine::Session*> PostgresEngine::MakeReady() const {
  absl::StatusOr<std::unique_ptr<Session>> session = Resume();
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
  BELLWIRE_ASSIGN_OR_RETURN(const Session* session, Ready());
  auto value = session->recent().Get(family, key);
  if (!value.ok()) NoteRead(value.status());
  return value;
}

absl::StatusOr<std::optional<absl::string_view>> PostgresEngine::View(Family family,
                                                                      absl::string_view key,
                                                                      std::string* storage) const {
  BELLWIRE_ASSIGN_OR_RETURN(const Session* session, Ready());
  auto value = session->recent().View(family, key, storage);
  if (!value.ok()) NoteRead(value.status());
  return value;
}

absl::Status PostgresEngine::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  BELLWIRE_ASSIGN_OR_RETURN(const Session* session, Ready());
  const absl::Status scanned = session->recent().Scan(family, from, to, visit);
  if (!scanned.ok()) NoteRead(scanned);
  return scanned;
}

absl::Status PostgresEngine::ReadDevices(
    absl::Span<const std::string> devices, size_t max_bytes,
    absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)> visit)
    const {
  BELLWIRE_ASSIGN_OR_RETURN(const Session* session, Ready());
  const absl::Status read = session->ReadDevices(devices, max_bytes, visit);
  if (!read.ok()) NoteRead(read);
  return read;
}

absl::Status PostgresEngine::Commit(const WriteSet& writes) {
  BELLWIRE_ASSIGN_OR_RETURN(Session * session, Ready());
  const Session::Outcome outcome = session->Commit(writes);
  if (outcome.status.ok()) return absl::OkStatus();
  const bool resolve = outcome.unknown || outcome.fenced;
  Drop(outcome.status, resolve ? absl::ZeroDuration() : kStoreReopenInterval);
  if (!resolve) return outcome.status;
  if (outcome.unknown) counts_.unknown.Add();
  const absl::StatusOr<Session*> resumed = MakeReady();
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
