// `registry check` and a restore read stores that may be damaged or made up. An input is a list of
// records: family, length of the key, key, two bytes of length of the value, value.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "registry/check/check.h"
#include "registry/engine/memory_engine.h"

namespace {

constexpr size_t kFamilies = static_cast<size_t>(bellwire::registry::Family::kTopics) + 1;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  using bellwire::registry::Family;
  bellwire::registry::WriteSet writes;
  absl::string_view rest = text;
  while (rest.size() >= 4) {
    const auto family = static_cast<Family>(static_cast<uint8_t>(rest[0]) % kFamilies);
    const size_t key_size = static_cast<uint8_t>(rest[1]);
    const size_t value_size =
        static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8 | static_cast<uint8_t>(rest[3]);
    rest.remove_prefix(4);
    const std::string key(rest.substr(0, key_size));
    rest.remove_prefix(key.size());
    const std::string value(rest.substr(0, value_size));
    rest.remove_prefix(value.size());
    writes.insert_or_assign({family, key}, value);
  }
  bellwire::registry::MemoryEngine engine;
  if (!engine.Commit(writes).ok()) std::abort();
  bellwire::registry::CheckReport report;
  bellwire::registry::CheckRecords(
      engine, [](uint64_t) {}, &report);
  return 0;
}
