// Fields of a call that anybody writes: content-type and grpc-timeout; and what answers a text that
// came from outside.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/doors/grpc/grpc_headers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)bellwire::gateway::IsGrpcContentType(text);
  const auto timeout = bellwire::gateway::ParseGrpcTimeout(text);
  if (timeout.has_value() && *timeout < absl::ZeroDuration()) std::abort();
  for (const char c : bellwire::gateway::PercentEncode(text)) {
    if (c < 0x20 || c > 0x7e) std::abort();
  }
  return 0;
}
