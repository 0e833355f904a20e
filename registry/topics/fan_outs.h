#ifndef BELLWIRE_REGISTRY_TOPICS_FAN_OUTS_H_
#define BELLWIRE_REGISTRY_TOPICS_FAN_OUTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "registry/engine/overlay.h"
#include "registry/keys/keys.h"
#include "registry/topics/fan_out_queue.h"

namespace bellwire::registry {

// Fan-outs of one team that have not ended: beyond it Publish answers LIMIT_REACHED. Each is a page
// of work at a time, and more of them at once would only make each of them slower.
inline constexpr size_t kMaxOpenFanOutsPerTeam = 100;
// Of all teams: what the queue holds in memory, 200 bytes each.
inline constexpr size_t kMaxOpenFanOuts = 16 * 1024;
// How long a claim may last without an Advance, whatever the gateway asks for.
inline constexpr absl::Duration kMaxClaimLease = absl::Minutes(5);
// A topic message that is due to be forgotten is kept this much longer if it has not expired, or if
// its fan-out still runs.
inline constexpr absl::Duration kForgetAgainAfter = absl::Hours(1);

// Topic messages and their fan-outs, of all teams: who may send which, how far each is.
// Transactions of the team. Each message has three records: the message itself, how far it is, and
// how many messages came to each step (topic_steps.h), since these change at different times.
//
// Where a fan-out is:
//
//   (publish) ─▶ sending ──done──▶ ended (DONE) ──recall──▶ recalling ──done──▶ ended (RECALLED)
//                   └──recall: nobody sends any more──────▶    ↑
//
// A recall begins when the gateway that sends gives its claim back, or when the claim ends. So
// nothing is recalled while it is still being sent.
//
// A claim is kept in memory and in the record of its fan-out. A restart of the registry gives each
// claim its whole lease again, so the time of the restart never ends a claim. If the gateway is
// gone too, its fan-out waits for one lease.
//
// Changes are staged in the overlay, which outlives it. Not thread-safe. Errors: those of KvReader,
// and those named.
class FanOuts {
 public:
  // `retention`: how long a topic message is kept.
  FanOuts(Overlay* overlay, absl::Duration retention) : overlay_(overlay), retention_(retention) {}
  // Where receipts and subscribers are counted. Before it: in feed 0.
  void SetFeeds(std::function<std::vector<uint32_t>()> feeds) { feeds_ = std::move(feeds); }

  // As the methods of Store.
  absl::StatusOr<bool> Publish(const internal::v1::PublishTopicRequest& request, int64_t now_ms,
                               MonotonicTime now);
  absl::StatusOr<std::optional<internal::v1::ClaimResponse>> Claim(const std::string& gateway,
                                                                   absl::Duration lease,
                                                                   MonotonicTime now);
  absl::StatusOr<bool> Advance(const internal::v1::AdvanceRequest& request, int64_t now_ms,
                               MonotonicTime now);
  absl::StatusOr<push::v1::TopicMessage> Get(absl::string_view team_id, const MessageId& message_id,
                                             MonotonicTime now);
  absl::StatusOr<push::v1::TopicMessage> Recall(absl::string_view team_id,
                                                const MessageId& message_id, int64_t now_ms,
                                                MonotonicTime now);
  // The team was deleted: its fan-outs end.
  absl::Status EndAll(absl::string_view team_id, int64_t now_ms, MonotonicTime now);
  // A timeline entry of kTopicMessage is due.
  absl::Status Wake(const TimelineEntry& entry, int64_t now_ms, MonotonicTime now);

  // Whether Claim would give one. False where the store can't be read.
  bool IsClaimable(MonotonicTime now);
  // The commit failed: what was staged is gone.
  void OnCommitFailed() { loaded_ = false; }

 private:
  absl::Status Load(MonotonicTime now);
  //   MESSAGE_NOT_FOUND
  absl::StatusOr<storage::v1::FanOut> GetFanOut(absl::string_view team_id,
                                                const MessageId& message_id) const;
  absl::StatusOr<storage::v1::TopicMessage> GetMessage(absl::string_view team_id,
                                                       const MessageId& message_id) const;
  void Put(absl::string_view team_id, const MessageId& message_id,
           const storage::v1::FanOut& fan_out);
  void Open(const OpenFanOut& fan_out);
  void Close(const OpenFanOut& fan_out);
  // From sending to recalling, which begins at the start: nobody sends any more. `up_to`: how far
  // the fan-out came at most.
  void BeginRecall(const OpenFanOut& ref, const internal::v1::Subscriber* up_to, int64_t now_ms,
                   storage::v1::FanOut* fan_out);
  absl::StatusOr<push::v1::TopicMessage> Describe(absl::string_view team_id,
                                                  const MessageId& message_id,
                                                  const storage::v1::FanOut& fan_out,
                                                  MonotonicTime now) const;

  Overlay* const overlay_;
  const absl::Duration retention_;
  std::function<std::vector<uint32_t>()> feeds_ = [] { return std::vector<uint32_t>{0}; };
  FanOutQueue queue_;
  // Whether the queue has what the records say.
  bool loaded_ = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_FAN_OUTS_H_
