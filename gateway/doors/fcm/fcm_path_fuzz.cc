// The path of a request, before anybody knows who asks.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "gateway/doors/fcm/fcm_path.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto path = bellwire::gateway::fcm::ParseFcmPath(text);
  // Nothing that is decoded is longer than it was.
  if (path.has_value() && path->project.size() + path->token.size() + path->topic.size() > size) {
    std::abort();
  }
  return 0;
}
