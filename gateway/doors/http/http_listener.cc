#include "gateway/doors/http/http_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/doors/http/fair_shares.h"
#include "gateway/doors/http/http_connection.h"
#include "gateway/doors/http/loop_thread.h"
#include "gateway/doors/http/proxy/proxy_prefaces.h"
#include "gateway/doors/http/token_bucket.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/acceptor.h"
#include "net/socket/listen_tcp.h"
#include "net/socket/socket_stream.h"
#include "net/socket/unix_stream.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_accept.h"
#include "ops/metrics/counter.h"

namespace bellwire::http {
namespace {

constexpr absl::string_view kUnixPrefix = "unix:";
// Who may connect to a Unix socket: the server's user and group, in which a proxy may be.
constexpr mode_t kUnixSocketMode = 0660;

// A client of HTTP/1 that is gone without a word is found by its kernel's silence: it isn't asked
// for a sign of life as one of HTTP/2 is.
void KeepAlive(int fd) {
  const int on = 1, probes = 3;
  const int idle = static_cast<int>(absl::ToInt64Seconds(kHttpKeepaliveInterval));
  const int between = static_cast<int>(absl::ToInt64Seconds(kHttpKeepaliveTimeout));
  // Does what the kernel allows.
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof(between));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

// A descriptor on its way to the thread that serves it.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Log lines about strangers, so few that a crowd of them doesn't fill the disk.
class StrangerLog {
 public:
  StrangerLog() : bucket_(kHttpLogBurst, kHttpLogLinesPerSecond, RealClock()->Monotonic()) {}

  void Write(absl::string_view event, absl::string_view peer, absl::string_view reason) {
    absl::MutexLock lock(&mutex_);
    if (!bucket_.Take(RealClock()->Monotonic())) {
      ++suppressed_;
      return;
    }
    LogInfo(event, {{"peer", peer}, {"reason", reason}, {"suppressed", suppressed_}});
    suppressed_ = 0;
  }

 private:
  absl::Mutex mutex_;
  TokenBucket bucket_ ABSL_GUARDED_BY(mutex_);
  int suppressed_ ABSL_GUARDED_BY(mutex_) = 0;
};

class HttpShard;

// Connections that have had no request yet. When a peer has all the places that it may have, the
// oldest of these makes room: whoever says nothing keeps nobody out. Thread-safe.
class Newcomers {
 public:
  struct Connection {
    HttpShard* shard;
    uint64_t id;
  };

  void Add(const net::PeerKey& peer, const Connection& connection) {
    absl::MutexLock lock(&mutex_);
    peers_[peer].push_back(connection);
  }
  // It may have gone already.
  void Remove(const net::PeerKey& peer, uint64_t id) {
    absl::MutexLock lock(&mutex_);
    const auto it = peers_.find(peer);
    if (it == peers_.end()) return;
    std::erase_if(it->second, [id](const Connection& other) { return other.id == id; });
    if (it->second.empty()) peers_.erase(it);
  }
  std::optional<Connection> TakeOldest(const net::PeerKey& peer) {
    absl::MutexLock lock(&mutex_);
    const auto it = peers_.find(peer);
    if (it == peers_.end()) return std::nullopt;
    const Connection oldest = it->second.front();
    it->second.pop_front();
    if (it->second.empty()) peers_.erase(it);
    return oldest;
  }

 private:
  absl::Mutex mutex_;
  // Oldest first.
  absl::flat_hash_map<net::PeerKey, std::deque<Connection>> peers_ ABSL_GUARDED_BY(mutex_);
};

// One of the listener's ports. Thread-safe.
class ServedPort {
 public:
  ServedPort(HttpListener::Port options, FairShares* memory)
      : options_(std::move(options)),
        proxy_{.proxies = &options_.trusted_proxies, .memory = memory},
        is_clear_(options_.tls == nullptr),
        tls_(options_.tls) {}

