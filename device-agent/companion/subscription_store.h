#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_SUBSCRIPTION_STORE_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_SUBSCRIPTION_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "device-agent/companion/subscription_hub.h"
#include "device-agent/inbox/sqlite.h"

namespace bellwire::companion {

// The subscriptions of one user on disk: a private SQLite file, every change synced before it
// returns. Errors are those of sqlite.h, and FAILED_PRECONDITION DATABASE_TOO_NEW for the file of a
// later version. Single-threaded.
class SubscriptionStore {
 public:
  // A subscription, or one that is to die and that the agent has not noted as dead.
  struct Entry {
    Subscription subscription;
    bool dying = false;
  };

  // Opens or makes the file, for this process alone (DATABASE_IN_USE: another has it).
  static absl::StatusOr<std::unique_ptr<SubscriptionStore>> Open(const std::string& path);

  // All of them, by name.
  absl::StatusOr<std::vector<Entry>> Load();
  // Adds it, or replaces the one of that name; it lives.
  absl::Status Put(const Subscription& subscription);
  absl::Status SetEndpoint(const std::string& instance, const std::string& endpoint);
  absl::Status SetDying(const std::string& instance);
  absl::Status Remove(const std::string& instance);

 private:
  explicit SubscriptionStore(std::unique_ptr<agent::Database> db) : db_(std::move(db)) {}
  absl::Status Prepare();

  std::unique_ptr<agent::Database> db_;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_SUBSCRIPTION_STORE_H_
