#include "device-agent/client/companion_client.h"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/limits.h"
#include "device-agent/client/agent_link.h"
#include "device-agent/client/handled_deliveries.h"

namespace bellwire::agent {
namespace {

v1::Hello HelloOf(const CompanionClientOptions& options) {
  v1::Hello hello;
  hello.set_companion(true);
  hello.set_client_version(options.client_version);
  return hello;
}

class CompanionClientImpl final : public CompanionClient, private AgentLink::Owner {
 public:
  CompanionClientImpl(const CompanionClientOptions& options, CompanionCallbacks callbacks)
      : callbacks_(std::move(callbacks)), link_(options.socket_path, HelloOf(options), this) {}

  absl::Status Init() { return link_.Init(); }

  void Subscribe(const v1::Subscribe& subscription) override;
  void Unsubscribe(absl::string_view instance) override;
  void Ack(absl::string_view instance, uint64_t delivery_id) override;
  int fd() const override { return link_.fd(); }
  absl::Status Dispatch(absl::Duration timeout) override { return link_.Dispatch(timeout); }
  absl::Status Run() override { return link_.Run(); }
  void Stop() override { link_.Stop(); }

 private:
  // What is known of one instance, from Subscribe or Unsubscribe on.
  struct Instance {
    // Nullopt: not wanted any more.
    std::optional<v1::Subscribe> wanted;
    // Unsubscribes that were said on this connection and are not answered: what comes of the
    // instance until then is of its former life.
    int unanswered_unsubscribes = 0;
    // Told since the last Subscribe().
    std::string endpoint;
    HandledDeliveries handled;
  };

  // AgentLink::Owner
  void OnGreeted(const v1::HelloOk& hello_ok) override;
  void OnFrame(const v1::AgentFrame& frame) override;
  void OnLost() override;
  void OnTurn() override;

  void OnSubscribed(const v1::Subscribed& subscribed);
  void OnUnsubscribed(const std::string& instance);
  void OnError(const v1::Error& error);
  // Whether the app is to hear of it. If it handled it already it is acknowledged again.
  bool Give(const std::string& name, uint64_t delivery_id, absl::string_view message_id);

