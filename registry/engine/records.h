#ifndef BELLWIRE_REGISTRY_ENGINE_RECORDS_H_
#define BELLWIRE_REGISTRY_ENGINE_RECORDS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {

// DATA_LOSS if `bytes` is not a `Record`. RocksDB's checksums have vouched for the bytes; this is
// for the damage that happened before they were taken.
template <typename Record>
absl::StatusOr<Record> ParseRecord(absl::string_view bytes) {
  Record record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return StoreCorruptError(absl::StrCat("a record is no ", Record::descriptor()->full_name()));
  }
  return record;
}

// nullopt: there is none.
template <typename Record>
absl::StatusOr<std::optional<Record>> GetRecord(const KvReader& reader, Family family,
                                                absl::string_view key) {
  std::string storage;
  const auto bytes = reader.View(family, key, &storage);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<Record>();
  auto record = ParseRecord<Record>(**bytes);
  if (!record.ok()) return record.status();
  return std::optional<Record>(*std::move(record));
}

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_RECORDS_H_
