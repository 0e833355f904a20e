#ifndef BELLWIRE_DEVICE_AGENT_CORE_REGISTRAR_H_
#define BELLWIRE_DEVICE_AGENT_CORE_REGISTRAR_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "bellwire/device/v1/device.pb.h"
#include "common/clock.h"
#include "common/log_limit.h"
#include "device-agent/apps/app_owner.h"
#include "device-agent/apps/subscription.h"
#include "device-agent/core/backoff.h"
#include "device-agent/core/subscription_names.h"
#include "device-agent/inbox/inbox.h"

namespace bellwire::agent {

// Gets tokens for apps and endpoints for subscriptions from the server, and tells it which of them
// are gone, whenever there is a session. What is said of apps here holds for subscriptions.
// Removals are on disk and outlive restarts; wishes for tokens live as long as their apps'
// connections. Never asks for an app while its removal is not confirmed, so the two can't overtake
// each other. Pure and single-threaded.
class Registrar {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // To the server; there is a session.
    virtual void SendRequest(const device::v1::AgentFrame& frame) = 0;
    // The inbox has a token for the app.
    virtual void OnRegistered(const std::string& app_id) = 0;
    virtual void OnRefused(const std::string& app_id, v1::Error::Code code,
                           absl::string_view message) = 0;
  };

  // All must outlive the registrar.
  Registrar(const Clock* clock, Inbox* inbox, const SubscriptionNames* names,
            absl::BitGenRef random, Owner* owner);

  // The app, which is `owner`'s, waits for a token; a subscription as well if it has an endpoint
  // and is to be something else from now on. May call OnRefused from inside.
  void Want(const std::string& app_id, const AppOwner& owner,
            std::optional<Subscription> subscription = std::nullopt);
  // It does not wait any more.
  void Unwant(const std::string& app_id);
  // Forgets the app (Inbox::Unregister), and whatever was asked for it.
  absl::Status Unregister(const std::string& app_id);

  // A session began: also asks for the tokens that a change of server voided. `server_tag`: what
  // the server calls the state of this device's registrations (Welcome). If it is another than that
  // in which they were found right last, each app is registered again, which answers the token that
  // lives. 0: the server does not say.
  void OnSessionStart(uint64_t server_tag);
  void OnSessionEnd();
  // Answers of the server. An error means that the session can't go on: our disk fails, or the
  // answer is nonsense.
  absl::Status OnAppRegistered(const device::v1::AppRegistered& answer);
  absl::Status OnAppRemoved(const device::v1::AppRemoved& answer);

  // The server asked us to wait until then; OnDeadline asks again.
  std::optional<MonotonicTime> deadline() const;
  void OnDeadline();

 private:
  struct Wish {
    AppOwner owner;
    // Of a subscription: what it is to be.
    std::optional<Subscription> subscription;
    // The app waits for it; otherwise only a token that changes is news to it.
    bool asked = false;
    // 0: not asked yet.
    uint32_t request_id = 0;
    // Unregistered after it was asked: the token dies as soon as it is there …
    bool withdrawn = false;
    // … and the app has asked for another one since.
    bool wanted_again = false;
  };
  struct Request {
    std::string app_id;
    bool removal = false;
    // Of a subscription that is to be registered: what it was said to be.
    std::optional<Subscription> subscription;
    // Of an app that is to be registered: RegisterApp.owner.
    std::string server_owner;
  };

  absl::Status OnToken(const Request& request, const device::v1::AppRegistered& answer);
  // Whether the registration is another app's, or another user's, here.
  bool IsOfAnother(const std::string& app_id, uint64_t registration_id) const;
  // Whether this user may have another app on this phone, or another subscription of this owner.
  bool HasPlaceFor(uid_t uid, const std::optional<Subscription>& subscription) const;
  // Asks what may be asked now.
  void Pump();
  void AskFor(const std::string& app_id, Wish* wish);
  void AskToRemove(const std::string& app_id);
  uint32_t NewRequest(Request request);
  void RetryLater();
  // Once nothing is open any more: everything here is as the server has it.
  absl::Status KeepTag();

  const Clock* const clock_;
  Inbox* const inbox_;
  const SubscriptionNames* const names_;
  Owner* const owner_;
  // An app may register and unregister as often as it likes.
  LogLimit registered_;
  Backoff backoff_;
  bool in_session_ = false;
  std::optional<MonotonicTime> retry_at_;
  uint32_t last_request_id_ = 0;
  // As the server said last in this session.
  uint64_t server_tag_ = 0;
  std::map<std::string, Wish> wants_;
  // Unanswered; at most kMaxPendingAppRequests.
  std::map<uint32_t, Request> requests_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_REGISTRAR_H_
