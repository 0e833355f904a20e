// A Web Push body: its Content-Encoding, Encryption and Crypto-Key on lines of their own, then the
// body.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/doors/webpush/encrypted_body.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::webpush::kAes128gcmOverhead;
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  bellwire::http::HeaderList headers;
  for (const char* name : {"content-encoding", "encryption", "crypto-key"}) {
    const size_t newline = input.find('\n');
    if (newline == absl::string_view::npos) break;
    headers.push_back({name, std::string(input.substr(0, newline))});
    input.remove_prefix(newline + 1);
  }
  const auto content = bellwire::webpush::ContentOf(headers, input);
  if (!content.ok()) return 0;
  if (!input.empty() && content->encoding().empty()) abort();
  if (content->encoding() == "aes128gcm" && input.size() < kAes128gcmOverhead) abort();
  if (content->encryption().size() > bellwire::webpush::kMaxFieldBytes) abort();
  return 0;
}
