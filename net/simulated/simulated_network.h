#ifndef BELLWIRE_NET_SIMULATED_SIMULATED_NETWORK_H_
#define BELLWIRE_NET_SIMULATED_SIMULATED_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "net/loop/event_loop.h"
#include "net/socket/stream.h"

namespace bellwire::net {

class SimulatedConnection;

// A network in memory, on a simulated loop: Streams that behave as TLS over TCP does, with the
// faults that a test asks for. The same seed and calls give the same bytes at the same times.
// net/README.md tells how it works. Single-threaded; must outlive its streams.
class SimulatedNetwork {
 public:
  // What a connection is like; both ways alike. Defaults: a good one.
  struct LinkOptions {
    // One way. Each chunk takes `latency` and up to `jitter` more, and never overtakes another.
    absl::Duration latency = absl::Milliseconds(1);
    absl::Duration jitter = absl::ZeroDuration();
    // OnData comes in pieces of 1 to so many bytes, at random. 0: as written.
    size_t max_read_bytes = 0;
    // The client's address: Stream::local_host of its end.
    std::string client_host;
    // What the sender's and receiver's kernels hold together; the rest is Stream::buffered_bytes().
    size_t buffer_bytes = 256 * 1024;
    // For each chunk sent: the connection is reset (0 to 1) …
    double reset_probability = 0;
    // … or stands still both ways for `stall`, as TCP does while packets are lost; infinite: for
    // ever.
    double stall_probability = 0;
    absl::Duration stall = absl::Seconds(1);
  };

  SimulatedNetwork(EventLoop* loop, uint64_t seed);
  ~SimulatedNetwork();

  // For connections made from now on.
  void set_link_options(const LinkOptions& options) { link_options_ = options; }
  const LinkOptions& link_options() const { return link_options_; }

  using OnAccept = absl::AnyInvocable<void(std::unique_ptr<Stream> stream)>;
  // Serves `address` (any text) until StopListening.
  void Listen(absl::string_view address, OnAccept on_accept);
  void StopListening(absl::string_view address);

  // What a device keeps of the last SendTicket; as TlsClient keeps one.
  struct TicketSlot {
    std::string data;
  };
  // The client's end. OnOpen comes after two round trips (TCP and TLS); OnClosed with the reasons
  // of close_reason.h: CANNOT_CONNECT after one if nobody listens, CONNECT_TIMEOUT after `timeout`.
  // `ticket`, if any, is offered to the server and replaced by a newer one; it must outlive the
  // stream.
  std::unique_ptr<Stream> Connect(absl::string_view address, TicketSlot* ticket = nullptr,
                                  absl::Duration timeout = kConnectTimeout);

  // Faults of all connections to an address, old and new. While it is cut, nothing passes either
  // way and new connections hang; afterwards everything goes on, as TCP retransmits.
  void Cut(absl::string_view address);
  void Mend(absl::string_view address);

  // Faults of one connection; `end` is either of the two. Both ends hear that it was reset, and
  // what was on its way is lost:
  void Reset(Stream* end);
  // Nothing passes any more, and nobody hears of it: a NAT that forgot the connection.
  void BlackHole(Stream* end);
  // This end's machine loses its power: it is called no more and what it does has no effect. The
  // other end hears nothing (half-open).
  void Vanish(Stream* end);

  // Connections that are open, or being opened, at one end at least.
  size_t open_connections() const;
  // Since the beginning, as Stream::Write was called.
  uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  friend class SimulatedConnection;

  // Uniform in [0, bound). The standard distributions differ between libraries.
  uint64_t Random(uint64_t bound);
  bool Chance(double probability);

  EventLoop* const loop_;
  std::mt19937_64 random_;
  LinkOptions link_options_;
  // Shared because a callback may stop the listener that it came from.
  std::map<std::string, std::shared_ptr<OnAccept>, std::less<>> listeners_;
  std::set<std::string, std::less<>> cut_;
  // All that exist, in the order they were made; they belong to the streams at their ends.
  std::map<uint64_t, SimulatedConnection*> connections_;
  uint64_t next_connection_ = 1;
  uint64_t bytes_sent_ = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SIMULATED_SIMULATED_NETWORK_H_
