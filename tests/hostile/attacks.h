#ifndef BELLWIRE_TESTS_HOSTILE_ATTACKS_H_
#define BELLWIRE_TESTS_HOSTILE_ATTACKS_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tests/hostile/http2_peer.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {

inline constexpr size_t kMiB = 1024 * 1024;
// How long a flood goes on.
inline constexpr absl::Duration kFlood = absl::Seconds(5);
// A server that is busy with others takes a hostile peer's bytes late, or never.
inline constexpr absl::Duration kImpatience = absl::Seconds(3);
// Whatever a peer leaves unfinished, the server ends within this time.
inline constexpr absl::Duration kEnds = absl::Seconds(60);

inline constexpr char kSend[] = "/bellwire.push.v1.PushService/Send";
inline constexpr char kSendBatch[] = "/bellwire.push.v1.PushService/SendBatch";
inline constexpr char kSendStream[] = "/bellwire.push.v1.PushService/SendStream";
inline constexpr char kWatchReceipts[] = "/bellwire.push.v1.PushService/WatchReceipts";

// What an attack runs in. Thread-safe.
class Arena {
 public:
  struct Options {
    // Of the provider port.
    std::string address;
    std::string ca_file;
    // Where the attacker connects from, such as "127.0.0.2": who attacks is another peer than who
    // is served. Empty: the kernel's choice.
    std::string from;
    // For attacks by somebody who has a team, and a device's token of its app.
    std::string authorization;
    std::string token;
  };
  explicit Arena(Options options) : options_(std::move(options)) {}

  // Null: the server refuses the connection.
  std::unique_ptr<Http2Peer> Connect(Http2Peer::Options options = {}) const;

  // Lets `peers` do `step` in turns until `time` is over. A peer whose step answers false, or that
  // is closed, comes back with a new connection, as an attacker does.
  void Flood(int peers, absl::Duration time, const std::function<bool(Http2Peer&)>& step,
             const Http2Peer::Options& options = {}) const;

  const std::string& address() const { return options_.address; }
  const std::string& token() const { return options_.token; }
  // The credential as header fields.
  HeaderList Credential() const { return {{"authorization", options_.authorization}}; }

 private:
  const Options options_;
};

struct Attack {
  std::string name;
  // Answers false if the server let something go on that it should have ended.
  std::function<bool(const Arena&)> run;
  // What the attack may cost the server.
  size_t max_growth_bytes = 96 * kMiB;
  size_t max_more_threads = 64;
  Deployment deployment = Deployment::kEmbedded;
};

// Without it a failed expectation prints the bytes of the struct.
inline void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

// By anybody.
const std::vector<Attack>& Attacks();
// By somebody with a good credential.
const std::vector<Attack>& AttacksOfATeam();

// HEADERS of a gRPC call.
std::string OpenStream(uint32_t stream, const std::string& path, const HeaderList& more = {});
// One connection that opens as many streams of `path` as it is allowed, up to `streams`, and
// writes `body` on each without ever ending one. Null: no connection.
std::unique_ptr<Http2Peer> OpenMany(const Arena& arena, int streams, const std::string& path,
                                    const std::string& body, const Http2Peer::Options& options = {},
                                    const HeaderList& more = {});
// Reads on all `peers` until each has seen the end of its first stream, for kEnds at most.
bool AllEnd(const std::vector<std::unique_ptr<Http2Peer>>& peers);

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_HOSTILE_ATTACKS_H_
