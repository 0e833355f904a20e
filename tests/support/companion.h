#ifndef BELLWIRE_TESTS_SUPPORT_COMPANION_H_
#define BELLWIRE_TESTS_SUPPORT_COMPANION_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "device-agent/client/companion_client.h"

namespace bellwire::tests {

// A user's companion on a phone: subscriptions over one connection to the agent, on a thread of its
// own. It takes every message and acknowledges it. Thread-safe.
class Companion {
 public:
  using OnTaken = std::function<void(const std::string& instance, const std::string& payload)>;

  // Subscribes to each of `instances`, without a VAPID key. `socket_path` is the agent's; the agent
  // may come, go and come back. `on_taken` is called on the companion's thread.
  Companion(const std::string& socket_path, const std::vector<std::string>& instances,
            OnTaken on_taken);
  ~Companion();

  // The endpoint, once there is one; "" after kPatience.
  std::string WaitForEndpoint(const std::string& instance);

 private:
  std::unique_ptr<agent::CompanionClient> client_;
  absl::Mutex mutex_;
  std::map<std::string, std::string> endpoints_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_SUPPORT_COMPANION_H_
