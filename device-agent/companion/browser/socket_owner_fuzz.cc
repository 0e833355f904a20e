// The kernel's table of connections, whoever has filled it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "device-agent/companion/browser/socket_owner.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)bellwire::companion::OwnerInProcNetTcp(text, 0x0100007f, 0x5000, 0x0100007f, 0x1ad3);
  return 0;
}
