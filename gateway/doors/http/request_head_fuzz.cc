// Lines of "name value" as the fields of a head: what is taken has no byte that could be read
// otherwise by whoever it is passed to.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "gateway/doors/http/request_head.h"

namespace bellwire::http {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsClean(absl::string_view text) {
  return text.find_first_of(absl::string_view("\r\n\0", 3)) == absl::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  RequestHeadReader reader(size > 0 && data[0] == 't');
  for (const absl::string_view line : absl::StrSplit(input, '\x1e')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits('\x1f', 1));
    if (!reader.Add(field.first, field.second)) return 0;
  }
  Require(reader.bytes() <= kMaxHttpHeadBytes);
  if (!reader.Finish()) return 0;
  const RequestHead head = reader.Take();
  Require(IsClean(head.method) && IsClean(head.path) && IsClean(head.authority));
  for (const Header& header : head.headers) {
    Require(!header.name.empty() && header.name.front() != ':' && IsClean(header.name));
    Require(absl::AsciiStrToLower(header.name) == header.name);
    Require(IsClean(header.value));
    Require(header.name != "connection" && header.name != "transfer-encoding");
  }
  return 0;
}

}  // namespace bellwire::http
