#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H2_HARNESS_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H2_HARNESS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/h2/h2_connection.h"
#include "gateway/doors/http/memory_account.h"
#include "gateway/doors/http/testing/h2_test_client.h"
#include "gateway/doors/http/testing/test_call_thread.h"

namespace bellwire::http {

// One H2Connection on a simulated clock, and a client whose bytes a test carries over.
class H2Harness final : public H2Connection::Host {
  // First, since all others use them.
  FairShares shares_;
  const std::vector<Door*> doors_;

 public:
  explicit H2Harness(std::vector<Door*> doors, size_t max_memory_bytes = kMaxHttpMemoryBytes,
                     H2TestClient::Options options = {})
      : shares_(max_memory_bytes), doors_(std::move(doors)), client(options) {
    MakeConnection();
  }

  void OnChanged() override { ++changes; }

  // Carries everything both ways until nobody says anything.
  void Run() {
    for (;;) {
      const std::string up = client.Output();
      Send(up);
      const std::string down = TakeOutput();
      if (up.empty() && down.empty()) return;
      client.Input(down);
    }
  }
  // Gives bytes to the connection, in as many turns as it takes.
  void Send(absl::string_view bytes) {
    while (!bytes.empty() && !connection->done()) {
      bytes.remove_prefix(connection->Receive(bytes));
      ++turns;
    }
  }
  std::string TakeOutput() {
    std::string all;
    for (;;) {
      const absl::string_view piece = connection->TakeOutput();
      if (piece.empty()) break;
      all.append(piece.data(), piece.size());
    }
    connection->NotifyDrained();
    return all;
  }
  // Lets time go by, with all timers.
  void Advance(absl::Duration time) {
    const MonotonicTime end = clock.Monotonic() + time;
    while (!connection->done() && connection->next_deadline() <= end) {
      clock.Advance(
          std::max(absl::ZeroDuration(), connection->next_deadline() - clock.Monotonic()));
      connection->OnTimer();
      Run();
    }
    clock.Advance(end - clock.Monotonic());
  }
  size_t memory() const { return account->used(); }

  SimulatedClock clock;
  std::shared_ptr<TestCallThread> thread = std::make_shared<TestCallThread>();
  H2TestClient client;
  int changes = 0;
  int turns = 0;
  std::unique_ptr<MemoryAccount> account;
  std::unique_ptr<H2Connection> connection;

 private:
  void MakeConnection() {
    account = std::make_unique<MemoryAccount>(&shares_, net::PeerKey());
    connection = std::make_unique<H2Connection>(H2Connection::Environment{.clock = &clock,
                                                                          .doors = &doors_,
                                                                          .memory = account.get(),
                                                                          .thread = thread,
                                                                          .peer = "192.0.2.1:1234"},
                                                this);
  }
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H2_HARNESS_H_