  bool is_clear() const { return is_clear_; }
  absl::string_view scheme() const { return is_clear_ ? "http" : "https"; }
  const std::vector<Door*>& doors() const { return options_.doors; }
  bool ExpectsProxyHeader(const net::SocketAddress& peer) const {
    return options_.proxy_protocol_from.Contains(peer);
  }
  // Null: this peer isn't one.
  const TrustedProxy* ProxyAt(const net::SocketAddress& peer) const {
    return options_.trusted_proxies.Contains(peer) ? &proxy_ : nullptr;
  }
  const TrustedProxy* UnixProxy() const {
    return options_.trusted_proxies.empty() ? nullptr : &proxy_;
  }

  std::shared_ptr<net::TlsServerContext> Tls() const {
    absl::MutexLock lock(&mutex_);
    return tls_;
  }
  void UseTls(std::shared_ptr<net::TlsServerContext> tls) {
    absl::MutexLock lock(&mutex_);
    tls_ = std::move(tls);
  }

 private:
  const HttpListener::Port options_;
  const TrustedProxy proxy_;
  const bool is_clear_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<net::TlsServerContext> tls_ ABSL_GUARDED_BY(mutex_);
};

// What the threads of one listener share. Thread-safe.
struct Common {
  Common(size_t max_connections, size_t max_memory_bytes)
      : max_connections(max_connections),
        max_memory_bytes(max_memory_bytes),
        places(max_connections),
        memory(max_memory_bytes) {}

  const size_t max_connections;
  const size_t max_memory_bytes;
  FairShares places;
  FairShares memory;
  StrangerLog log;
  Newcomers newcomers;
  metrics::Counter accepted;
  metrics::Counter refused;

  absl::Mutex mutex;
  // Of all threads, with those that are on their way to one.
  size_t connections ABSL_GUARDED_BY(mutex) = 0;
};

// A thread with its loop and its connections.
class HttpShard final : public HttpConnection::Owner {
 public:
  explicit HttpShard(Common* common)
      : common_(common),
        loop_(RealClock()),
        thread_(LoopThread::Make(&loop_, [this] { FlushChanged(); })),
        shared_{.loop = &loop_, .owner = this, .memory = &common->memory, .thread = thread_},
        handshakes_(&loop_, ThreadCpuTime),
        flush_(&loop_, [this](uint32_t) { FlushChanged(); }) {}

  ~HttpShard() override { Stop(); }

  net::EpollLoop* loop() { return &loop_; }
  const std::shared_ptr<LoopThread>& thread() const { return thread_; }
  size_t connections() const { return count_.load(std::memory_order_relaxed); }

  void Run() {
    runner_ = std::thread([this] {
      thread_->BecomeCurrent();
      loop_.Run();
    });
  }

  // Any thread. Counts at once, so that the next one goes elsewhere.
  void Add(const ServedPort* port, OwnedFd fd, HttpConnection::Arrival arrival) {
    Expect(arrival);
    thread_->Post([this, port, fd = std::move(fd), arrival = std::move(arrival)]() mutable {
      std::unique_ptr<net::Stream> stream;
      if (port->is_clear()) {
        stream = std::make_unique<net::SocketStream>(
            &loop_, std::make_unique<net::PlainTransport>(fd.Release()), arrival.peer_name);
      } else {
        stream = net::AcceptTls(&loop_, port->Tls(), fd.Release(), arrival.peer_name, &handshakes_);
      }
      AddNow(std::move(arrival), std::move(stream));
    });
  }
  // The same, on its thread.
  void AddStream(HttpConnection::Arrival arrival, std::unique_ptr<net::Stream> stream) {
    Expect(arrival);
    AddNow(std::move(arrival), std::move(stream));
  }

  // Makes room, unless it had a request meanwhile.
  void CloseNewcomer(uint64_t id) {
    thread_->Post([this, id] {
      const auto it = connections_.find(id);
      if (it != connections_.end() && !it->second->settled()) it->second->Close();
    });
  }

