#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_RECORD_TABLE_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_RECORD_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "ops/metrics/histogram.h"
#include "registry/engine/device_reader.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/pg_values.h"

namespace bellwire::registry {

// What the table bellwire.records holds. Each read is a round trip.
//
// Not thread-safe.
class RecordTable final : public KvReader {
 public:
  // Rows of the first page of a scan, and of the others: most scans end early.
  static constexpr int kFirstPageRows = 64;
  static constexpr int kPageRows = 1024;
  static constexpr absl::Duration kReadTimeout = absl::Seconds(5);
  // Of ReadDevices, for one round trip: a batch of the writer has no more operations.
  static constexpr size_t kMaxDevicesAtOnce = 1024;
  // A device with more records of a family is not read whole.
  static constexpr int kMaxDeviceRows = 512;

  // None is owned; all outlive this. `reads` gets the time of each round trip.
  RecordTable(PgConnection* connection, const Partitions* partitions, const Clock* clock,
              metrics::Histogram* reads)
      : connection_(*connection), partitions_(*partitions), clock_(*clock), reads_(*reads) {}

  // In these a Scan over the timeline or the outbox of many devices looks. Other scans over many
  // devices look into all partitions.
  void SetOwned(const std::vector<int16_t>& owned);

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;

  // As DeviceReader.
  absl::Status ReadDevices(
      absl::Span<const std::string> devices, size_t max_bytes,
      absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)>
          visit) const;

  // Looks whether the outbox is empty here, which it nearly always is: entries leave it within
  // milliseconds. Then nobody looks into it again, until something was put there.
  absl::Status LookAtOutbox();
  void PutsIntoOutbox() { outbox_is_empty_ = false; }

 private:
  // One round trip.
  absl::StatusOr<PgRows> Read(const PgStatement& statement, std::vector<PgValue> parameters) const;
  absl::StatusOr<PgRows> ReadRowsOf(absl::Span<const std::string> devices, size_t max_bytes) const;
  absl::StatusOr<PgRows> ReadPage(Family family, absl::string_view from, absl::string_view to,
                                  int rows) const;

  PgConnection& connection_;
  const Partitions& partitions_;
  const Clock& clock_;
  metrics::Histogram& reads_;
  PgValue owned_;
  bool outbox_is_empty_ = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_RECORD_TABLE_H_
