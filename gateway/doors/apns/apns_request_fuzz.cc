#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gateway/doors/apns/apns_request.h"

// The first line is the path, then a header "name: value" a line, an empty line, and the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::TokenSealer;
  static const TokenSealer* const sealer = TokenSealer::ForTesting().release();
  static const std::string token =
      sealer->Seal({.registration_id = 7, .app_tag = bellwire::AppTag("com.example.mail")});

  absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits("\n\n", 1));
  bellwire::http::RequestHead head{.method = "POST"};
  for (absl::string_view line : absl::StrSplit(parts.first, '\n')) {
    if (head.path.empty()) {
      head.path = line == "TOKEN" ? "/3/device/" + token : std::string(line);
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    head.headers.push_back({std::string(field.first), std::string(field.second)});
  }
  if (!bellwire::gateway::apns::CheckHead(head).has_value()) {
    (void)bellwire::gateway::apns::Translate(head, std::string(parts.second), *sealer,
                                             absl::FromUnixSeconds(1'767'225'600));
  }
  return 0;
}
