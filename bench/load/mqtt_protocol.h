#ifndef BELLWIRE_BENCH_LOAD_MQTT_PROTOCOL_H_
#define BELLWIRE_BENCH_LOAD_MQTT_PROTOCOL_H_

#include <deque>
#include <optional>
#include <string>

#include "bench/load/load_protocol.h"
#include "common/clock.h"

namespace bellwire::bench {

// Whether the broker forgets a session when its connection ends, or keeps it.
enum class MqttSession { kClean, kDurable };

// MQTT 3.1.1 subscribers: member N is client "dN", with one QoS 1 subscription of the topic "d/N".
// It is ready when that is confirmed, and acknowledges each message at once. A message that is
// marked as sent again counts as a repeat. Single-threaded.
class MqttProtocol final : public LoadProtocol {
 public:
  // `clock` outlives it.
  MqttProtocol(const Clock* clock, MqttSession session) : clock_(clock), session_(session) {}

  void Resize(size_t members) override { members_.resize(members); }
  bool SendHeartbeat(TlsSwarm* swarm, size_t member) override;
  const LoadCounts& counts() const override { return counts_; }
  void ResetCounts() override { counts_ = LoadCounts(); }

  void OnOpen(TlsSwarm* swarm, size_t member) override;
  void OnData(TlsSwarm* swarm, size_t member, absl::string_view data) override;
  void OnClosed(size_t member) override { members_[member] = Member(); }

 private:
  struct Member {
    // Of an incomplete packet.
    std::string received;
    std::optional<MonotonicTime> heartbeat_sent;
  };
  void OnPacket(TlsSwarm* swarm, size_t member, absl::string_view packet);

  const Clock* const clock_;
  const MqttSession session_;
  std::deque<Member> members_;
  LoadCounts counts_;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_LOAD_MQTT_PROTOCOL_H_
