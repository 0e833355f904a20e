#include "tests/support/app.h"

#include <utility>

#include "tests/support/process.h"

namespace bellwire::tests {

App::App(const std::string& socket_path, const std::string& app_id, OnTaken on_taken) {
  agent::ClientCallbacks callbacks;
  callbacks.on_token = [this](const std::string& token) {
    absl::MutexLock lock(&mutex_);
    token_ = token;
  };
  callbacks.on_message = [this, on_taken = std::move(on_taken)](const agent::Message& message) {
    if (on_taken != nullptr) {
      on_taken(message.payload);
      return true;
    }
    absl::MutexLock lock(&mutex_);
    taken_.push_back(message.payload);
    return true;
  };
  callbacks.on_gap = [this](uint32_t dropped) {
    absl::MutexLock lock(&mutex_);
    dropped_ += dropped;
  };
  auto client =
      agent::Client::Create({.socket_path = socket_path, .app_id = app_id}, std::move(callbacks));
  if (!client.ok()) return;  // WaitForToken says so.
  client_ = std::move(*client);
  client_->Register();
  thread_ = std::thread([this] { client_->Run().IgnoreError(); });
}

App::~App() {
  if (client_ != nullptr) client_->Stop();
  if (thread_.joinable()) thread_.join();
}

std::string App::WaitForToken() {
  const auto have_token = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !token_.empty(); };
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&have_token), kPatience);
  return token_;
}

std::string App::WaitForTokenOtherThan(const std::string& token) {
  const auto is_another = [this, &token]()
                              ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return token_ != token; };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&is_another), kPatience) ? token_ : "";
}

std::vector<std::string> App::taken() const {
  absl::MutexLock lock(&mutex_);
  return taken_;
}

size_t App::dropped() const {
  absl::MutexLock lock(&mutex_);
  return dropped_;
}

bool App::WaitForTaken(size_t n) const {
  const auto enough = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return taken_.size() >= n; };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience);
}

}  // namespace bellwire::tests
