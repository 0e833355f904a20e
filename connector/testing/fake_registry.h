#ifndef BELLWIRE_CONNECTOR_TESTING_FAKE_REGISTRY_H_
#define BELLWIRE_CONNECTOR_TESTING_FAKE_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "rpc/priority.h"
#include "rpc/registry_api.h"

namespace bellwire::connector {

// The part of a registry that connectors see, in memory: mailboxes, routes, acknowledgements.
// Answers before the call returns, on the caller's thread. Thread-safe.
class FakeRegistry final : public SessionApi, public NetworkApi, public TopicApi {
 public:
  // Puts a message into a mailbox; answers its seq, and the route as of then.
  struct Appended {
    internal::v1::Envelope message;
    std::optional<internal::v1::Route> route;
  };
  Appended AddMessage(const DeviceId& device, absl::string_view payload, bool now_or_never = false);

  // Every call answers UNAVAILABLE while it is down.
  void set_down(bool down);
  std::optional<internal::v1::Route> RouteOf(const DeviceId& device) const;
  // What a connector of another process would have bound.
  void SetRoute(const DeviceId& device, const internal::v1::Route& route);
  size_t MailboxSize(const DeviceId& device) const;
  std::vector<uint64_t> AckedSeqs(const DeviceId& device) const;
  size_t calls() const;
  // What it was told of a hand-over; nullopt: nothing.
  std::optional<internal::v1::HandedOverRequest::Outcome> OutcomeOf(const DeviceId& device,
                                                                    uint64_t seq) const;
  // Where the end of a session that a Bind leaves behind is handed over. REQUIRES: no call is under
  // way.
  void SetHandOver(std::function<void(internal::v1::ConnectorRequest request)> hand_over) {
    hand_over_ = std::move(hand_over);
  }
  // "registration 7: news": what the device is subscribed to.
  std::set<std::string> TopicsOf(const DeviceId& device) const;
  // True as soon as `condition` holds, asked after every call; false if it takes longer than
  // `limit`.
  bool WaitUntil(absl::AnyInvocable<bool() const> condition,
                 absl::Duration limit = absl::Seconds(20)) const;

  BELLWIRE_SESSION_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_NETWORK_METHODS(BELLWIRE_OVERRIDE)
  // Devices call ChangeSubscription; what backends and gateways call answers UNIMPLEMENTED.
  BELLWIRE_TOPIC_METHODS(BELLWIRE_OVERRIDE)

 private:
  struct Device {
    std::optional<internal::v1::Route> route;
    uint64_t last_login_number = 0;
    uint64_t last_seq = 0;
    std::map<uint64_t, internal::v1::Envelope> mailbox;
    std::vector<uint64_t> acked;
    std::map<uint64_t, internal::v1::HandedOverRequest::Outcome> outcomes;
    std::set<std::string> topics;
  };

  // Runs `effect` on the device's records and answers what it says, or UNAVAILABLE.
  template <typename Response, typename Effect>
  void Serve(absl::string_view device_id, Done<Response> done, Effect effect);
  static void FillPage(const Device& device, uint64_t after, uint32_t max_bytes,
                       uint32_t max_messages, PrioritySet priorities, internal::v1::Page* page);

  std::function<void(internal::v1::ConnectorRequest request)> hand_over_;
  mutable absl::Mutex mutex_;
  mutable absl::CondVar changed_;
  std::map<std::string, Device> devices_ ABSL_GUARDED_BY(mutex_);
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_TESTING_FAKE_REGISTRY_H_
