// Whatever lies in the state directory is read without a crash, and what is made of it can be used,
// written, and read again as the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "device-agent/heartbeat/interval_search.h"
#include "device-agent/heartbeat/network_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::agent::IntervalSearch;
  using bellwire::agent::NetworkTable;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto table = NetworkTable::Parse(bytes);
  if (!table.ok()) return 0;
  if (table->size() > bellwire::agent::kMaxKnownNetworks) abort();
  const std::string written = table->Serialize();
  auto again = NetworkTable::Parse(written);
  if (!again.ok() || again->Serialize() != written) abort();

  if (size < bellwire::NetworkId::kSize + 4) return 0;
  const auto id = bellwire::NetworkId::FromBytes(bytes.substr(4, bellwire::NetworkId::kSize));
  IntervalSearch search(table->Use(*id), {});
  absl::Time now = absl::FromUnixSeconds(1'767'225'600);
  for (int i = 0; i < 200; ++i) {
    const absl::Duration target = search.Target();
    if (target < bellwire::kMinHeartbeatInterval || target > bellwire::agent::kLongestSilence) {
      abort();
    }
    now += target;
    if (target < absl::Minutes(5)) {
      search.Survived(target, now);
    } else {
      search.Died(target, now);
    }
  }
  return 0;
}