  void Drain() {
    thread_->Post([this] {
      draining_ = true;
      for (HttpConnection* connection : All()) connection->Drain();
    });
  }
  void EndExchanges() {
    thread_->Post([this] {
      for (HttpConnection* connection : All()) connection->EndExchanges();
    });
  }
  // Closes everything at once and ends the thread.
  void Stop() {
    if (!runner_.joinable()) return;
    thread_->Post([this] {
      for (HttpConnection* connection : All()) connection->Close();
      loop_.Stop();
    });
    runner_.join();
    thread_->Close();
  }

  // --- HttpConnection::Owner ---

  void Remove(HttpConnection* connection, absl::string_view reason) override {
    if (!reason.empty()) {
      common_->log.Write("http_connection_ended", connection->peer_name(), reason);
    }
    std::erase(changed_, connection);
    common_->newcomers.Remove(connection->peer(), connection->id());
    const auto it = connections_.find(connection->id());
    loop_.DeleteLater(std::move(it->second));
    connections_.erase(it);
    count_.fetch_sub(1, std::memory_order_relaxed);
    absl::MutexLock lock(&common_->mutex);
    --common_->connections;
  }

  void Settle(HttpConnection* connection) override {
    common_->newcomers.Remove(connection->peer(), connection->id());
  }

  void FlushSoon(HttpConnection* connection) override {
    // For what changes outside of a batch.
    if (changed_.empty()) flush_.Wake();
    changed_.push_back(connection);
  }

 private:
  void Expect(const HttpConnection::Arrival& arrival) {
    count_.fetch_add(1, std::memory_order_relaxed);
    common_->newcomers.Add(arrival.peer, {this, arrival.id});
  }
  void AddNow(HttpConnection::Arrival arrival, std::unique_ptr<net::Stream> stream) {
    const uint64_t id = arrival.id;
    auto connection =
        std::make_unique<HttpConnection>(&shared_, std::move(arrival), std::move(stream));
    HttpConnection* const added = connection.get();
    connections_.emplace(id, std::move(connection));
    if (draining_) added->Drain();
  }

  std::vector<HttpConnection*> All() const {
    std::vector<HttpConnection*> all;
    all.reserve(connections_.size());
    for (const auto& [id, connection] : connections_) all.push_back(connection.get());
    return all;
  }

  void FlushChanged() {
    while (!changed_.empty()) {
      HttpConnection* const connection = changed_.back();
      changed_.pop_back();
      connection->Flush();
      // Somebody asked for an answer: handshakes come after that.
      handshakes_.GiveWay();
    }
  }

  Common* const common_;
  net::EpollLoop loop_;
  const std::shared_ptr<LoopThread> thread_;
  const HttpConnection::Shared shared_;
  net::HandshakeQueue handshakes_;
  net::FdWatch flush_;
  bool draining_ = false;
  // By their ids.
  absl::flat_hash_map<uint64_t, std::unique_ptr<HttpConnection>> connections_;
  std::vector<HttpConnection*> changed_;
  std::atomic<size_t> count_{0};
  std::thread runner_;
};

// Of threads that were asked whether they go round.
struct Answers {
  absl::Mutex mutex;
  size_t count ABSL_GUARDED_BY(mutex) = 0;
};

class HttpListenerImpl final : public HttpListener {
 public:
  HttpListenerImpl(const Options& options, int threads)
      : common_(options.max_connections, options.max_memory_bytes) {
    for (int i = 0; i < threads; ++i) shards_.push_back(std::make_unique<HttpShard>(&common_));
    prefaces_ = std::make_unique<ProxyPrefaces>(
        first_loop(), [this](const net::SocketAddress& proxy, absl::string_view why) {
          common_.log.Write("http_connection_refused", net::FormatAddress(proxy), why);
        });
  }

