// Whatever comes as a message of FCM, it is read or refused; what the app would get is JSON again,
// and not too long.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "gateway/doors/fcm/fcm_message.h"
#include "nlohmann/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto message = bellwire::gateway::fcm::ReadFcmMessage(
      absl::string_view(reinterpret_cast<const char*>(data), size),
      absl::FromUnixSeconds(1'767'225'600));
  if (!message.ok()) {
    if (!absl::IsInvalidArgument(message.status())) std::abort();
    return 0;
  }
  const std::string& payload = message->send.payload();
  if (payload.size() > bellwire::kMaxPayloadBytes) std::abort();
  const nlohmann::json json = nlohmann::json::parse(payload, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.contains("token")) std::abort();
  const int targets = (message->send.token().empty() ? 0 : 1) + (message->topic.empty() ? 0 : 1) +
                      (message->condition.empty() ? 0 : 1);
  if (targets > 1) std::abort();
  return 0;
}
