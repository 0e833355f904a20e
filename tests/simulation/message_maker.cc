#include "tests/simulation/message_maker.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/limits.h"

namespace bellwire::simulation {
namespace {

// What may have to come to its end by its ttl does so in the quiet hours of a run.
constexpr absl::Duration kLongestShortTtl = absl::Hours(2);
constexpr absl::Duration kLongestAhead = absl::Hours(3);

MessageId NewId(Random& random) {
  std::array<uint8_t, MessageId::kSize> bytes;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return MessageId(bytes);
}

}  // namespace

bool StandsForGatewayMade(const MessageId& id) {
  return static_cast<uint8_t>(id.bytes().front()) % 4 == 0;
}

MadeMessage MakeMessage(Random& random, const AppName& to, const std::string& token,
                        absl::Time now) {
  MadeMessage made;
  Model::Message& message = made.message;
  message.to = to;
  message.token = token;
  message.id = NewId(random);
  message.priority = random.Chance(0.5)   ? push::v1::PRIORITY_NORMAL
                     : random.Chance(0.7) ? push::v1::PRIORITY_HIGH
                                          : push::v1::PRIORITY_LOW;
  message.ttl = kMaxTtl;
  if (random.Chance(0.05)) {
    message.now_or_never = true;
    message.ttl = absl::ZeroDuration();
  } else if (random.Chance(0.15)) {
    message.ttl = absl::Floor(random.Between(absl::Seconds(1), kLongestShortTtl), absl::Seconds(1));
  }
  push::v1::SendRequest& request = made.request;
  if (!message.now_or_never && random.Chance(0.1)) {
    message.collapse_key = absl::StrCat("key", random.Below(2));
    request.set_collapse_key(message.collapse_key);
  }
  if (!message.now_or_never && random.Chance(0.03)) {
    message.deliver_at = now + random.Between(absl::Seconds(1), kLongestAhead);
    const int64_t at_ms = absl::ToUnixMillis(message.deliver_at);
    message.deliver_at = absl::FromUnixMillis(at_ms);
    request.mutable_deliver_at()->set_seconds(at_ms / 1000);
    request.mutable_deliver_at()->set_nanos(static_cast<int32_t>(at_ms % 1000) * 1'000'000);
    // Otherwise its end might come after the run's.
    if (message.ttl < kMaxTtl) {
      message.ttl = absl::Floor(random.Between(absl::Seconds(1), absl::Hours(1)), absl::Seconds(1));
    }
  }
  request.mutable_ttl()->set_seconds(absl::ToInt64Seconds(message.ttl));
  message.expires_no_earlier_than = std::max(now, message.deliver_at) + message.ttl;
  request.set_token(token);
  request.set_priority(message.priority);
  request.set_message_id(FormatUuid(message.id));
  return made;
}

}  // namespace bellwire::simulation
