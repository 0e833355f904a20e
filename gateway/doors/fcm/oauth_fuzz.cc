// Whatever comes as a token request, its assertion is read or it is refused as invalid.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "gateway/doors/fcm/oauth.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto assertion = bellwire::gateway::fcm::ReadTokenRequest(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (assertion.ok()) {
    if (assertion->size() > size) std::abort();
  } else if (!absl::IsInvalidArgument(assertion.status()) ||
             bellwire::ErrorReason(assertion.status()).empty()) {
    std::abort();
  }
  return 0;
}
