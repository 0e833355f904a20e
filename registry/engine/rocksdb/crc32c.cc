#include "registry/engine/rocksdb/crc32c.h"

#include <array>
#include <cstddef>

namespace bellwire::registry {
namespace {

// Eight bytes a step ("slicing-by-8"): a log of hundreds of megabytes is checked at every start.
constexpr size_t kSlices = 8;
using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

constexpr Tables MakeTables() {
  constexpr uint32_t kPolynomialReflected = 0x82f63b78;
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomialReflected : 0);
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t slice = 1; slice < kSlices; ++slice) {
      const uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data) {
  crc = ~crc;
  const auto byte = [&data](size_t i) { return static_cast<uint8_t>(data[i]); };
  for (; data.size() >= kSlices; data.remove_prefix(kSlices)) {
    const uint32_t low =
        crc ^ (byte(0) | static_cast<uint32_t>(byte(1)) << 8 |
               static_cast<uint32_t>(byte(2)) << 16 | static_cast<uint32_t>(byte(3)) << 24);
    crc = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^ kTables[5][(low >> 16) & 0xff] ^
          kTables[4][low >> 24] ^ kTables[3][byte(4)] ^ kTables[2][byte(5)] ^ kTables[1][byte(6)] ^
          kTables[0][byte(7)];
  }
  for (; !data.empty(); data.remove_prefix(1)) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ byte(0)) & 0xff];
  }
  return ~crc;
}

}  // namespace bellwire::registry
