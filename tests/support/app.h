#ifndef BELLWIRE_TESTS_SUPPORT_APP_H_
#define BELLWIRE_TESTS_SUPPORT_APP_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "device-agent/client/client.h"

namespace bellwire::tests {

// A real app on a phone: the client library on a thread of its own. It takes every message,
// remembers it (or tells an observer instead), and acknowledges it. Thread-safe.
class App {
 public:
  using OnTaken = std::function<void(const std::string& payload)>;

  // `socket_path` is the agent's; the agent may come, go and come back. `on_taken`, if there is
  // one, is called with each payload, on the app's thread, and then taken() stays empty.
  App(const std::string& socket_path, const std::string& app_id, OnTaken on_taken = nullptr);
  ~App();

  // The token, once the app has one; "" after kPatience.
  std::string WaitForToken();
  // A token other than `token`, once the app was told of one; "" after kPatience.
  std::string WaitForTokenOtherThan(const std::string& token);
  // Payloads taken so far, in the order they came.
  std::vector<std::string> taken() const;
  // Waits until `n` messages were taken.
  bool WaitForTaken(size_t n) const;
  // Messages that never reached the phone, as the app was told by gap notices.
  size_t dropped() const;

 private:
  std::unique_ptr<agent::Client> client_;
  mutable absl::Mutex mutex_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> taken_ ABSL_GUARDED_BY(mutex_);
  size_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_SUPPORT_APP_H_
