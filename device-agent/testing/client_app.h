#ifndef BELLWIRE_DEVICE_AGENT_TESTING_CLIENT_APP_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_CLIENT_APP_H_

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "device-agent/client/client.h"
#include "gtest/gtest.h"

namespace bellwire::agent {

// An app with the client library, on a thread of its own: takes everything. Thread-safe.
class ClientApp {
 public:
  ClientApp(const std::string& socket_path, const std::string& app_id) {
    ClientCallbacks callbacks;
    callbacks.on_token = [this](const std::string& token) {
      absl::MutexLock lock(&mutex_);
      tokens_.push_back(token);
    };
    callbacks.on_message = [this](const Message& message) {
      absl::MutexLock lock(&mutex_);
      messages_.push_back(message.payload);
      return true;
    };
    auto client = Client::Create({.socket_path = socket_path, .app_id = app_id}, callbacks);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    client_->Register();
    thread_ = std::thread([this] {
      absl::Status end = client_->Run();
      absl::MutexLock lock(&mutex_);
      end_ = std::move(end);
    });
  }
  ~ClientApp() {
    client_->Stop();
    thread_.join();
  }

  // The first token, "" if none comes.
  std::string Token() {
    absl::MutexLock lock(&mutex_);
    auto there = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !tokens_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1));
    return tokens_.empty() ? "" : tokens_[0];
  }
  // All messages, once there are `n`.
  std::vector<std::string> Messages(size_t n) {
    absl::MutexLock lock(&mutex_);
    auto there = [this, n]()
                     ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return messages_.size() >= n; };
    mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1));
    return messages_;
  }
  size_t token_count() {
    absl::MutexLock lock(&mutex_);
    return tokens_.size();
  }
  // Why Run() returned, once it did.
  absl::Status End() {
    absl::MutexLock lock(&mutex_);
    auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !end_.ok(); };
    mutex_.AwaitWithTimeout(absl::Condition(&over), absl::Minutes(1));
    return end_;
  }

 private:
  std::unique_ptr<Client> client_;
  absl::Mutex mutex_;
  std::vector<std::string> tokens_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> messages_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_CLIENT_APP_H_
