#include "registry/transfer/transfer.h"

#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/version.h"
#include "registry/keys/keys.h"
#include "registry/transfer/export_stream.h"

namespace bellwire::registry {
namespace {

constexpr uint64_t kProgressEvery = 1024;

}  // namespace

absl::StatusOr<Transferred> ExportStore(const StoreSource& source, absl::Time now,
                                        std::function<absl::Status(absl::string_view)> write,
                                        absl::FunctionRef<void(uint64_t records)> progress) {
  ExportWriter writer(std::move(write));
  storage::v1::ExportHeader header;
  header.set_made_at_ms(ToStoredMs(now));
  header.set_made_by(std::string(kVersion));
  header.set_numbers_after(source.numbers_after());
  BELLWIRE_RETURN_IF_ERROR(writer.Begin(header));
  BELLWIRE_RETURN_IF_ERROR(
      source.ForEach([&](Family family, absl::string_view key, absl::string_view value) {
        if (writer.records() % kProgressEvery == 0) progress(writer.records());
        return writer.Add(family, key, value);
      }));
  BELLWIRE_RETURN_IF_ERROR(writer.End());
  return Transferred{.records = writer.records(), .fingerprint = writer.fingerprint()};
}

absl::StatusOr<Transferred> ImportStore(
    std::function<absl::StatusOr<size_t>(absl::Span<char>)> read,
    absl::FunctionRef<absl::StatusOr<std::unique_ptr<StoreTarget>>(uint64_t numbers_after)>
        open_target,
    absl::FunctionRef<void(uint64_t records)> progress) {
  ExportReader reader(std::move(read));
  // A stream that is none must not open anything.
  BELLWIRE_ASSIGN_OR_RETURN(const storage::v1::ExportHeader header, reader.Begin());
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<StoreTarget> target,
                            open_target(header.numbers_after()));
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::optional<storage::v1::ExportRecords> records,
                              reader.Next());
    if (!records.has_value()) break;
    BELLWIRE_RETURN_IF_ERROR(target->Add(*records));
    progress(reader.records());
  }
  BELLWIRE_RETURN_IF_ERROR(target->Finish());
  return Transferred{.records = reader.records(), .fingerprint = reader.fingerprint()};
}

}  // namespace bellwire::registry
