// Any body of a notification: refused with an error of Matrix, or a push a device, each within the
// bounds of a Send, to endpoints of this server only.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/public_urls.h"
#include "gateway/doors/matrix/matrix_notify.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto& urls =
      *new bellwire::PublicUrls(*bellwire::PublicUrls::Parse({"https://push.example.com"}));
  const auto pushes = bellwire::gateway::ReadMatrixNotify(
      absl::string_view(reinterpret_cast<const char*>(data), size), urls);
  if (!pushes.ok()) {
    Require(absl::StartsWith(bellwire::ErrorReason(pushes.status()), "M_"));
    return 0;
  }
  Require(!pushes->empty() && pushes->size() <= bellwire::gateway::kMaxMatrixDevices);
  for (const bellwire::gateway::MatrixPush& push : *pushes) {
    if (!push.send.has_value()) continue;
    Require(absl::StartsWithIgnoreCase(push.pushkey, "https://push.example.com"));
    Require(push.send->payload().size() <= bellwire::kMaxPayloadBytes);
    Require(push.send->token().size() <= bellwire::kMaxTokenChars);
  }
  return 0;
}
