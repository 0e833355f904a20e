// VerifyLogin takes whatever a peer sends before it has logged in. An input is the public key (91
// bytes), the exporter value (32), the login number (8) and the signature (the rest).

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "crypto/device_key.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto take = [&rest](size_t n) {
    const absl::string_view taken = rest.substr(0, n);
    rest.remove_prefix(taken.size());
    return taken;
  };
  const absl::string_view public_key = take(bellwire::kDevicePublicKeyBytes);
  const absl::string_view exporter = take(bellwire::kTlsExporterBytes);
  uint64_t login_number = 0;
  for (const char c : take(8)) login_number = login_number << 8 | static_cast<uint8_t>(c);

  const absl::Status status = bellwire::VerifyLogin(public_key, exporter, login_number, rest);
  // Whatever a peer sends is its mistake, never ours.
  if (!status.ok() && !absl::IsInvalidArgument(status) && !absl::IsUnauthenticated(status)) {
    std::abort();
  }
  return 0;
}
