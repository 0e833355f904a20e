#ifndef BELLWIRE_TESTS_SIMULATION_MODEL_H_
#define BELLWIRE_TESTS_SIMULATION_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/ids.h"
#include "tests/simulation/trace.h"

namespace bellwire::simulation {

// An app on a device.
struct AppName {
  int device = 0;
  int app = 0;
  friend auto operator<=>(const AppName&, const AppName&) = default;
};

// What Bellwire promises, held against what providers were answered, what apps were shown and what
// the registry says became of each message. The first broken promise is kept, and nothing after it
// counts. Thread-compatible.
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

    absl::Time sent_at;
    // Counts of events, to tell what was before what.
    uint64_t sent = 0;
    uint64_t answered = 0;
    bool recalled = false;
    int shown = 0;
  };
  struct Violation {
    std::string what;
    int device;
  };
  struct Counts {
    uint64_t sent = 0;
    uint64_t accepted = 0;
    uint64_t refused = 0;
    uint64_t unanswered = 0;
    uint64_t shown = 0;
    std::map<push::v1::Step, uint64_t> ended;
  };

  // `trace` must outlive it.
  explicit Model(Trace* trace) : trace_(trace) {}

  // --- Apps. ---
  void OnToken(const AppName& app, const std::string& token);
  // The app is about to unregister, and the agent said that it has.
  void OnUnregister(const AppName& app);
  void OnUnregistered(const AppName& app);
  void OnShown(const AppName& app, absl::string_view payload);
  // The app's present token, or none.
  std::optional<std::string> TokenOf(const AppName& app) const;

  // --- Providers. ---
  // The message is about to be sent for the first time. Gives it its number.
  uint64_t OnSend(Message message);
  void OnAccepted(uint64_t number, push::v1::SendResponse::Outcome outcome);
  // It certainly was not accepted, now or before.
  void OnRefused(uint64_t number, absl::string_view reason);
  // The provider gave up: nobody knows.
  void OnGivenUp(uint64_t number);
  void OnRecall(uint64_t number) { messages_.at(number).recalled = true; }
  const Message& message(uint64_t number) const { return messages_.at(number); }

  // --- The registry. ---
  // Messages that were sent, and are not known to have ended or not to have been accepted.
  const std::set<uint64_t>& open() const { return open_; }
  // What the registry says of one of them; `skew` is the most that any clock was ever off.
  void OnLooked(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found,
                absl::Time now, absl::Duration skew);
  // Everything has had its time: what is open now is lost.
  void OnEnd(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found);

  const std::optional<Violation>& violation() const { return violation_; }
  const Counts& counts() const { return counts_; }
  void Violate(int device, std::string what);

 private:
  struct App {
    std::string token;
    // It unregistered, and nothing of the token before may be shown.
    bool dead = false;
    // By priority: when the latest of what it was shown was sent.
    std::map<push::v1::Priority, uint64_t> shown_sent;
  };

  Trace* const trace_;
  uint64_t event_ = 0;
  uint64_t next_number_ = 1;
  std::map<uint64_t, Message> messages_;
  std::set<uint64_t> open_;
  std::map<AppName, App> apps_;
  // Every token there ever was.
  std::map<std::string, AppName> tokens_;
  std::set<std::string> unregistered_tokens_;
  Counts counts_;
  std::optional<Violation> violation_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_MODEL_H_
