#ifndef BELLWIRE_BENCH_LOAD_LOAD_PROTOCOL_H_
#define BELLWIRE_BENCH_LOAD_LOAD_PROTOCOL_H_

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bench/load/histogram.h"
#include "bench/load/tls_swarm.h"
#include "common/clock.h"

namespace bellwire::bench {

// What the members of a swarm have seen since the last reset.
struct LoadCounts {
  uint64_t heartbeats = 0;
  Histogram heartbeat_latency;
  // Messages, each once; from the time that is written in the payload to here.
  uint64_t messages = 0;
  Histogram message_latency;
  // The server sent one again that the member had got: it may, and the member drops it.
  uint64_t repeats = 0;
  // One message id at two positions: it may never.
  uint64_t doubled = 0;
  uint64_t go_aways = 0;
};

// The payload of a message whose latency is to be measured begins with this: the sender's monotonic
// clock, which all processes of a machine share, in nanoseconds, in the machine's byte order.
inline constexpr size_t kTimestampBytes = 8;
inline std::string TimestampNow(const Clock& clock) {
  const int64_t ns = absl::ToInt64Nanoseconds(clock.Monotonic() - MonotonicTime());
  std::string out(kTimestampBytes, '\0');
  memcpy(out.data(), &ns, sizeof(ns));
  return out;
}
// Nothing for a payload without one.
inline std::optional<absl::Duration> AgeOf(absl::string_view payload, const Clock& clock) {
  if (payload.size() < kTimestampBytes) return std::nullopt;
  int64_t ns;
  memcpy(&ns, payload.data(), sizeof(ns));
  const absl::Duration age = clock.Monotonic() - MonotonicTime() - absl::Nanoseconds(ns);
  if (age < absl::ZeroDuration() || age > absl::Hours(1)) return std::nullopt;
  return age;
}

// A protocol under load: what device_load can do with the members of a swarm, whatever they speak.
// What a protocol doesn't know does nothing.
class LoadProtocol : public SwarmProtocol {
 public:
  virtual std::string alpn() const { return std::string(); }
  virtual void Resize(size_t members) { (void)members; }
  // Asks the server for a sign of life; the answer counts in counts(). False: the member still
  // waits for the one before.
  virtual bool SendHeartbeat(TlsSwarm* swarm, size_t member) = 0;
  virtual const LoadCounts& counts() const = 0;
  virtual void ResetCounts() = 0;
  // When the server asked the member to come back, if it did; once.
  virtual std::optional<absl::Duration> TakeRetryAfter(size_t member) {
    (void)member;
    return std::nullopt;
  }
  // Makes the member ask for the token of an app; empty until it is there.
  virtual void RegisterApp(TlsSwarm* swarm, size_t member, const std::string& app_id) {
    (void)swarm, (void)member, (void)app_id;
  }
  // The same of a subscription, bound to a VAPID key unless that is empty.
  virtual void RegisterSubscription(TlsSwarm* swarm, size_t member, const std::string& vapid_key) {
    (void)swarm, (void)member, (void)vapid_key;
  }
  virtual const std::string& token(size_t member) const {
    (void)member;
    static const std::string* const kNone = new std::string;
    return *kNone;
  }
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_LOAD_LOAD_PROTOCOL_H_
