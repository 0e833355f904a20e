#ifndef BELLWIRE_TESTS_SIMULATION_MODEL_H_
#define BELLWIRE_TESTS_SIMULATION_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "tests/simulation/priority_rules.h"
#include "tests/simulation/trace.h"

namespace bellwire::simulation {

// An app on a device.
struct AppName {
  int device = 0;
  int app = 0;
  friend auto operator<=>(const AppName&, const AppName&) = default;
};

// What there is of each app: whose it is, and what it wants of a full mailbox.
std::string AppIdOf(int app);
std::string TeamOf(int app);
admin::v1::OverflowPolicy PolicyOf(int app);

// What Bellwire promises, held against what providers were answered, what apps were shown, what the
// registry says became of each message, and what the feeds of receipts say. Knows nothing of how
// Bellwire works. The first broken promise is kept, and nothing after it counts. Thread-compatible.
class Model {
 public:
  struct Message {
    uint64_t number = 0;
    AppName to;
    std::string token;
    MessageId id;
    push::v1::Priority priority = push::v1::PRIORITY_NORMAL;
    std::string collapse_key;
    bool now_or_never = false;
    // True wall time; infinite past: at once.
    absl::Time deliver_at = absl::InfinitePast();
    // True wall time: accepted no earlier than it was sent.
    absl::Time expires_no_earlier_than;
    // From `deliver_at`, or from when it is accepted.
    absl::Duration ttl;

    // What follows the model fills in. Counts of events tell what was before what.
    uint64_t sent = 0;
    uint64_t answered = 0;
    absl::Time answered_at;
    push::v1::SendResponse::Outcome outcome = push::v1::SendResponse::OUTCOME_UNSPECIFIED;
    // Its sender tried more than once.
    bool repeated = false;
    bool recalled = false;
    // When its recall was answered other than RECALLED; infinite future: it was not.
    absl::Time recall_heard_at = absl::InfiniteFuture();
    // No app has it, and none will: its recall said so, or a receipt did.
    bool gone = false;
    // Its recall said that it has ended.
    bool over = false;
    int shown = 0;
    absl::Time shown_at;
    // STEP_UNSPECIFIED: it has not, as far as we know.
    push::v1::Step end = push::v1::STEP_UNSPECIFIED;
    // What the feed said of it, in that order.
    std::vector<push::v1::Step> receipts;
  };
  struct Violation {
    std::string what;
    int device;
    // 0: of no message.
    uint64_t message = 0;
  };
  struct Counts {
    uint64_t sent = 0;
    uint64_t accepted = 0;
    uint64_t refused = 0;
    uint64_t unanswered = 0;
    uint64_t shown = 0;
    // Of those, after a while, because of their priority.
    uint64_t waited = 0;
    // Of those, when nothing had gone wrong for long: had they come late, it would have been seen.
    uint64_t timed = 0;
    uint64_t activity_changes = 0;
    uint64_t gaps = 0;
    uint64_t recalls = 0;
    uint64_t receipts = 0;
    // Receipts that a feed gave more than once, as it may.
    uint64_t repeated_receipts = 0;
    uint64_t dead_tokens = 0;
    uint64_t intrusions = 0;
    std::map<push::v1::Step, uint64_t> ended;
  };

  // Both must outlive it. `clock` is the true time.
  Model(const Clock* clock, Trace* trace) : clock_(clock), trace_(trace), rules_(clock) {}

  // What is known of phones, for the sake of priorities.
  PriorityRules& rules() { return rules_; }

  // --- Apps. ---
  void OnToken(const AppName& app, const std::string& token);
  // It is about to say so, and may have to say it again …
  void OnUnregister(const AppName& app);
  // … and was told that it is done: nothing of the token before is shown from now on.
  void OnUnregistered(const AppName& app);
  // For the first time as far as the app knows.
  void OnShown(const AppName& app, absl::string_view payload);
  void OnGap(const AppName& app, uint32_t dropped);
  // Its phone was suspended, and no more.
  void OnWake(int device);
  // The agent has heard whether its phone is used.
  void OnActivity(int device, bool in_use);
  // Nullopt: the app has none now.
  std::optional<std::string> TokenOf(const AppName& app) const;
  // Tokens of this app that are dead for certain.
  const std::vector<std::string>& DeadTokensOf(const AppName& app);

