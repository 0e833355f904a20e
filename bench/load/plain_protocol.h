#ifndef BELLWIRE_BENCH_LOAD_PLAIN_PROTOCOL_H_
#define BELLWIRE_BENCH_LOAD_PLAIN_PROTOCOL_H_

#include <deque>
#include <optional>

#include "bench/load/load_protocol.h"
#include "common/clock.h"

namespace bellwire::bench {

// TLS and nothing else, for openssl_loop: ready when the server's ticket is there, because only
// then both ends have done their part of the handshake. A heartbeat is a byte that the server
// echoes. Single-threaded.
class PlainProtocol final : public LoadProtocol {
 public:
  // `clock` outlives it.
  explicit PlainProtocol(const Clock* clock) : clock_(clock) {}

  void Resize(size_t members) override { sent_.resize(members); }
  bool SendHeartbeat(TlsSwarm* swarm, size_t member) override {
    if (sent_[member].has_value()) return false;
    sent_[member] = clock_->Monotonic();
    swarm->Write(member, absl::string_view("\0", 1));
    return true;
  }
  const LoadCounts& counts() const override { return counts_; }
  void ResetCounts() override { counts_ = LoadCounts(); }

  void OnOpen(TlsSwarm*, size_t) override {}
  bool speaks_first() const override { return false; }
  void OnTicket(TlsSwarm* swarm, size_t member) override { swarm->Ready(member); }
  void OnData(TlsSwarm*, size_t member, absl::string_view) override {
    if (!sent_[member].has_value()) return;
    ++counts_.heartbeats;
    counts_.heartbeat_latency.Add(clock_->Monotonic() - *sent_[member]);
    sent_[member].reset();
  }
  void OnClosed(size_t member) override { sent_[member].reset(); }

 private:
  const Clock* const clock_;
  std::deque<std::optional<MonotonicTime>> sent_;
  LoadCounts counts_;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_LOAD_PLAIN_PROTOCOL_H_
