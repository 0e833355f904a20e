#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_HEARTBEAT_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_HEARTBEAT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/log_limit.h"
#include "registry/engine/postgres/pg_connection.h"

namespace bellwire::registry {

// Raises the counter of an owner again and again, on a connection and a thread of its own, so that
// others see that it lives. Where the database is away it goes on trying.
class Heartbeat {
 public:
  struct Options {
    // As PgConnection::Options::database.
    std::string database;
    int64_t owner = 0;
    // What the owner says of itself, for others to connect to. Empty: as yet it takes no part.
    std::string address;
    absl::Duration interval = absl::Seconds(1);
    // Called after each beat, on the thread and with the connection of the beats: answers when to
    // call it again, which is before the next beat if that is later. Null: the database can't be
    // reached. May be empty.
    std::function<absl::Duration(PgConnection* connection)> after_beat;
    // Not owned; outlives this object.
    const Clock* clock = nullptr;
  };

  // Begins at once.
  explicit Heartbeat(Options options);
  // Waits for a beat that is under way: some seconds at most.
  ~Heartbeat();
  // From the next beat on.
  void SetAddress(const std::string& address);
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  void Loop();

  const Options options_;
  absl::Mutex mutex_;
  std::string address_ ABSL_GUARDED_BY(mutex_);
  LogLimit failures_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_HEARTBEAT_H_
