// Any bytes as a PROXY header, read as from a socket: it ends, within its bound.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/doors/http/proxy/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwire::http;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  size_t have = 0;
  for (;;) {
    const ProxyHeader header = ReadProxyHeader(input.substr(0, have));
    if (header.state != ProxyHeader::State::kMore) {
      if (header.client.has_value() && bellwire::net::FormatAddress(*header.client).empty())
        abort();
      return 0;
    }
    if (header.wants == 0 || have + header.wants > kMaxProxyHeaderBytes) abort();
    if (have + header.wants > size) return 0;
    have += header.wants;
  }
}
