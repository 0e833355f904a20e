// Any bytes as the JSON of a Send, of a batch, of what topics are asked, and as a value: refused
// with a reason, or taken. What is taken as a message reads back from what it is written as.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/message_json.h"
#include "google/protobuf/util/message_differencer.h"

namespace bellwire::gateway {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// Times that JSON can't say can't come out of JSON.
template <typename T>
void Read(absl::string_view text) {
  T message;
  const absl::Status status = ParseMessageJson(text, kMaxBatchMessages, &message);
  if (!status.ok()) return Require(!ErrorReason(status).empty());
  T again;
  Require(ParseMessageJson(MessageToJson(message), kMaxBatchMessages, &again).ok());
  Require(google::protobuf::util::MessageDifferencer::Equals(message, again));
}

}  // namespace
}  // namespace bellwire::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  bellwire::gateway::Read<bellwire::push::v1::SendRequest>(text);
  bellwire::gateway::Read<bellwire::push::v1::SendBatchRequest>(text);
  bellwire::gateway::Read<bellwire::push::v1::PublishRequest>(text);
  bellwire::gateway::Read<bellwire::push::v1::SubscribeRequest>(text);
  const auto value = bellwire::gateway::ParseJsonValue(text, {});
  if (!value.ok()) {
    bellwire::gateway::Require(!bellwire::ErrorReason(value.status()).empty());
  } else {
    bellwire::gateway::Require(!value->is_discarded());
  }
  return 0;
}
