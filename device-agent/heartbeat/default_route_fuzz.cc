// The kernel's tables, in which a router and its neighbours have a say. An input is the three
// texts, divided by zero bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "device-agent/heartbeat/default_route.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<absl::string_view> tables = absl::StrSplit(text, absl::MaxSplits('\0', 2));
  tables.resize(3);
  (void)bellwire::agent::ParseDefaultRoute(tables[0], tables[1], tables[2]);
  return 0;
}
