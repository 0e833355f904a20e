#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "device-agent/network/rtnetlink.h"

// Whatever bytes come: the parser ends, reads nothing beyond them, and reports no more than fits in
// them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kLeastMessageBytes = 16;
  const bellwire::agent::NetworkDatagram datagram = bellwire::agent::ParseNetworkDatagram(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (datagram.news.size() > size / kLeastMessageBytes) std::abort();
  return 0;
}
