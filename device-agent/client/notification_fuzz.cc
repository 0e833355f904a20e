// ParseNotification takes what backends of strangers send. The first byte chooses the door.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "device-agent/client/notification.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::agent::v1::Content;
  if (size == 0) return 0;
  Content content;
  content.set_door(data[0] == 'A' ? Content::APNS : Content::FCM);
  const absl::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto notification = bellwire::agent::ParseNotification(content, payload);
  if (!notification.has_value()) return 0;
  // Nothing comes out that did not go in; a number or an object as JSON takes no more room.
  size_t text = 0;
  for (const auto& [name, value] : notification->data) text += name.size() + value.size();
  if (text > 8 * size) std::abort();
  return 0;
}
