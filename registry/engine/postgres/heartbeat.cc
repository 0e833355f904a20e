#include "registry/engine/postgres/heartbeat.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/log.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/pg_connection.h"

namespace bellwire::registry {

Heartbeat::Heartbeat(Options options)
    : options_(std::move(options)),
      address_(options_.address),
      failures_(options_.clock),
      thread_([this] { Loop(); }) {}

Heartbeat::~Heartbeat() {
  stop_.Notify();
  thread_.join();
}

void Heartbeat::SetAddress(const std::string& address) {
  absl::MutexLock lock(&mutex_);
  address_ = address;
}

void Heartbeat::Loop() {
  std::unique_ptr<PgConnection> connection;
  MonotonicTime next_beat = options_.clock->Monotonic();
  absl::Duration pause;
  do {
    absl::Status done;
    if (connection == nullptr || connection->lost()) {
      // Another name than that of commits: a taker needs not end it.
      auto made = PgConnection::Connect(
          {.database = options_.database,
           .name = absl::StrFormat("bellwire-heartbeat %016x",
                                   static_cast<uint64_t>(options_.owner)),
           .synchronous_commit = "local",
           .clock = options_.clock});
      done = made.status();
      connection = made.ok() ? *std::move(made) : nullptr;
    }
    const MonotonicTime now = options_.clock->Monotonic();
    if (done.ok() && now >= next_beat) {
      std::string address;
      {
        absl::MutexLock lock(&mutex_);
        address = address_;
      }
      done = BeatHeart(connection.get(), options_.owner, address, /*leaves=*/false);
      next_beat = now + options_.interval;
    }
    pause = options_.interval;
    if (options_.after_beat) {
      pause = std::min(pause, options_.after_beat(done.ok() ? connection.get() : nullptr));
    }
    if (!done.ok()) {
      if (const auto unsaid = failures_.Take()) {
        LogWarning("heartbeat_failed", {{"error", done.message()}, {"unsaid", *unsaid}});
      }
    }
  } while (!stop_.WaitForNotificationWithTimeout(pause));
}

}  // namespace bellwire::registry
