#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_HEARTBEAT_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_HEARTBEAT_H_

#include <cstdint>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/log_limit.h"

namespace bellwire::registry {

// Raises the counter of an owner again and again, on a connection and a thread of its own, so that
// others see that it lives. Where the database is away it goes on trying.
class Heartbeat {
 public:
  struct Options {
    // As PgConnection::Options::database.
    std::string database;
    int64_t owner = 0;
    absl::Duration interval = absl::Seconds(1);
    // Not owned; outlives this object.
    const Clock* clock = nullptr;
  };

  // Begins at once.
  explicit Heartbeat(Options options);
  // Waits for a beat that is under way: some seconds at most.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  void Loop();

  const Options options_;
  LogLimit failures_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_HEARTBEAT_H_
