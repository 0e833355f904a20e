#include "registry/check/database_check.h"

#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/postgres_snapshot.h"

namespace bellwire::registry {
namespace {

using Reader = PostgresSnapshot::Reader;

constexpr size_t kFamilies = static_cast<size_t>(Family::kTopics) + 1;

std::string NameOf(const PostgresSnapshot& snapshot, int partition) {
  const int shared = snapshot.partitions().shared();
  if (partition > shared) return absl::StrCat("the partition of feed ", partition - shared);
  return partition == snapshot.partitions().shared() ? "the partition of what is no device's"
                                                     : absl::StrCat("partition ", partition);
}

// Records that no owner of their device finds.
absl::Status CheckPlaces(const PostgresSnapshot& snapshot, int partition, CheckReport* report) {
  const Reader own(&snapshot, partition, Reader::Outbox::kOwn);
  for (size_t f = 0; f < kFamilies; ++f) {
    const auto family = static_cast<Family>(f);
    BELLWIRE_RETURN_IF_ERROR(own.Scan(
        family, "", std::string(64, '\xff'), [&](absl::string_view key, absl::string_view) {
          const int place = snapshot.partitions().Of(family, key);
          // Each registry has what it hears of networks in its own.
          const bool is_network = place == snapshot.partitions().shared() && partition > place &&
                                  family == Family::kNames && absl::StartsWith(key, "N");
          if (place != partition && !is_network) {
            report->Add(absl::StrCat("key ", absl::BytesToHexString(key), " of family ", f),
                        absl::StrCat("it lies in partition ", partition,
                                     ", where nobody looks for it, and not in ", place));
          }
          return true;
        }));
  }
  return absl::OkStatus();
}

// What is damage to be reported, and what is a reason not to go on.
absl::Status CheckPartition(PgConnection* connection, int partition, DatabaseCheckReport* report,
                            int* of) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresSnapshot> snapshot,
                            PostgresSnapshot::Open(connection));
  const int shared = snapshot->partitions().shared();
  *of = snapshot->partitions().end();
  report->opened = true;
  Reader reader(snapshot.get(), partition, Reader::Outbox::kAllInShared);
  absl::Status read;
  // What is no device's may be large, and is read once.
  if (partition != shared) read = reader.Hold();
  if (read.ok()) read = CheckPlaces(*snapshot, partition, &report->records);
  if (!read.ok()) {
    if (!absl::IsDataLoss(read)) return read;
    report->records.Add(NameOf(*snapshot, partition),
                        absl::StrCat("it can't be read: ", read.message()));
    return absl::OkStatus();
  }
  CheckPart(
      reader, [](uint64_t) {}, &report->records);
  // A read that failed is a problem of the report: if the database went away, it is no damage.
  if (connection->lost()) return absl::UnavailableError("the connection to the database broke");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DatabaseCheckReport> CheckDatabase(
    const DatabaseCheckOptions& options, absl::FunctionRef<void(int done, int of)> progress) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<PgConnection> connection,
                            PgConnection::Connect({.database = options.database,
                                                   .name = "bellwire registry check",
                                                   .clock = options.clock}));
  DatabaseCheckReport report;
  int of = 1;
  for (int partition = 0; partition < of; ++partition) {
    const absl::Status checked = CheckPartition(connection.get(), partition, &report, &of);
    if (absl::IsDataLoss(checked)) {
      // A commit log: without it nobody knows what the records are.
      report.opened = false;
      report.records.Add("commit log", std::string(checked.message()));
      return report;
    }
    BELLWIRE_RETURN_IF_ERROR(checked);
    report.partitions = partition + 1;
    progress(report.partitions, of);
  }
  return report;
}

}  // namespace bellwire::registry
