#ifndef BELLWIRE_BENCH_LOAD_TLS_SWARM_H_
#define BELLWIRE_BENCH_LOAD_TLS_SWARM_H_

#include <netinet/in.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bench/load/histogram.h"
#include "common/clock.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/socket.h"
#include "net/tls/tls_connection_state.h"

namespace bellwire::bench {

class TlsSwarm;

// What the members of a swarm say once TLS is up. On the loop's thread.
class SwarmProtocol {
 public:
  virtual ~SwarmProtocol() = default;
  // TLS is up: log in, and call swarm->Ready(member) once that has been answered.
  virtual void OnOpen(TlsSwarm* swarm, size_t member) = 0;
  // Whether OnOpen writes: as an agent's, it shares a packet with the end of the handshake.
  virtual bool speaks_first() const { return true; }
  // The server sent a session ticket.
  virtual void OnTicket(TlsSwarm* swarm, size_t member) { (void)swarm, (void)member; }
  virtual void OnData(TlsSwarm* swarm, size_t member, absl::string_view data) = 0;
  // The connection is gone: what was known of it is void.
  virtual void OnClosed(size_t member) { (void)member; }
};

// Thousands of TLS clients on one loop, as cheap as OpenSSL can be, so that a load generator takes
// as little as possible of the machine from whom it measures: certificates are not checked, sockets
// are closed with a reset (no TIME_WAIT), and connecting is limited to a number at a time.
// Single-threaded.
class TlsSwarm {
 public:
  struct Options {
    // Offered in the handshake; empty: none.
    std::string alpn;
    // Members whose connection or login is under way; the others wait.
    size_t at_once = 32;
    // Whether a member resumes its last TLS session.
    bool resume = false;
  };
  // The loop, the protocol and the clock outlive it.
  TlsSwarm(net::EpollLoop* loop, SwarmProtocol* protocol, Options options);
  ~TlsSwarm();
  TlsSwarm(const TlsSwarm&) = delete;
  TlsSwarm& operator=(const TlsSwarm&) = delete;

  Options& options() { return options_; }
  // Where to connect: members are spread over them, and whoever lost its connection goes to the
  // next.
  void SetServers(std::vector<sockaddr_in> servers) { servers_ = std::move(servers); }
  // Called when a member lost its connection or was refused, not after Abort. It may call Connect
  // later, but not at once.
  void SetOnLost(absl::AnyInvocable<void(size_t member)> on_lost) { on_lost_ = std::move(on_lost); }
  // Makes room for so many members.
  void Resize(size_t members);
  size_t size() const { return members_.size(); }

  // Connects when its turn comes. Nothing happens if it is connected or waiting already.
  void Connect(size_t member);
  // Ends the connection with a reset.
  void Abort(size_t member);
  // Whoever connects or logs in since before `then` has lost its connection.
  void GiveUpOnAttemptsBefore(MonotonicTime then);
  // For the next Connect of who lost its connection: another server, if there is one.
  void MoveToNextServer(size_t member) { ++members_[member].server; }

  // --- For the protocol. ---
  void Ready(size_t member);
  // Gives up on the connection, as if the server had ended it.
  void Fail(size_t member, absl::string_view why);
  void Write(size_t member, absl::string_view data);
  std::string Exporter(size_t member) const;
  bool resumed(size_t member) const;

  bool ready(size_t member) const { return members_[member].state == State::kReady; }
  // Members that are ready now, and that wait or connect now.
  size_t ready_count() const { return ready_count_; }
  size_t pending_count() const { return queue_.size() + connecting_; }
  // Since the last ResetCounts: logins, of those the resumed ones, connections lost or refused.
  uint64_t logins() const { return logins_; }
  uint64_t resumptions() const { return resumptions_; }
  uint64_t losses() const { return losses_; }
  const std::string& last_error() const { return last_error_; }
  // From connect(2) to Ready.
  const Histogram& login_latency() const { return login_latency_; }
  void ResetCounts();
  // Bytes of TLS records on the sockets that are open now, since they were opened.
  uint64_t wire_bytes_sent() const;
  uint64_t wire_bytes_received() const;

 private:
  enum class State : uint8_t { kIdle, kQueued, kHandshake, kLogin, kReady };
  struct Connection {
    explicit Connection(int fd) : socket(fd), tls(&socket) {}
    net::Socket socket;
    net::TlsConnectionState tls;
  };
  struct Member {
    State state = State::kIdle;
    uint32_t server = 0;
    // What `ssl` reads and writes.
    std::unique_ptr<Connection> connection;
    SSL* ssl = nullptr;
    SSL_SESSION* session = nullptr;
    MonotonicTime started;
    std::unique_ptr<net::FdWatch> watch;
    // What the kernel refused.
    std::string unsent;
  };

  static int OnNewSession(SSL* ssl, SSL_SESSION* session);
  void StartNext();
  absl::Status Open(size_t member);
  void OnReady(size_t member, uint32_t events);
  void Handshake(size_t member);
  void Read(size_t member);
  void Flush(size_t member);
  // How many bytes the connection took.
  size_t WriteSome(size_t member, absl::string_view data);
  void Close(size_t member);

  net::EpollLoop* const loop_;
  SwarmProtocol* const protocol_;
  Options options_;
  SSL_CTX* const ctx_;
  std::vector<sockaddr_in> servers_;
  absl::AnyInvocable<void(size_t)> on_lost_;
  // Members refer to their index, and watches to the members: a deque never moves them.
  std::deque<Member> members_;
  std::deque<size_t> queue_;
  // Attempts in the order in which they began; those that have ended are still in it.
  std::deque<std::pair<MonotonicTime, size_t>> attempts_;
  size_t connecting_ = 0;
  size_t ready_count_ = 0;
  uint64_t logins_ = 0;
  uint64_t resumptions_ = 0;
  uint64_t losses_ = 0;
  std::string last_error_;
  Histogram login_latency_;
  bool starting_ = false;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_LOAD_TLS_SWARM_H_