  // The present life of the instance. Null: there is none, or it has not begun.
  Instance* Living(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // To the agent, with the next OnTurn; without a connection, never.
  v1::AppFrame* Say() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SayAck(absl::string_view name, uint64_t delivery_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CompanionCallbacks callbacks_;
  AgentLink link_;

  absl::Mutex mutex_;
  // The agent has answered Hello on the present connection.
  bool greeted_ ABSL_GUARDED_BY(mutex_) = false;
  std::string inbox_id_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Instance, std::less<>> instances_ ABSL_GUARDED_BY(mutex_);
  // In the order in which they were said; empty without a connection.
  std::vector<v1::AppFrame> unsent_ ABSL_GUARDED_BY(mutex_);
};

// --- From any thread. ---

void CompanionClientImpl::Subscribe(const v1::Subscribe& subscription) {
  {
    absl::MutexLock lock(&mutex_);
    Instance& instance = instances_[subscription.instance()];
    if (!instance.wanted.has_value()) instance.handled.Enter(inbox_id_);
    instance.wanted = subscription;
    instance.endpoint.clear();
    if (!greeted_) return;
    *Say()->mutable_subscribe() = subscription;
  }
  link_.Wake();
}

void CompanionClientImpl::Unsubscribe(absl::string_view name) {
  {
    absl::MutexLock lock(&mutex_);
    Instance& instance = instances_[std::string(name)];
    instance.wanted.reset();
    instance.handled = HandledDeliveries();
    ++instance.unanswered_unsubscribes;
    if (!greeted_) return;
    Say()->mutable_unsubscribe()->set_instance(std::string(name));
  }
  link_.Wake();
}

void CompanionClientImpl::Ack(absl::string_view name, uint64_t delivery_id) {
  {
    absl::MutexLock lock(&mutex_);
    const auto it = instances_.find(name);
    if (it == instances_.end() || !it->second.wanted.has_value()) return;
    it->second.handled.Handle(delivery_id);
    if (!greeted_) return;
    SayAck(name, delivery_id);
  }
  link_.Wake();
}

v1::AppFrame* CompanionClientImpl::Say() { return &unsent_.emplace_back(); }

void CompanionClientImpl::SayAck(absl::string_view name, uint64_t delivery_id) {
  const bool goes_along =
      !unsent_.empty() && unsent_.back().has_ack() && unsent_.back().ack().instance() == name &&
      static_cast<size_t>(unsent_.back().ack().delivery_ids_size()) < kMaxAppAcksPerFrame;
  v1::AppFrame* frame = goes_along ? &unsent_.back() : Say();
  frame->mutable_ack()->set_instance(std::string(name));
  frame->mutable_ack()->add_delivery_ids(delivery_id);
}

// --- On the thread of Dispatch(). ---

void CompanionClientImpl::OnGreeted(const v1::HelloOk& hello_ok) {
  {
    absl::MutexLock lock(&mutex_);
    greeted_ = true;
    inbox_id_ = hello_ok.inbox_id();
    for (auto& [name, instance] : instances_) {
      instance.handled.Enter(inbox_id_);
      if (instance.unanswered_unsubscribes > 0) {
        // Once is enough, whatever of it the former connection swallowed.
        instance.unanswered_unsubscribes = 1;
        Say()->mutable_unsubscribe()->set_instance(name);
      }
      if (instance.wanted.has_value()) *Say()->mutable_subscribe() = *instance.wanted;
    }
  }
  if (callbacks_.on_connected) callbacks_.on_connected(hello_ok.inbox_id());
}

void CompanionClientImpl::OnLost() {
  {
    absl::MutexLock lock(&mutex_);
    greeted_ = false;
    // Acknowledgements mean nothing to the next connection, which is given these messages again;
    // everything else is said again.
    unsent_.clear();
  }
  if (callbacks_.on_disconnected) callbacks_.on_disconnected();
}

void CompanionClientImpl::OnTurn() {
  std::vector<v1::AppFrame> frames;
  {
    absl::MutexLock lock(&mutex_);
    frames.swap(unsent_);
  }
  for (const v1::AppFrame& frame : frames) link_.Send(frame);
}

void CompanionClientImpl::OnFrame(const v1::AgentFrame& frame) {
  using Frame = v1::AgentFrame;
  switch (frame.body_case()) {
    case Frame::kSubscribed:
      return OnSubscribed(frame.subscribed());
    case Frame::kUnsubscribed:
      return OnUnsubscribed(frame.unsubscribed().instance());
    case Frame::kDelivery: {
      const v1::Delivery& delivery = frame.delivery();
      if (Give(delivery.instance(), delivery.delivery_id(), delivery.message_id()) &&
          callbacks_.on_delivery) {
        callbacks_.on_delivery(delivery);
      }
      return;
    }
    case Frame::kGap:
      if (Give(frame.gap().instance(), frame.gap().delivery_id(), "") && callbacks_.on_gap) {
        callbacks_.on_gap(frame.gap());
      }
      return;
    case Frame::kError:
      return OnError(frame.error());
    default:  // Not for a companion, or from a later agent.
      return;
  }
}

CompanionClientImpl::Instance* CompanionClientImpl::Living(const std::string& name) {
  const auto it = instances_.find(name);
  if (it == instances_.end() || !it->second.wanted.has_value()) return nullptr;
  return it->second.unanswered_unsubscribes == 0 ? &it->second : nullptr;
}

void CompanionClientImpl::OnSubscribed(const v1::Subscribed& subscribed) {
  {
    absl::MutexLock lock(&mutex_);
    Instance* const instance = Living(subscribed.instance());
    // On every connection, but news only if it is another one.
    if (instance == nullptr || instance->endpoint == subscribed.endpoint()) return;
    instance->endpoint = subscribed.endpoint();
  }
  if (callbacks_.on_endpoint) callbacks_.on_endpoint(subscribed.instance(), subscribed.endpoint());
}

void CompanionClientImpl::OnUnsubscribed(const std::string& name) {
  {
    absl::MutexLock lock(&mutex_);
    const auto it = instances_.find(name);
    if (it == instances_.end() || it->second.unanswered_unsubscribes == 0) return;
    if (--it->second.unanswered_unsubscribes > 0) return;
    if (!it->second.wanted.has_value()) instances_.erase(it);
  }
  if (callbacks_.on_unsubscribed) callbacks_.on_unsubscribed(name);
}

void CompanionClientImpl::OnError(const v1::Error& error) {
  if (!error.instance().empty()) {
    absl::MutexLock lock(&mutex_);
    // An Unsubscribe that the agent's disk did not take is said again on the next connection.
    if (Living(error.instance()) == nullptr) return;
  }
  if (callbacks_.on_error) callbacks_.on_error(error.instance(), error.code(), error.message());
}

bool CompanionClientImpl::Give(const std::string& name, uint64_t delivery_id,
                               absl::string_view message_id) {
  absl::MutexLock lock(&mutex_);
  Instance* const instance = Living(name);
  if (instance == nullptr) return false;
  if (!instance->handled.Give(delivery_id, message_id)) return true;
  SayAck(name, delivery_id);
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CompanionClient>> CompanionClient::Create(
    const CompanionClientOptions& options, CompanionCallbacks callbacks) {
  auto client = std::make_unique<CompanionClientImpl>(options, std::move(callbacks));
  if (absl::Status s = client->Init(); !s.ok()) return s;
  return client;
}

}  // namespace bellwire::agent
