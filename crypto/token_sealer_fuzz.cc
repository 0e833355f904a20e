// TokenSealer::Open takes whatever providers send. Nothing opens but what was sealed.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "crypto/token_sealer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bellwire::TokenSealer* const sealer = bellwire::TokenSealer::ForTesting().release();
  const absl::string_view token(reinterpret_cast<const char*>(data), size);
  const auto contents = sealer->Open(token);
  if (contents.has_value() && sealer->Seal(*contents) != token &&
      sealer->SealShort(*contents) != token) {
    std::abort();
  }
  const auto grant = sealer->OpenGrant(token);
  if (grant.has_value() && sealer->SealGrant(*grant) != token) std::abort();
  return 0;
}
