// Any text as Forwarded and X-Forwarded-For: nothing crashes, and no trusted proxy is taken for a
// client.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/doors/http/proxy/forwarded.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwire;
  static const net::CidrList proxies = *net::CidrList::Parse({"10.0.0.0/8", "::1"});
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"forwarded", "x-forwarded-for"}) {
    const auto client = http::ForwardedClient({{name, text}}, proxies);
    if (client.has_value() && proxies.Contains(*client)) abort();
  }
  return 0;
}
