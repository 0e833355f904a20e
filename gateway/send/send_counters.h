#ifndef BELLWIRE_GATEWAY_SEND_SEND_COUNTERS_H_
#define BELLWIRE_GATEWAY_SEND_SEND_COUNTERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "gateway/send/send_door.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/histogram.h"
#include "ops/metrics/samples.h"

namespace bellwire::gateway {

// How a Send was answered: few enough to be a label.
enum class SendAnswer : uint8_t {
  kAccepted,
  kDelivered,
  kNotConnected,
  // A retry of a message that is known.
  kDuplicate,
  // validate_only.
  kValid,
  // The request is wrong, and always will be.
  kInvalid,
  // A token that was never issued, or that is not for this sender.
  kBadToken,
  kUnregistered,
  kMailboxFull,
  // No room for the call, here or at the registry.
  kOverloaded,
  kQuota,
  kUnavailable,
  // Anything else: a fault of ours.
  kInternal,
};
inline constexpr size_t kSendAnswers = 13;
// "accepted", …
absl::string_view Name(SendAnswer answer);
SendAnswer AnswerOf(const absl::Status& error);
SendAnswer AnswerOf(const push::v1::SendResponse& response);

// What a gateway counts of Sends. Thread-safe.
class SendCounters {
 public:
  void Count(SendDoor door, bool is_team, SendAnswer answer) {
    messages_[static_cast<size_t>(door)][is_team ? 1 : 0][static_cast<size_t>(answer)].Add();
  }
  // It was admitted, and answered after `took`.
  void Time(SendDoor door, absl::Duration took) {
    times_[static_cast<size_t>(door)].Observe(took);
  }

  // Messages that never came are left out, but for accepted ones of teams: each door has a series
  // from the start.
  void Report(metrics::Samples* samples) const;

 private:
  struct Times : metrics::Histogram {
    Times() : Histogram(metrics::kAnswerTimes, Unit::kMicroseconds) {}
  };

  std::array<std::array<std::array<metrics::Counter, kSendAnswers>, 2>, kSendDoors> messages_;
  std::array<Times, kSendDoors> times_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_SEND_COUNTERS_H_
