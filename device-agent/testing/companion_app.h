#ifndef BELLWIRE_DEVICE_AGENT_TESTING_COMPANION_APP_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_COMPANION_APP_H_

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "device-agent/client/companion_client.h"
#include "gtest/gtest.h"

namespace bellwire::agent {

// A companion with the client library, on a thread of its own: takes everything. Thread-safe.
class CompanionApp {
 public:
  explicit CompanionApp(const std::string& socket_path) {
    CompanionCallbacks callbacks;
    callbacks.on_endpoint = [this](const std::string& instance, const std::string& endpoint) {
      absl::MutexLock lock(&mutex_);
      endpoints_[instance].push_back(endpoint);
    };
    callbacks.on_delivery = [this](const v1::Delivery& delivery) {
      absl::MutexLock lock(&mutex_);
      messages_[delivery.instance()].push_back(delivery.payload());
      client_->Ack(delivery.instance(), delivery.delivery_id());
    };
    callbacks.on_gap = [this](const v1::Gap& gap) {
      absl::MutexLock lock(&mutex_);
      messages_[gap.instance()].push_back(absl::StrCat("gap ", gap.dropped()));
      client_->Ack(gap.instance(), gap.delivery_id());
    };
    callbacks.on_unsubscribed = [this](const std::string& instance) {
      absl::MutexLock lock(&mutex_);
      unsubscribed_.push_back(instance);
    };
    callbacks.on_error = [this](const std::string& instance, v1::Error::Code code,
                                const std::string&) {
      absl::MutexLock lock(&mutex_);
      errors_.push_back(absl::StrCat(instance, ": ", v1::Error::Code_Name(code)));
    };
    auto client = CompanionClient::Create({.socket_path = socket_path}, callbacks);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    thread_ = std::thread([this] { client_->Run().IgnoreError(); });
  }
  ~CompanionApp() {
    client_->Stop();
    thread_.join();
  }

  void Subscribe(const std::string& instance, const std::string& owner = "org.example.App",
                 const std::string& vapid_key = "", bool receipts = false) {
    v1::Subscribe subscription;
    subscription.set_instance(instance);
    subscription.set_owner(owner);
    subscription.set_vapid_key(vapid_key);
    subscription.set_receipts(receipts);
    client_->Subscribe(subscription);
  }
  void Unsubscribe(const std::string& instance) { client_->Unsubscribe(instance); }

  // The latest one, "" if none comes.
  std::string Endpoint(const std::string& instance) {
    absl::MutexLock lock(&mutex_);
    Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !endpoints_[instance].empty(); });
    return endpoints_[instance].empty() ? "" : endpoints_[instance].back();
  }
  size_t endpoint_count(const std::string& instance) {
    absl::MutexLock lock(&mutex_);
    return endpoints_[instance].size();
  }
  // All messages of the instance, once there are `n`.
  std::vector<std::string> Messages(const std::string& instance, size_t n) {
    absl::MutexLock lock(&mutex_);
    Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return messages_[instance].size() >= n; });
    return messages_[instance];
  }
  // Instances that were unsubscribed, once there are `n`.
  std::vector<std::string> Unsubscribed(size_t n) {
    absl::MutexLock lock(&mutex_);
    Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return unsubscribed_.size() >= n; });
    return unsubscribed_;
  }
  // "INSTANCE: CODE", once there are `n`.
  std::vector<std::string> Errors(size_t n) {
    absl::MutexLock lock(&mutex_);
    Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return errors_.size() >= n; });
    return errors_;
  }

 private:
  template <typename Condition>
  void Await(const Condition& condition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    mutex_.AwaitWithTimeout(absl::Condition(&condition), absl::Minutes(1));
  }

  std::unique_ptr<CompanionClient> client_;
  absl::Mutex mutex_;
  std::map<std::string, std::vector<std::string>> endpoints_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>> messages_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> unsubscribed_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> errors_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_COMPANION_APP_H_