  ~HttpListenerImpl() override {
    if (running_) BeginDrain();
    for (const auto& shard : shards_) shard->Stop();
    CloseEntrances();
  }

  // Before Run.
  absl::Status Listen(Port options) {
    const std::string address = options.address;
    ports_.push_back(std::make_unique<ServedPort>(std::move(options), &common_.memory));
    const ServedPort* const port = ports_.back().get();
    port_numbers_.push_back(0);
    absl::string_view path = address;
    if (absl::ConsumePrefix(&path, kUnixPrefix)) {
      auto listener = net::UnixListener::Listen(
          first_loop(), path, kUnixSocketMode,
          [this, port](std::unique_ptr<net::Stream> stream, const net::PeerCredentials&) {
            AcceptedUnix(port, std::move(stream));
          });
      if (!listener.ok()) return listener.status();
      unix_listeners_.push_back(*std::move(listener));
      return absl::OkStatus();
    }
    const absl::StatusOr<net::ListeningSocket> socket = net::ListenTcp(address);
    if (!socket.ok()) return socket.status();
    port_numbers_.back() = socket->port;
    acceptors_.push_back(std::make_unique<net::Acceptor>(
        first_loop(), socket->fd,
        [this, port](int fd, const net::SocketAddress& peer) { Accepted(port, fd, peer); }));
    return acceptors_.back()->Start();
  }

  void Run() {
    for (const auto& shard : shards_) shard->Run();
    running_ = true;
  }

  uint16_t port(size_t index) const override { return port_numbers_[index]; }

  void UseTls(size_t port, std::shared_ptr<net::TlsServerContext> tls) override {
    ports_[port]->UseTls(std::move(tls));
  }

  size_t connections() const override {
    absl::MutexLock lock(&common_.mutex);
    return common_.connections;
  }

  void Report(metrics::Samples* samples) const override {
    samples->AddQueue("http_connections", common_.places.taken(), common_.max_connections);
    samples->AddQueue("http_memory_bytes", common_.memory.taken(), common_.max_memory_bytes);
    samples->Add(metrics::kHttpConnections, {"accepted"}, common_.accepted);
    samples->Add(metrics::kHttpConnections, {"refused"}, common_.refused);
  }

  bool Responds(absl::Duration patience) override {
    // Shared, since a thread may answer after nobody waits any more.
    const auto answers = std::make_shared<Answers>();
    for (const auto& shard : shards_) {
      shard->thread()->Post([answers] {
        absl::MutexLock lock(&answers->mutex);
        ++answers->count;
      });
    }
    const auto all = [this, &answers] {
      answers->mutex.AssertHeld();
      return answers->count == shards_.size();
    };
    absl::MutexLock lock(&answers->mutex);
    return answers->mutex.AwaitWithTimeout(absl::Condition(&all), patience);
  }

  void BeginDrain() override {
    absl::call_once(drained_, [this] {
      // After it, what had been accepted is on its way to its shard, and what comes later in its
      // post.
      absl::Notification closed;
      shards_[0]->thread()->Post([this, &closed] {
        CloseEntrances();
        closed.Notify();
      });
      closed.WaitForNotification();
      for (const auto& shard : shards_) shard->Drain();
    });
  }

  bool AwaitNoConnection(absl::Duration time) override {
    const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(common_.mutex) {
      return common_.connections == 0;
    };
    absl::MutexLock lock(&common_.mutex);
    return common_.mutex.AwaitWithTimeout(absl::Condition(&none), time);
  }

  void EndExchanges() override {
    for (const auto& shard : shards_) shard->EndExchanges();
  }

 private:
  net::EpollLoop* first_loop() { return shards_[0]->loop(); }

  // On the first shard's thread, or when that has ended.
  void CloseEntrances() {
    acceptors_.clear();
    unix_listeners_.clear();
    prefaces_.reset();
  }