  // --- Providers. ---
  // The message is about to be sent for the first time. Gives it its number.
  uint64_t OnSend(Message message);
  void OnRepeat(uint64_t number);
  void OnAccepted(uint64_t number, push::v1::SendResponse::Outcome outcome);
  // It certainly was not accepted, now or before.
  void OnRefused(uint64_t number, const absl::Status& why);
  // The provider gave up: nobody knows.
  void OnGivenUp(uint64_t number);
  void OnRecall(uint64_t number);
  void OnRecallAnswered(uint64_t number, push::v1::RecallResponse::Outcome outcome);
  const Message& message(uint64_t number) const { return messages_.at(number); }
  // Somebody tried what must not be possible, and was answered so. `allowed`: reasons to refuse it.
  void OnIntrusion(int device, absl::string_view what, const absl::Status& answer,
                   const std::set<std::string>& allowed);
  // A registry starts that numbers from there on (docs/decisions/numbers_of_a_start.md).
  void OnRegistryStart(uint64_t numbers_after) { starts_.insert(numbers_after); }

  // --- The feeds of receipts. ---
  // `position` and all that is at it, from any watch of the team.
  void OnReceipt(const std::string& team, uint64_t position, const std::string& token,
                 const std::optional<MessageId>& message, push::v1::Step step);

  // --- The registry. ---
  // Messages that were sent, and are not known to have ended or not to have been accepted.
  const std::set<uint64_t>& open() const { return open_; }
  // Somebody looks at all that are open …
  void BeginLook() { waiting_.clear(); }
  // … and this is what the registry says of one of them.
  void OnLooked(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found);
  // Everything has had its time: what is open now is lost …
  void OnEnd(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found);
  // … what is known to have ended still has that one end …
  const std::map<uint64_t, Message>& messages() const { return messages_; }
  void OnLookedAgain(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found);
  // … and what was to be heard has been.
  void CheckEnd();

  // Some clock is off by so much from now on …
  void OnClockSet(absl::Duration skew);
  // … or all are right.
  void OnClocksRight() { skew_now_ = absl::ZeroDuration(); }

  const std::optional<Violation>& violation() const { return violation_; }
  const Counts& counts() const { return counts_; }
  void Violate(int device, std::string what, uint64_t message = 0);

 private:
  struct App {
    std::string token;
    // It unregistered, and nothing of the token before may be shown.
    bool dead = false;
    // By priority: when the latest of what it was shown was sent.
    std::map<push::v1::Priority, uint64_t> shown_sent;
    // The same by collapse key.
    std::map<std::string, uint64_t> shown_of_key;
    // Gone since it got its token, as its notices say.
    uint64_t gap = 0;
    std::vector<std::string> dead_tokens;
  };
  struct Token {
    AppName app;
    bool unregistered = false;
    // The feed said that it died.
    bool dead_in_feed = false;
    uint64_t sent = 0;
    uint64_t open = 0;
    uint64_t overflowed = 0;
    uint64_t refused_full = 0;
    // Messages of which some try was not answered: it may have been refused.
    uint64_t unanswered = 0;
    std::map<std::string, int> sent_of_key;
  };
  struct Phone {
    absl::Time woke = absl::InfinitePast();
  };
  // What each position of a feed said, from the first that anybody saw.
  using Feed = std::map<uint64_t, uint64_t>;

  // `what` goes on after the message's name.
  void Violate(const Message& message, absl::string_view what);
  void CheckShown(const AppName& app, Message& message);
  void CheckTimeShown(const Message& message);
  // As the rules see it.
  PriorityRules::Message TimesOf(const Message& message) const;
  // Of one that has not ended as far as the registry knows. Empty: it may go on so.
  std::string WhyNotOver(const Message& message) const;
  // A recall or a receipt says that no app has it.
  void OnGone(Message& message);
  std::string WhyNot(const Message& message, push::v1::Step end) const;
  void Close(uint64_t number);

  const Clock* const clock_;
  Trace* const trace_;
  PriorityRules rules_;
  uint64_t event_ = 0;
  uint64_t next_number_ = 1;
  absl::Duration max_skew_;
  // The most that a clock may be off now.
  absl::Duration skew_now_;
  std::map<uint64_t, Message> messages_;
  std::map<MessageId, uint64_t> numbers_;
  std::set<uint64_t> open_;
  std::map<AppName, App> apps_;
  // Every one there ever was.
  std::map<std::string, Token> tokens_;
  std::map<int, Phone> phones_;
  std::set<uint64_t> starts_;
  std::map<std::string, Feed> feeds_;
  // By token: what holds a place in its mailbox.
  std::map<std::string, size_t> waiting_;
  Counts counts_;
  std::optional<Violation> violation_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_MODEL_H_
