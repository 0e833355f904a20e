#include "registry/engine/postgres/postgres_session.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/pg_status.h"

namespace bellwire::registry {
namespace {

// Of RecentWrites, what goes to the table with one commit, as in RocksDbEngine.
constexpr uint64_t kMinLeavingBytes = 128 * 1024;
// Of another owner's log, what goes to the table with one commit.
constexpr uint64_t kTakenBytesPerCommit = 1024 * 1024;

// Tells where a log begins, and how much it has, on the way.
class CountingLog final : public CommitLog {
 public:
  CountingLog(const CommitLog& log, uint64_t* first, uint64_t* bytes)
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

}  // namespace

PostgresSession::PostgresSession(std::unique_ptr<PgConnection> connection, Options options,
                                 const StoreInfo& info, Counts* counts)
    : options_(options),
      partitions_(info.partitions, info.key, options.feed),
      connection_(std::move(connection)),
      table_(connection_.get(), &partitions_, options_.clock, &counts->reads),
      log_(connection_.get(), partitions_.own(), &statement_),
      counts_(*counts) {}

bool PostgresSession::IsLatest(int16_t log, uint64_t commit, Family family,
                               absl::string_view key) const {
  const auto it = owned_.find(static_cast<int16_t>(partitions_.Of(family, key)));
  return it != owned_.end() && it->second.log.log == log &&
         static_cast<int64_t>(commit) >= it->second.log.from;
}

void PostgresSession::NoteOwned() {
  std::vector<int16_t> owned;
  for (const auto& [partition, of] : owned_) owned.push_back(partition);
  table_.SetOwned(owned);
}

absl::Status PostgresSession::Add(int64_t epoch, const std::vector<TakenPartition>& taken) {
  const int16_t own = static_cast<int16_t>(partitions_.own());
  std::set<int16_t> others;
  std::vector<int16_t> moves;
  for (const TakenPartition& each : taken) {
    owned_.insert_or_assign(each.partition,
                            Owned{.epoch = epoch, .commit_no = each.commit_no, .log = each.log});
    last_commit_no_ = std::max(last_commit_no_, each.commit_no);
    if (each.log.log == own) continue;
    moves.push_back(each.partition);
    if (each.log.log != kNoLog) others.insert(each.log.log);
  }
  NoteOwned();
  if (!std::exchange(own_log_read_, true)) BELLWIRE_RETURN_IF_ERROR(ReadOwnLog());
  for (const int16_t log : others) BELLWIRE_RETURN_IF_ERROR(TakeLog(log));
  BELLWIRE_RETURN_IF_ERROR(UseOwnLog(moves));
  return table_.LookAtOutbox();
}

absl::Status PostgresSession::ReadOwnLog() {
  uint64_t first = 0;
  BELLWIRE_ASSIGN_OR_RETURN(RecoveredWrites recovered,
                            RecoverFrom(CountingLog(log_, &first, &logged_bytes_),
                                        [&](uint64_t commit, Family family, absl::string_view key) {
                                          return IsLatest(static_cast<int16_t>(partitions_.own()),
                                                          commit, family, key);
                                        }));
  last_entry_ = recovered.last_commit;
  // As if all of it had been written by the first entry: what is older leaves for the table first.
  for (auto& [key, change] : recovered.writes) {
    recent_.Add(key, std::move(change), LogPlace{first, 0});
  }
  return absl::OkStatus();
}

absl::Status PostgresSession::TakeLog(int16_t log) {
  const PostgresCommitLog theirs(connection_.get(), log, &statement_);
  uint64_t first = 0, bytes = 0;
  BELLWIRE_ASSIGN_OR_RETURN(const RecoveredWrites recovered,
                            RecoverFrom(CountingLog(theirs, &first, &bytes),
                                        [&](uint64_t commit, Family family, absl::string_view key) {
                                          return IsLatest(log, commit, family, key);
                                        }));
  statement_.Clear();
  uint64_t staged = 0;
  for (const auto& [key, change] : recovered.writes) {
    Stage(key.family, key.key, change.value);
    staged += key.key.size() + (change.value.has_value() ? change.value->size() : 0);
    if (staged < kTakenBytesPerCommit) continue;
    BELLWIRE_RETURN_IF_ERROR(Run().status);
    statement_.Clear();
    staged = 0;
  }
  if (!statement_.empty()) BELLWIRE_RETURN_IF_ERROR(Run().status);
  if (recovered.last_commit > 0) {
    LogInfo("commit_log_taken", {{"log", log},
                                 {"entries", recovered.last_commit - first + 1},
                                 {"bytes", bytes},
                                 {"records", recovered.writes.size()}});
  }
  return absl::OkStatus();
}

absl::Status PostgresSession::UseOwnLog(const std::vector<int16_t>& partitions) {
  if (partitions.empty()) return absl::OkStatus();
  const LogOfPartition log{.log = static_cast<int16_t>(partitions_.own()),
                           .from = static_cast<int64_t>(last_entry_) + 1};
  BELLWIRE_RETURN_IF_ERROR(MoveLog(connection_.get(), options_.owner, partitions, log));
  for (const int16_t partition : partitions) owned_[partition].log = log;
  return absl::OkStatus();
}

absl::Status PostgresSession::Give(const std::vector<int16_t>& partitions, int64_t to,
                                   const std::string& address) {
  const std::set<int> given(partitions.begin(), partitions.end());
  statement_.Clear();
  recent_.TakeThose(
      [&](Family family, absl::string_view key) {
        return given.count(partitions_.Of(family, key)) > 0;
      },
      [&](Family family, absl::string_view key, const std::optional<std::string>& value) {
        Stage(family, key, value);
      });
  if (!statement_.empty()) BELLWIRE_RETURN_IF_ERROR(Run().status);
  BELLWIRE_RETURN_IF_ERROR(GiveAway(connection_.get(), options_.owner, partitions, to, address));
  for (const int16_t partition : partitions) owned_.erase(partition);
  NoteOwned();
  return absl::OkStatus();
}

absl::Status PostgresSession::ReadDevices(
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

void PostgresSession::Stage(Family family, absl::string_view key,
                            const std::optional<std::string>& value) {
  const int partition = partitions_.Of(family, key);
  if (!value.has_value()) {
    statement_.Delete(partition, family, key);
    return;
  }
  if (family == Family::kOutbox) table_.PutsIntoOutbox();
  statement_.Put(partition, family, key, *value);
}

void PostgresSession::StageRecent(const WriteSet& writes, const LogPlace& place,
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

PostgresSession::Outcome PostgresSession::Run() {
  Outcome outcome;
  outcome.partition = *statement_.touched().begin();
  outcome.commit_no = last_commit_no_ + 1;
  const auto epoch_of = [this](int partition) {
    const auto it = owned_.find(static_cast<int16_t>(partition));
    return it == owned_.end() ? int64_t{-1} : it->second.epoch;
  };
  // The names are read after the commit: emptying them releases commits that wait for a standby,
  // and this backend hears of it before it reads its next statement.
  const PgQuery queries[] = {statement_.Query(epoch_of, outcome.commit_no),
                             {&kReadStandbyNames, {}}};
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
  return outcome;
}

PostgresSession::Outcome PostgresSession::Commit(const WriteSet& writes) {
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
  // Who takes any partition of an owner takes all, so its own tells whose all are. A look alone
  // would not do: a primary that was cut off shows old leases, and acknowledges nothing.
  if (statement_.empty()) statement_.Touch(partitions_.own());
  const Outcome outcome = Run();
  if (!outcome.status.ok() || !logs) return outcome;
  for (const auto& [key, change] : writes) {
    if (RecentWrites::Keeps(key.family)) recent_.Add(key, change, place);
  }
  last_entry_ = place.commit;
  logged_bytes_ += entry_.bytes().size();
  return outcome;
}

}  // namespace bellwire::registry
