#include "gateway/topics/fan_out_id.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "openssl/sha.h"

namespace bellwire::gateway {

MessageId FanOutMessageId(const MessageId& topic_message, const DeviceId& device,
                          uint64_t registration_id) {
  // Never changed: a gateway of the next version goes on with what one of this version began.
  std::string bytes =
      absl::StrCat("bellwire topic message 1", topic_message.bytes(), device.bytes());
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(registration_id >> shift));
  }
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), digest.data());
  std::array<uint8_t, MessageId::kSize> id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  // RFC 9562, 5.8.
  id[6] = (id[6] & 0x0f) | 0x80;
  id[8] = (id[8] & 0x3f) | 0x80;
  return MessageId(id);
}

}  // namespace bellwire::gateway
