#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H1_HARNESS_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H1_HARNESS_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/h1/h1_connection.h"
#include "gateway/doors/http/memory_account.h"
#include "gateway/doors/http/testing/test_call_thread.h"

namespace bellwire::http {

// One H1Connection on a simulated clock; the client's bytes are the test's.
class H1Harness final : public ServerProtocol::Host {
  // First, since all others use them.
  FairShares shares_;
  const std::vector<Door*> doors_;

 public:
  explicit H1Harness(std::vector<Door*> doors, size_t max_memory_bytes = kMaxHttpMemoryBytes,
                     const TrustedProxy* proxy = nullptr)
      : shares_(max_memory_bytes), doors_(std::move(doors)) {
    account = std::make_unique<MemoryAccount>(&shares_, net::PeerKey());
    connection =
        std::make_unique<H1Connection>(ServerProtocol::Environment{.clock = &clock,
                                                                   .doors = &doors_,
                                                                   .memory = account.get(),
                                                                   .thread = thread,
                                                                   .peer = "192.0.2.1:1234",
                                                                   .proxy = proxy},
                                       this);
  }

  void OnChanged() override { ++changes; }

  // Gives bytes to the connection; what it doesn't want yet waits, as in a socket.
  void Send(absl::string_view bytes) {
    waiting_.append(bytes.data(), bytes.size());
    Pump();
  }
  // Everything that is to be sent now.
  std::string TakeOutput() {
    std::string all;
    for (;;) {
      const absl::string_view piece = connection->TakeOutput();
      all.append(piece.data(), piece.size());
      if (!Pump() && piece.empty()) break;
    }
    connection->NotifyDrained();
    return all;
  }
  // Sends `bytes` and takes what comes of it.
  std::string Ask(absl::string_view bytes) {
    Send(bytes);
    return TakeOutput();
  }
  // Lets time go by, with all timers, and takes what comes of it.
  std::string Advance(absl::Duration time) {
    std::string all;
    const MonotonicTime end = clock.Monotonic() + time;
    while (!connection->done() && connection->next_deadline() <= end) {
      clock.Advance(
          std::max(absl::ZeroDuration(), connection->next_deadline() - clock.Monotonic()));
      connection->OnTimer();
      all += TakeOutput();
    }
    clock.Advance(end - clock.Monotonic());
    return all;
  }
  // Not taken by the connection.
  size_t waiting() const { return waiting_.size(); }
  size_t memory() const { return account->used(); }
  FairShares* shares() { return &shares_; }

  SimulatedClock clock;
  std::shared_ptr<TestCallThread> thread = std::make_shared<TestCallThread>();
  int changes = 0;
  std::unique_ptr<MemoryAccount> account;
  std::unique_ptr<H1Connection> connection;

 private:
  // Whether anything was given.
  bool Pump() {
    bool given = false;
    while (!waiting_.empty() && connection->wants_input()) {
      waiting_.erase(0, connection->Receive(waiting_));
      given = true;
    }
    return given;
  }

  std::string waiting_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H1_HARNESS_H_
