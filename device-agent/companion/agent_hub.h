#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_AGENT_HUB_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_AGENT_HUB_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device-agent/client/companion_client.h"
#include "device-agent/companion/subscription_hub.h"
#include "device-agent/companion/subscription_store.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/samples.h"

namespace bellwire::companion {

// The hub of a real companion: subscriptions in a store, messages from the agent of the phone.
// Single-threaded but for Report(): whoever calls it also calls Dispatch() of its client.
class AgentHub final : public SubscriptionHub {
 public:
  // CompanionClient::Create with the socket's path bound, or a fake.
  using ClientFactory = std::function<absl::StatusOr<std::unique_ptr<agent::CompanionClient>>(
      agent::CompanionCallbacks callbacks)>;
  // Calls a function later, on this thread and from no call of the hub.
  using Post = std::function<void(std::function<void()>)>;

  // Reads the store. Nothing is asked of the agent for a prefix before Attach. `receipts`: senders
  // may learn what became of their messages, of all subscriptions from the next connection on.
  //   the errors of the store and of the factory
  static absl::StatusOr<std::unique_ptr<AgentHub>> Create(std::unique_ptr<SubscriptionStore> store,
                                                          const ClientFactory& make_client,
                                                          Post post, bool receipts = false);
  ~AgentHub() override;

  void Attach(const std::string& prefix, SubscriptionFront* front) override;
  absl::Status Subscribe(const Subscription& subscription) override;
  absl::Status Unsubscribe(const std::string& instance) override;
  void Ack(const std::string& instance, uint64_t delivery_id) override;
  const Subscription* Find(absl::string_view instance) const override;
  std::vector<Subscription> List(absl::string_view prefix) const override;
  bool agent_connected() const override { return connected_; }

  // What it has counted. From any thread.
  void Report(metrics::Samples* samples) const;

  // For whoever waits for its fd(), and calls its Dispatch().
  agent::CompanionClient* client() { return client_.get(); }

 private:
  AgentHub(std::unique_ptr<SubscriptionStore> store, Post post, bool receipts)
      : store_(std::move(store)), post_(std::move(post)), receipts_(receipts) {}

  agent::CompanionCallbacks Callbacks();
  void OnEndpoint(const std::string& instance, const std::string& endpoint);
  void OnUnsubscribed(const std::string& instance);
  void OnError(const std::string& instance, agent::v1::Error::Code code,
               const std::string& message);
  void SetConnected(bool connected);

  // RESOURCE_EXHAUSTED TOO_MANY_SUBSCRIPTIONS, unless one more of this owner may be kept.
  absl::Status CheckRoomFor(const std::string& owner) const;
  // The front of the instance's prefix, or nullptr.
  SubscriptionFront* FrontOf(absl::string_view instance) const;
  void AskAgent(const Subscription& subscription);
  // After a change of `entries_`.
  void CountSubscriptions();

  // What Report() tells of the subscriptions of one kind of front.
  struct Counts {
    std::atomic<size_t> subscriptions{0};
    metrics::Counter received;
    metrics::Counter taken;
    metrics::Counter dropped;
  };
  Counts& CountsOf(absl::string_view instance);

  const std::unique_ptr<SubscriptionStore> store_;
  const Post post_;
  const bool receipts_;
  std::unique_ptr<agent::CompanionClient> client_;
  std::map<std::string, SubscriptionFront*> fronts_;
  std::map<std::string, SubscriptionStore::Entry, std::less<>> entries_;
  std::atomic<bool> connected_{false};
  Counts unifiedpush_;
  Counts browsers_;
  // Gone with the hub, so that what was posted by then does nothing.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_AGENT_HUB_H_
