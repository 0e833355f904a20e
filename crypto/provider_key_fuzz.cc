// CheckProviderPublicKey takes PEM from the admin API. What it takes, it takes again in the form it
// gave it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "crypto/provider_key.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto key = bellwire::CheckProviderPublicKey(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!key.ok() && !absl::IsInvalidArgument(key.status())) std::abort();
  if (key.ok() && bellwire::CheckProviderPublicKey(*key).value() != *key) std::abort();
  return 0;
}
