#ifndef BELLWIRE_GATEWAY_TOPICS_FAN_OUT_H_
#define BELLWIRE_GATEWAY_TOPICS_FAN_OUT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "gateway/topics/condition.h"
#include "net/loop/event_loop.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// Runs a task on the loop, after the current callback, unless the loop has ended. Thread-safe.
using PostTask = std::function<void(absl::AnyInvocable<void() &&>)>;

// What fan-outs need of the world. Not owned; all outlive them, and the registry's answers.
struct FanOutWorld {
  TopicApi* topics = nullptr;
  // Append and Recall, of messages that then are handed over to their devices' sessions.
  MailboxApi* mailboxes = nullptr;
  net::EventLoop* loop = nullptr;
  PostTask post;
};

// One topic message that this gateway has claimed, on its way to those who are subscribed; or on
// its way back from them. Reads pages of subscribers, sends to each under an id that follows from
// the topic message and the registration, and notes at the registry how far it is.
//
// Each subscriber gets the message once, whatever dies: what the registry has not heard of is sent
// again by whoever claims the topic message next, under the same ids, and the devices' records know
// them. So every Append lets the registry look for its id, the first one too: a gateway that is
// stopped and goes on after its lease can't know that another one has sent meanwhile.
//
// Its owner decides when it may send (FanOuts); it sends nothing by itself.
//
// Single-threaded: on the loop.
class FanOut : public std::enable_shared_from_this<FanOut> {
 public:
  // Unless it is prolonged. A gateway that dies costs its fan-outs that much.
  static constexpr absl::Duration kLease = absl::Seconds(15);
  // Subscribers of one page, and those read ahead of what is sent.
  static constexpr size_t kPageSize = 512;
  // Subscribers that were begun and are not noted at the registry: what another gateway may have to
  // repeat.
  static constexpr size_t kMaxNotNoted = 1024;
  // How far it is, is noted after so many subscribers or so much time.
  static constexpr size_t kNoteEvery = 256;
  static constexpr absl::Duration kNoteInterval = absl::Seconds(1);
  // How soon something is tried again that the registry could not do.
  static constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
  static constexpr absl::Duration kLastRetry = absl::Seconds(2);
  // Subscriptions of dead tokens that are ended at a time. Those beyond wait for the next fan-out.
  static constexpr size_t kMaxCleanUps = 16;

  enum class End {
    // All were sent to, or asked back, and the registry knows it.
    kDone,
    // The claim was given back: nothing is under way any more.
    kReleased,
    // The claim is another gateway's, or may be.
    kLost,
  };

  struct Listener {
    // TakeTurn may have become possible.
    std::function<void()> on_ready;
    // A call that TakeTurn made was answered: how long it took, or that it could not be served.
    std::function<void(absl::StatusOr<absl::Duration> took)> on_call;
    // Once; nothing is called after it.
    std::function<void(End)> on_end;
  };

  // `gateway` as in the Claim; the claim has a message.
  static std::shared_ptr<FanOut> Start(const FanOutWorld& world, std::string gateway,
                                       internal::v1::ClaimResponse claim, Listener listener);

  // Whether it has a subscriber to send to now.
  bool WantsTurn() const;
  // Sends to the next subscriber: one call. REQUIRES: WantsTurn().
  void TakeTurn();

  // Begins nothing new; ends as kReleased, once what is under way is over.
  void Stop();
  // Ends it as kLost, whatever is under way.
  void Abandon() { Finish(End::kLost); }

  bool recalls() const { return recalls_; }
  const std::string& team_id() const { return message_.team_id(); }
  const MessageId& message_id() const { return message_id_; }
  // Calls that were made by TakeTurn and are not answered.
  size_t under_way() const { return under_way_; }
  // Since the claim.
  int64_t sent() const { return sent_; }
  int64_t passed_over() const { return passed_over_; }

 private:
  // Who is to get it, from the first one that is not over on.
  struct Entry {
    enum class State : uint8_t { kWaits, kUnderWay, kToRetry, kSent, kPassedOver, kNobody };
    internal::v1::Subscriber subscriber;
    State state = State::kWaits;
    bool is_over() const { return state >= State::kSent; }
  };

  FanOut(const FanOutWorld& world, std::string gateway, internal::v1::ClaimResponse claim,
         Listener listener);

  // Time goes on while the machine sleeps, as it does for the lease.
  MonotonicTime Now() const { return world_.loop->clock().Boottime(); }
  // `then` on the loop, unless it has ended by then, with the answer and how long it took.
  template <typename Response>
  Done<Response> OnLoop(
      absl::AnyInvocable<void(FanOut*, absl::StatusOr<Response>, absl::Duration took) &&> then);

  void ReadPage();
  void OnPage(absl::StatusOr<internal::v1::PageSubscribersResponse> page);
  // Entries are counted from the beginning of this claim.
  Entry& At(uint64_t number) { return entries_[number - first_]; }
  uint64_t end() const { return first_ + entries_.size(); }
  // To the next one that is to be sent to.
  void SkipOver();
  void Send(uint64_t number);
  void Recall(uint64_t number);
  void OnAnswer(uint64_t number, const absl::Status& status, absl::Duration took);
  void RetryLater(uint64_t number);
  void CleanUp(const internal::v1::Subscriber& subscriber);
  // Takes away what is over at the front; then reads, notes or ends, as far as it is time.
  void MoveOn();
  void TakeAwayFront();
  void MakeNote(bool done, bool release);
  void SendNote();
  void OnNoted(absl::StatusOr<internal::v1::AdvanceResponse> noted);
  void OnTimer();
  bool LeaseHolds() const { return Now() < lease_end_; }
  void Finish(End end);

  const FanOutWorld world_;
  const std::string gateway_;
  const internal::v1::PublishTopicRequest message_;
  const MessageId message_id_;
  const bool recalls_;
  // Of a recall: nobody behind it was sent the message.
  const std::optional<internal::v1::Subscriber> up_to_;
  // Unset: it can't be read, which the gateway that took it had to see.
  const std::optional<Condition> condition_;
  Listener listener_;
  const std::unique_ptr<net::Timer> timer_;
  bool ended_ = false;
  // Nothing new is begun; `recall_asked_`: because the sender wants it back.
  bool stopping_ = false;
  bool recall_asked_ = false;
  bool refusal_logged_ = false;

  // Of entries, counted from the beginning: entries_[0], the next one that was not begun, the one
  // behind the last that is noted.
  std::deque<Entry> entries_;
  uint64_t first_ = 0;
  uint64_t next_ = 0;
  uint64_t noted_ = 0;
  size_t under_way_ = 0;
  std::deque<uint64_t> to_retry_;
  size_t clean_ups_ = 0;

  // The last one that was read.
  std::optional<internal::v1::Subscriber> read_to_;
  bool reading_ = false;
  bool all_read_ = false;
  // The last one that is over, as are all before it; what became of them since the last note.
  std::optional<internal::v1::Subscriber> over_to_;
  int64_t sent_not_noted_ = 0;
  int64_t passed_over_not_noted_ = 0;
  int64_t sent_ = 0;
  int64_t passed_over_ = 0;

  // A note that the registry has not confirmed: repeated as it is, so that it counts once.
  std::optional<internal::v1::AdvanceRequest> note_;
  uint64_t note_to_ = 0;
  bool noting_ = false;
  MonotonicTime note_began_;
  // The last one that was confirmed.
  MonotonicTime noted_at_;
  MonotonicTime lease_end_;
  // While the registry can't do something: the pause, and its end.
  absl::Duration retry_ = absl::ZeroDuration();
  MonotonicTime retry_at_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_FAN_OUT_H_
