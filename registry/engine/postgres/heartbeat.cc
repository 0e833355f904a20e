#include "registry/engine/postgres/heartbeat.h"

#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/log.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/pg_connection.h"

namespace bellwire::registry {

Heartbeat::Heartbeat(Options options)
    : options_(std::move(options)), failures_(options_.clock), thread_([this] { Loop(); }) {}

Heartbeat::~Heartbeat() {
  stop_.Notify();
  thread_.join();
}

void Heartbeat::Loop() {
  std::unique_ptr<PgConnection> connection;
  do {
    absl::Status beat;
    if (connection == nullptr || connection->lost()) {
      // Another name than that of commits: a taker needs not end it.
      auto made = PgConnection::Connect(
          {.database = options_.database,
           .name = absl::StrFormat("bellwire-heartbeat %016x",
                                   static_cast<uint64_t>(options_.owner)),
           .synchronous_commit = "local",
           .clock = options_.clock});
      beat = made.status();
      connection = made.ok() ? *std::move(made) : nullptr;
    }
    if (beat.ok()) beat = BeatHeart(connection.get(), options_.owner);
    if (!beat.ok()) {
      if (const auto unsaid = failures_.Take()) {
        LogWarning("heartbeat_failed", {{"error", beat.message()}, {"unsaid", *unsaid}});
      }
    }
  } while (!stop_.WaitForNotificationWithTimeout(options_.interval));
}

}  // namespace bellwire::registry
