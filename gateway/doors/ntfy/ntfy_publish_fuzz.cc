// Any request: lines of header fields, an empty line, a body. The first line is method and path. It
// is refused with one of ntfy's codes, or becomes JSON.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/ntfy/ntfy_error.h"
#include "gateway/doors/ntfy/ntfy_publish.h"

namespace bellwire::gateway {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

absl::string_view TakeLine(absl::string_view* text) {
  const size_t end = text->find('\n');
  const absl::string_view line = text->substr(0, end);
  text->remove_prefix(end == absl::string_view::npos ? text->size() : end + 1);
  return line;
}

void Try(absl::string_view text) {
  http::Request request;
  const absl::string_view first = TakeLine(&text);
  const size_t space = first.find(' ');
  request.head.method = std::string(first.substr(0, space));
  if (space != absl::string_view::npos) request.head.path = std::string(first.substr(space + 1));
  for (absl::string_view line = TakeLine(&text); !line.empty(); line = TakeLine(&text)) {
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    request.head.headers.push_back(
        {absl::AsciiStrToLower(line.substr(0, colon)),
         std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)))});
  }
  request.body = std::string(text);
  const auto credential = NtfyCredential(request.head);
  if (!credential.ok()) Require(NtfyErrorReply(credential.status()).status == 401);
  const auto publish =
      ReadNtfyPublish(request, request.head.path, absl::FromUnixSeconds(1'700'000'000));
  if (!publish.ok()) {
    const int status = NtfyErrorReply(publish.status()).status;
    Require(status >= 400 && status < 500);
    return;
  }
  Require(ParseJsonValue(DumpJson(ToNtfyJson(*publish, "id", absl::UnixEpoch(), std::nullopt)),
                         {.depth = 8, .values = 1'000'000})
              .ok());
}

}  // namespace
}  // namespace bellwire::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bellwire::gateway::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
