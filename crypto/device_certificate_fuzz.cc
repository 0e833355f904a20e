// Any bytes as a device certificate: what somebody shows who is no device of ours yet.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"
#include "crypto/certificates.h"
#include "crypto/device_certificate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::DeviceAuthority;
  static const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  static const auto authority = *DeviceAuthority::FromPem(
      bellwire::MakeCertificateAuthority("ca", {now, now + absl::Hours(1)})->certificate_pem, "");
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const bellwire::DeviceId device = *bellwire::DeviceId::FromBytes("0123456789abcdef");
  // Nobody has the authority's key.
  if (authority->Check(text, device, now).ok()) abort();
  if (authority->Check(absl::StrCat("bwc_", text), device, now).ok()) abort();
  (void)bellwire::DeviceCertificateLine(text);
  return 0;
}
