// ParseEncryptedToken takes what an app sends to its backend. What it takes has one spelling.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "crypto/encryption/encrypted_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto token = bellwire::ParseEncryptedToken(text);
  if (token.ok() && bellwire::FormatEncryptedToken(*token) != text) std::abort();
  if (!token.ok() && !absl::IsInvalidArgument(token.status())) std::abort();
  return 0;
}
