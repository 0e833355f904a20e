// The small texts that every door takes: base64, ids, HOST:PORT, public URLs, traceparent; and the
// printing of what came from outside. What is taken has one spelling, or at least one meaning.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "common/base64.h"
#include "common/host_port.h"
#include "common/ids.h"
#include "common/printable.h"
#include "common/public_urls.h"
#include "common/trace_context.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = bellwire::DecodeBase64Url(text); bytes.has_value()) {
    std::string again;
    absl::WebSafeBase64Escape(*bytes, &again);
    if (again != text) std::abort();
  }
  (void)bellwire::DecodeAnyBase64(text);
  if (const auto id = bellwire::ParseUuid(text); id.has_value()) {
    if (bellwire::FormatUuid(*id) != absl::AsciiStrToLower(text)) std::abort();
  }
  if (const auto id = bellwire::DeviceIdFromHex(text); id.has_value()) {
    if (bellwire::ToHex(*id) != absl::AsciiStrToLower(text)) std::abort();
  }
  if (bellwire::IsValidAppId(text) && text.size() < 3) std::abort();
  (void)bellwire::IsValidAlias(text);
  (void)bellwire::ParseHostPort(text);
  const auto urls = bellwire::PublicUrls::Parse({std::string(text)});
  if (urls.ok() && !urls->Contains(urls->first())) std::abort();
  if (const auto trace = bellwire::ParseTraceparent(text); trace.has_value()) {
    const std::string again = bellwire::FormatTraceparent(*trace);
    if (bellwire::ParseTraceparent(again) != trace) std::abort();
    if (text.substr(0, 2) == "00" && again != text) std::abort();
  }
  const std::string printed = bellwire::Printable(text);
  for (absl::string_view rest = printed; !rest.empty();) {
    const size_t length = bellwire::CharacterLength(rest);
    if (length == 0 || bellwire::IsControl(rest)) std::abort();
    rest.remove_prefix(length);
  }
  return 0;
}
