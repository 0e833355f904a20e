// Whatever is in a file of ticket secrets: a bounded number of them, or an error that names the
// reason.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "common/error.h"
#include "net/tls/ticket_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto secrets =
      bellwire::net::ParseTicketSecrets({reinterpret_cast<const char*>(data), size});
  if (!secrets.ok()) {
    if (bellwire::ErrorReason(secrets.status()) != "BAD_TICKET_KEY_FILE") std::abort();
  } else if (secrets->empty() || secrets->size() > bellwire::net::kMaxTicketSecrets) {
    std::abort();
  }
  return 0;
}
