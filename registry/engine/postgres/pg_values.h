#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_VALUES_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_VALUES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Parameters of statements in PostgreSQL's binary format: no quoting, no escapes, and bytes are
// sent as they are. A statement casts each of its parameters ($1::int8), so that the server expects
// just the type that is sent.
namespace bellwire::registry {

// nullopt: NULL.
using PgValue = std::optional<std::string>;

PgValue PgInt2(int16_t value);
PgValue PgInt4(int32_t value);
PgValue PgInt8(int64_t value);
// bytea and text look the same.
inline PgValue PgBytes(absl::string_view bytes) { return std::string(bytes); }

// Inverse of PgInt8. REQUIRES: bytes.size() == 8.
int64_t ParsePgInt8(absl::string_view bytes);

// An array of one dimension.
class PgArray {
 public:
  enum class Of { kInt2, kInt8, kBytes, kText };

  explicit PgArray(Of type) : type_(type) {}

  // REQUIRES: of the array's type.
  void Add(const PgValue& value);
  void AddBytes(absl::string_view bytes);

  int32_t size() const { return size_; }
  PgValue value() const;
  void Clear();

 private:
  Of type_;
  int32_t size_ = 0;
  std::string elements_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_VALUES_H_
