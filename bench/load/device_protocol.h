#ifndef BELLWIRE_BENCH_LOAD_DEVICE_PROTOCOL_H_
#define BELLWIRE_BENCH_LOAD_DEVICE_PROTOCOL_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/device/v1/device.pb.h"
#include "bench/load/histogram.h"
#include "bench/load/load_protocol.h"
#include "bench/load/tls_swarm.h"
#include "common/clock.h"
#include "crypto/device_key.h"
#include "net/socket/frame_codec.h"

namespace bellwire::bench {

// Devices that speak bellwire.device.v1: each with a key of its own, a growing login number, and a
// memory of what it has got, as an agent has on its disk. They acknowledge what they receive at
// once, and tell the app nothing. Single-threaded.
class DeviceProtocol final : public LoadProtocol {
 public:
  // `clock` outlives it.
  explicit DeviceProtocol(const Clock* clock) : clock_(clock) {}

  // --- LoadProtocol ---
  std::string alpn() const override { return "bellwire/1"; }
  void Resize(size_t members) override;
  bool SendHeartbeat(TlsSwarm* swarm, size_t member) override;
  const LoadCounts& counts() const override { return counts_; }
  void ResetCounts() override { counts_ = LoadCounts(); }
  std::optional<absl::Duration> TakeRetryAfter(size_t member) override;
  void RegisterApp(TlsSwarm* swarm, size_t member, const std::string& app_id) override;
  void RegisterSubscription(TlsSwarm* swarm, size_t member, const std::string& vapid_key) override;
  const std::string& token(size_t member) const override { return members_[member].token; }

  // --- SwarmProtocol ---
  void OnOpen(TlsSwarm* swarm, size_t member) override;
  void OnData(TlsSwarm* swarm, size_t member, absl::string_view data) override;
  void OnClosed(size_t member) override;

 private:
  struct Member {
    std::unique_ptr<DeviceKey> key;
    uint64_t login_number = 0;
    std::string mailbox_id;
    std::string token;
    std::unique_ptr<net::FrameDecoder> frames;
    std::optional<MonotonicTime> heartbeat_sent;
    std::optional<absl::Duration> retry_after;
    // Of this session, now-or-never ones aside.
    uint64_t greatest_seq = 0;
    // Positions received, those up to `seen_up_to` settled.
    uint64_t seen_up_to = 0;
    absl::flat_hash_set<uint64_t> seen;
    absl::flat_hash_set<std::string> message_ids;
  };
  // What one chunk of bytes leads to, once all of it was read.
  struct Outcome {
    uint64_t ack_up_to = 0;
    // Now-or-never ones, and those that came out of their turn.
    std::vector<uint64_t> ack_single;
    // Why the connection is over; empty: it isn't.
    std::string failure;
  };

  void AskForToken(TlsSwarm* swarm, size_t member, device::v1::AgentFrame frame);
  void OnFrame(TlsSwarm* swarm, size_t member, absl::string_view body, Outcome* outcome);
  void OnPush(Member* member, const device::v1::Push& push, Outcome* outcome);
  static void Acknowledge(Member* member, uint64_t seq, bool now_or_never, Outcome* outcome);

  const Clock* const clock_;
  std::deque<Member> members_;
  LoadCounts counts_;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_LOAD_DEVICE_PROTOCOL_H_
