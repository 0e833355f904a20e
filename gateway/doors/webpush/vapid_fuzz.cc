// The credential of a Web Push request: an Authorization, and after a newline a Crypto-Key.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/doors/webpush/vapid.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t newline = input.find('\n');
  bellwire::http::HeaderList headers = {{"authorization", std::string(input.substr(0, newline))}};
  if (newline != absl::string_view::npos) {
    headers.push_back({"crypto-key", std::string(input.substr(newline + 1))});
  }
  const auto parsed = bellwire::webpush::ParseVapid(headers);
  if (!parsed.ok()) return 0;
  // There is an Authorization.
  if (!parsed->has_value()) abort();
  const bellwire::webpush::VapidCredential& credential = **parsed;
  if (credential.key.size() != bellwire::webpush::kVapidKeyBytes) abort();
  const auto claims = bellwire::webpush::ParseVapidJwt(credential.jwt);
  if (!claims.ok()) return 0;
  if (claims->audiences.empty()) abort();
  (void)bellwire::webpush::CheckVapidSignature(credential.jwt, credential.key);
  return 0;
}
