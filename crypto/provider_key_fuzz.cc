// CheckProviderPublicKey and CheckServiceAccountPublicKey take PEM from the admin API. What they
// take, they take again in the form they gave it, and nothing is both.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "crypto/provider_key.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view pem(reinterpret_cast<const char*>(data), size);
  const auto key = bellwire::CheckProviderPublicKey(pem);
  if (!key.ok() && !absl::IsInvalidArgument(key.status())) std::abort();
  if (key.ok() && bellwire::CheckProviderPublicKey(*key).value() != *key) std::abort();
  const auto rsa = bellwire::CheckServiceAccountPublicKey(pem);
  if (!rsa.ok() && !absl::IsInvalidArgument(rsa.status())) std::abort();
  if (rsa.ok() && bellwire::CheckServiceAccountPublicKey(*rsa).value() != *rsa) std::abort();
  if (key.ok() && rsa.ok()) std::abort();
  return 0;
}