  void Accepted(const ServedPort* port, int fd, const net::SocketAddress& address) {
    KeepAlive(fd);
    const TrustedProxy* const proxy = port->ProxyAt(address);
    if (!port->ExpectsProxyHeader(address)) return Admit(port, OwnedFd(fd), address, proxy);
    prefaces_->Add(fd, address,
                   [this, port, address, proxy](int fd, std::optional<net::SocketAddress> client) {
                     Admit(port, OwnedFd(fd), client.value_or(address), proxy);
                   });
  }

  void Admit(const ServedPort* port, OwnedFd fd, const net::SocketAddress& address,
             const TrustedProxy* proxy) {
    HttpConnection::Arrival arrival;
    arrival.peer_name = net::FormatAddress(address);
    arrival.peer = net::PeerKey::OfAddress(address);
    arrival.proxy = proxy;
    if (!TakePlace(port, &arrival)) return;
    HttpShard* const shard =
        std::min_element(shards_.begin(), shards_.end(), [](const auto& a, const auto& b) {
          return a->connections() < b->connections();
        })->get();
    shard->Add(port, std::move(fd), std::move(arrival));
  }

  void AcceptedUnix(const ServedPort* port, std::unique_ptr<net::Stream> stream) {
    HttpConnection::Arrival arrival;
    arrival.peer_name = stream->peer_name();
    arrival.proxy = port->UnixProxy();
    if (!TakePlace(port, &arrival)) return;
    shards_[0]->AddStream(std::move(arrival), std::move(stream));
  }

  // Completes `arrival`. False: there is no place for it.
  bool TakePlace(const ServedPort* port, HttpConnection::Arrival* arrival) {
    arrival->place = std::make_unique<FairShares::Member>(&common_.places, arrival->peer);
    arrival->doors = &port->doors();
    arrival->scheme = port->scheme();
    arrival->id = ++last_id_;
    if (!arrival->place->Take(1)) {
      const std::optional<Newcomers::Connection> oldest =
          common_.newcomers.TakeOldest(arrival->peer);
      common_.log.Write("http_connection_refused", arrival->peer_name,
                        oldest.has_value() ? "in_place_of_an_older" : "too_many_connections");
      if (!oldest.has_value()) {
        common_.refused.Add();
        return false;
      }
      // It takes the place that becomes free.
      arrival->place->TakeAnyway(1);
      oldest->shard->CloseNewcomer(oldest->id);
    }
    common_.accepted.Add();
    absl::MutexLock lock(&common_.mutex);
    ++common_.connections;
    return true;
  }

  mutable Common common_;
  std::vector<std::unique_ptr<ServedPort>> ports_;
  std::vector<uint16_t> port_numbers_;
  bool running_ = false;
  // Of the accepting thread.
  uint64_t last_id_ = 0;
  std::vector<std::unique_ptr<HttpShard>> shards_;
  // On the first shard's loop.
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  std::vector<std::unique_ptr<net::UnixListener>> unix_listeners_;
  std::unique_ptr<ProxyPrefaces> prefaces_;
  absl::once_flag drained_;
};

size_t DescriptorLimit() {
  rlimit limit = {};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace

size_t HttpConnectionsFor(size_t descriptors) {
  return std::min(kMaxHttpConnections, kHttpDescriptors + descriptors / kHttpDescriptorPart);
}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Start(Options options) {
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  const int threads =
      options.threads > 0 ? options.threads : std::clamp(processors, 1, kMaxHttpThreads);
  if (options.max_connections == 0) {
    options.max_connections = HttpConnectionsFor(DescriptorLimit());
  }
  auto listener = std::make_unique<HttpListenerImpl>(options, threads);
  for (Port& port : options.ports) {
    if (absl::Status status = listener->Listen(std::move(port)); !status.ok()) return status;
  }
  listener->Run();
  return listener;
}

}  // namespace bellwire::http
