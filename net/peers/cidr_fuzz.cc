// Address ranges of a configuration file, one a line.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "net/peers/cidr.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> ranges = absl::StrSplit(text, '\n');
  const auto list = bellwire::net::CidrList::Parse(ranges);
  if (!list.ok() && !absl::IsInvalidArgument(list.status())) std::abort();
  return 0;
}
