#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_TESTING_FAKE_HUB_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_TESTING_FAKE_HUB_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "device-agent/companion/subscription_hub.h"

namespace bellwire::companion {

// A hub without agent or disk: it answers Subscribe with an endpoint of its own making unless it is
// told to refuse, and the test hands it messages. What a hub tells its fronts waits in a queue
// until Run(), as the contract says. Not thread-safe.
class FakeHub final : public SubscriptionHub {
 public:
  void Attach(const std::string& prefix, SubscriptionFront* front) override {
    fronts_[prefix] = front;
  }

  absl::Status Subscribe(const Subscription& subscription) override {
    if (!next_status_.ok()) return std::exchange(next_status_, absl::OkStatus());
    if (absl::Status s = CheckSubscription(subscription); !s.ok()) return s;
    const std::string instance = subscription.instance;
    if (refusal_ != agent::v1::Error::CODE_UNSPECIFIED) {
      const auto code = refusal_;
      Post(instance, [=](SubscriptionFront* front) { front->OnError(instance, code, "refused"); });
      return absl::OkStatus();
    }
    Subscription& kept = subscriptions_[instance];
    if (!kept.instance.empty() && kept.vapid_key != subscription.vapid_key) {
      return absl::InvalidArgumentError("the key of a living subscription doesn't change");
    }
    const std::string endpoint = kept.endpoint;
    kept = subscription;
    kept.endpoint = endpoint;
    if (answers_) GiveEndpoint(instance, endpoint.empty() ? NewEndpoint() : endpoint);
    return absl::OkStatus();
  }

  absl::Status Unsubscribe(const std::string& instance) override {
    if (subscriptions_.erase(instance) == 0) return absl::OkStatus();
    Post(instance, [=](SubscriptionFront* front) { front->OnUnsubscribed(instance); });
    return absl::OkStatus();
  }

  void Ack(const std::string& instance, uint64_t delivery_id) override {
    acks_.emplace_back(instance, delivery_id);
  }

  const Subscription* Find(absl::string_view instance) const override {
    const auto it = subscriptions_.find(std::string(instance));
    return it == subscriptions_.end() ? nullptr : &it->second;
  }

  std::vector<Subscription> List(absl::string_view prefix) const override {
    std::vector<Subscription> list;
    for (const auto& [instance, subscription] : subscriptions_) {
      if (absl::StartsWith(instance, prefix)) list.push_back(subscription);
    }
    return list;
  }

  bool agent_connected() const override { return connected_; }

  // What the agent would say.
  void GiveEndpoint(const std::string& instance, const std::string& endpoint) {
    subscriptions_[instance].endpoint = endpoint;
    Post(instance, [=](SubscriptionFront* front) { front->OnEndpoint(instance, endpoint); });
  }
  // Answers the delivery id, which it chooses: 1, 2, … over all instances.
  uint64_t Deliver(Message message) {
    message.delivery_id = ++last_delivery_id_;
    Post(message.instance, [=](SubscriptionFront* front) { front->OnMessage(message); });
    return message.delivery_id;
  }
  uint64_t DeliverGap(const std::string& instance, uint32_t dropped) {
    const uint64_t id = ++last_delivery_id_;
    Post(instance, [=](SubscriptionFront* front) { front->OnGap(instance, dropped, id); });
    return id;
  }
  void SetConnected(bool connected) {
    connected_ = connected;
    for (const auto& entry : fronts_) {
      SubscriptionFront* front = entry.second;
      if (front != nullptr) queue_.emplace_back([=] { front->OnAgent(connected); });
    }
  }

  // From now on Subscribe is answered with this error; CODE_UNSPECIFIED: with an endpoint again.
  void RefuseWith(agent::v1::Error::Code code) { refusal_ = code; }
  // The next Subscribe returns this.
  void FailNextSubscribe(absl::Status status) { next_status_ = std::move(status); }
  // Whether Subscribe is answered by itself; otherwise GiveEndpoint does it.
  void SetAnswers(bool answers) { answers_ = answers; }

  // Tells the fronts what waits, and what comes of that.
  void Run() {
    while (!queue_.empty()) {
      std::vector<std::function<void()>> due;
      due.swap(queue_);
      for (const auto& call : due) call();
    }
  }
  // Called whenever something starts to wait: a test on a real loop posts Run() from it.
  std::function<void()> on_waiting;

  // Every Ack so far, in order.
  const std::vector<std::pair<std::string, uint64_t>>& acks() const { return acks_; }

 private:
  std::string NewEndpoint() {
    return absl::StrCat("https://push.example.com/wpush/", ++endpoints_made_);
  }
  void Post(const std::string& instance, std::function<void(SubscriptionFront*)> call) {
    queue_.emplace_back([this, instance, call = std::move(call)] {
      for (const auto& [prefix, front] : fronts_) {
        if (front != nullptr && absl::StartsWith(instance, prefix)) return call(front);
      }
    });
    if (queue_.size() == 1 && on_waiting) on_waiting();
  }

  std::map<std::string, SubscriptionFront*> fronts_;
  std::map<std::string, Subscription> subscriptions_;
  std::vector<std::function<void()>> queue_;
  std::vector<std::pair<std::string, uint64_t>> acks_;
  agent::v1::Error::Code refusal_ = agent::v1::Error::CODE_UNSPECIFIED;
  absl::Status next_status_;
  bool answers_ = true;
  bool connected_ = true;
  uint64_t last_delivery_id_ = 0;
  int endpoints_made_ = 0;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_TESTING_FAKE_HUB_H_
