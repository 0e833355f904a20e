#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_DISTRIBUTOR_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_DISTRIBUTOR_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/companion/subscription_hub.h"
#include "device-agent/companion/unifiedpush/arguments.h"
#include "device-agent/companion/unifiedpush/connectors.h"
#include "device-agent/companion/unifiedpush/registration_note.h"
#include "device-agent/core/backoff.h"

namespace bellwire::companion {

// Registrations that one app, and all apps of the user, may have.
inline constexpr size_t kMaxRegistrationsPerApp = 32;
inline constexpr size_t kMaxRegistrations = 512;
// Calls of apps that wait for an answer, of all apps together.
inline constexpr size_t kMaxWaitingRegisters = 256;
// How long Register waits for the agent before it answers NETWORK. Shorter than the 25 s that D-Bus
// libraries wait.
inline constexpr absl::Duration kRegisterPatience = absl::Seconds(15);
// Between two attempts to reach an app that fails, at first and at most. An app that takes its name
// on the bus is tried at once.
inline constexpr absl::Duration kFirstRest = absl::Seconds(2);
inline constexpr absl::Duration kLongestRest = absl::Minutes(10);

// What a Register call is answered.
struct RegisterAnswer {
  // "": it succeeded. Otherwise a reason of the specification: INTERNAL_ERROR, NETWORK,
  // ACTION_REQUIRED, VAPID_REQUIRED, UNAUTHORIZED.
  std::string reason;
};

// The logic of the UnifiedPush distributor: who registered, and what each app is to be told next.
//
// A registration is (service, token). For each there is one call at a time, in this order: the
// endpoint if it has changed, then its messages. The app's answer acknowledges a message; an app of
// the first generation, which need not answer, has taken it as well when the time is over and the
// app owns its name. A call that fails is made again after a rest, for as long as it takes: such an
// app holds up itself alone, and its messages wait in the agent.
//
// Pure: no bus and no timer of its own. Single-threaded.
class Distributor final : public SubscriptionFront {
 public:
  static constexpr char kPrefix[] = "up:";

  // What is passed in must outlive this object, and call none of its functions after it.
  Distributor(SubscriptionHub* hub, Connectors* connectors, const Clock* clock,
              absl::BitGenRef random);
  ~Distributor() override;

  // Takes up the registrations that the hub keeps, and attaches itself to it. Once.
  void Start();

  // An app with the unique name `sender` calls Register; `answer` is called once.
  void Register(const RegisterRequest& request, const std::string& sender,
                std::function<void(const RegisterAnswer&)> answer);
  // An app calls Unregister. OK: the registration is dead, or there was none; the caller is told so
  // by Unregistered too. PERMISSION_DENIED: the token is another app's.
  void Unregister(Generation generation, const std::string& token, const std::string& sender,
                  std::function<void(const absl::Status&)> answer);
  // An app has taken its name on the bus (Connectors::Watch).
  void OnServiceAppeared(const std::string& service);

  // When RunDue() has something to do; nullopt: never.
  std::optional<MonotonicTime> next_due() const;
  void RunDue();

  size_t registrations() const { return by_instance_.size(); }

  // SubscriptionFront
  void OnEndpoint(const std::string& instance, const std::string& endpoint) override;
  void OnUnsubscribed(const std::string&) override {}
  void OnMessage(const Message& message) override;
  void OnGap(const std::string& instance, uint32_t dropped, uint64_t delivery_id) override;
  void OnError(const std::string& instance, agent::v1::Error::Code code,
               const std::string& text) override;
  void OnAgent(bool) override {}

 private:
  // A Register call that waits for the endpoint.
  struct Asker {
    std::function<void(const RegisterAnswer&)> answer;
    MonotonicTime patience_ends;
  };
  struct Registration {
    RegistrationNote note;
    std::string vapid_key;
    // Empty: the agent has not said it yet.
    std::string endpoint;
    std::vector<Asker> askers;
    // NewEndpoint is to be called.
    bool tell_endpoint = false;
    // The agent's window bounds them.
    std::deque<Message> messages;
    // A call is under way.
    bool calling = false;
    // After a call that failed: until then nothing is tried.
    std::optional<MonotonicTime> rests_until;
    std::optional<agent::Backoff> backoff;
  };
  using ByInstance = std::map<std::string, Registration>;

  // Register, from an app that owns its name.
  void Admit(const RegisterRequest& request, std::function<void(const RegisterAnswer&)> answer);
  // Register, of a (service, token) that there is not yet.
  void Add(const RegisterRequest& request, std::function<void(const RegisterAnswer&)> answer);
  // Notes it at the hub; the reason if that fails, else "".
  std::string Keep(const std::string& instance, const Registration& registration);
  // Puts it into the tables, and out of them; its askers are answered `reason`.
  ByInstance::iterator Insert(const std::string& instance, Registration registration);
  void Remove(ByInstance::iterator it, absl::string_view reason);
  // Takes the askers out of the registration and answers them.
  static void AnswerAll(Registration* registration, absl::string_view reason);
  // Unregister, by the owner of the registrations' service.
  void Kill(const std::vector<std::string>& instances, Generation generation,
            const std::string& token, const std::string& sender,
            const std::function<void(const absl::Status&)>& answer);

  // Makes the next call of the registration, if there is one to make now.
  void Proceed(const std::string& instance);
  // The call to `instance` came to its end.
  void OnCallDone(const std::string& instance, const ConnectorCall& call, uint64_t delivery_id,
                  CallOutcome outcome);
  void Finish(const std::string& instance, const ConnectorCall& call, uint64_t delivery_id,
              bool taken);

  SubscriptionHub* const hub_;
  Connectors* const connectors_;
  const Clock* const clock_;
  absl::BitGenRef random_;
  ByInstance by_instance_;
  // (service, token) to instance.
  std::map<std::pair<std::string, std::string>, std::string> by_name_;
  // Registers that wait: for the owner of a name, or as askers.
  size_t waiting_registers_ = 0;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_DISTRIBUTOR_H_
