// What a sender of Web Push says in its fields: an input is one field a line, "name: value", an
// empty line, and the body.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "gateway/doors/webpush/push_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits("\n\n", 1));
  bellwire::http::HeaderList headers;
  for (const absl::string_view line : absl::StrSplit(parts.first, '\n')) {
    const std::pair<std::string, std::string> field =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    headers.push_back({field.first, field.second});
  }
  const auto request =
      bellwire::webpush::ParsePushRequest(headers, std::string(parts.second), "00c0ffee");
  // Whatever is sent is the sender's mistake, never ours.
  if (!request.ok() && !absl::IsInvalidArgument(request.status())) std::abort();
  if (request.ok() && (request->ttl_seconds < 0 || request->send.ttl().seconds() < 0)) std::abort();
  (void)bellwire::webpush::PreferredWait(headers);
  return 0;
}
