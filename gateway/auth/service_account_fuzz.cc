// An assertion names its account in a claim that nobody has verified yet. What is taken has one
// spelling.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "gateway/auth/service_account.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto account = bellwire::gateway::ParseServiceAccountEmail(text);
  if (account.has_value() && bellwire::gateway::ServiceAccountEmail(*account) != text) std::abort();
  return 0;
}
