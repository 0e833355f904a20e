#include "registry/engine/postgres/pg_values.h"

namespace bellwire::registry {
namespace {

template <typename Int>
void AppendBigEndian(Int value, std::string* out) {
  for (int shift = static_cast<int>(sizeof(Int)) * 8 - 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift));
  }
}

template <typename Int>
PgValue BigEndian(Int value) {
  std::string bytes;
  AppendBigEndian(value, &bytes);
  return bytes;
}

// Object ids of the built-in types, which never change (pg_type.dat).
int32_t OidOf(PgArray::Of type) {
  switch (type) {
    case PgArray::Of::kInt2:
      return 21;
    case PgArray::Of::kInt8:
      return 20;
    case PgArray::Of::kText:
      return 25;
    case PgArray::Of::kBytes:
      break;
  }
  return 17;
}

}  // namespace

PgValue PgInt2(int16_t value) { return BigEndian(value); }
PgValue PgInt4(int32_t value) { return BigEndian(value); }
PgValue PgInt8(int64_t value) { return BigEndian(value); }

int64_t ParsePgInt8(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return static_cast<int64_t>(value);
}

void PgArray::Add(const PgValue& value) {
  ++size_;
  AppendBigEndian(value.has_value() ? static_cast<int32_t>(value->size()) : -1, &elements_);
  if (value.has_value()) elements_ += *value;
}

void PgArray::AddBytes(absl::string_view bytes) {
  ++size_;
  AppendBigEndian(static_cast<int32_t>(bytes.size()), &elements_);
  elements_.append(bytes.data(), bytes.size());
}

PgValue PgArray::value() const {
  std::string bytes;
  bytes.reserve(20 + elements_.size());
  AppendBigEndian(int32_t{size_ == 0 ? 0 : 1}, &bytes);  // Dimensions.
  AppendBigEndian(int32_t{0}, &bytes);                   // No NULLs, as a hint.
  AppendBigEndian(OidOf(type_), &bytes);
  if (size_ == 0) return bytes;
  AppendBigEndian(size_, &bytes);
  AppendBigEndian(int32_t{1}, &bytes);  // Index of the first.
  bytes += elements_;
  return bytes;
}

void PgArray::Clear() {
  size_ = 0;
  elements_.clear();
}

}  // namespace bellwire::registry
