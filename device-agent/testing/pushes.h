#ifndef BELLWIRE_DEVICE_AGENT_TESTING_PUSHES_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_PUSHES_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/device/v1/device.pb.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bellwire::agent {

// The message id of the n-th message of a test.
inline std::string TestMessageId(uint64_t n) {
  std::array<uint8_t, MessageId::kSize> bytes{};
  for (int i = 0; i < 8; ++i) bytes[15 - i] = static_cast<uint8_t>(n >> (8 * i));
  bytes[0] = 0xb1;
  return std::string(MessageId(bytes).bytes());
}

// The push at position `seq`, with message id TestMessageId(seq) and payload "message <seq>", good
// for an hour.
inline device::v1::Push TestPush(uint64_t seq, uint64_t registration_id, const Clock& clock) {
  device::v1::Push push;
  push.set_seq(seq);
  push.set_message_id(TestMessageId(seq));
  push.set_registration_id(registration_id);
  push.set_payload(absl::StrCat("message ", seq));
  push.set_accepted_at_ms(WallNowMs(clock));
  push.set_expires_at_ms(WallNowMs(clock) + absl::ToInt64Milliseconds(absl::Hours(1)));
  return push;
}

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_PUSHES_H_
