#include "tests/support/companion.h"

#include <utility>

#include "tests/support/process.h"

namespace bellwire::tests {

Companion::Companion(const std::string& socket_path, const std::vector<std::string>& instances,
                     OnTaken on_taken) {
  agent::CompanionCallbacks callbacks;
  callbacks.on_delivery = [this, on_taken = std::move(on_taken)](const agent::v1::Delivery& d) {
    on_taken(d.instance(), d.payload());
    client_->Ack(d.instance(), d.delivery_id());
  };
  callbacks.on_gap = [this](const agent::v1::Gap& gap) {
    client_->Ack(gap.instance(), gap.delivery_id());
  };
  callbacks.on_endpoint = [this](const std::string& instance, const std::string& endpoint) {
    absl::MutexLock lock(&mutex_);
    endpoints_[instance] = endpoint;
  };
  auto client = agent::CompanionClient::Create({.socket_path = socket_path}, std::move(callbacks));
  if (!client.ok()) return;  // WaitForEndpoint says so.
  client_ = std::move(*client);
  for (const std::string& instance : instances) {
    agent::v1::Subscribe subscription;
    subscription.set_instance(instance);
    subscription.set_owner(instance);
    client_->Subscribe(subscription);
  }
  thread_ = std::thread([this] { client_->Run().IgnoreError(); });
}

Companion::~Companion() {
  if (client_ != nullptr) client_->Stop();
  if (thread_.joinable()) thread_.join();
}

std::string Companion::WaitForEndpoint(const std::string& instance) {
  const auto have = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return endpoints_.count(instance) != 0;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&have), kPatience);
  return endpoints_[instance];
}

}  // namespace bellwire::tests
