#include "gateway/doors/http/http_listener.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/doors/http/fair_shares.h"
#include "gateway/doors/http/http_connection.h"
#include "gateway/doors/http/loop_thread.h"
#include "gateway/doors/http/token_bucket.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/acceptor.h"
#include "net/socket/listen_tcp.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_accept.h"

namespace bellwire::http {
namespace {

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

// Connections that have had no request yet. When a peer has all the places that it may have, the oldest
// of these makes room: whoever says nothing keeps nobody out. Thread-safe.
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

// What the threads of one listener share. Thread-safe.
struct Common {
  Common(std::vector<Door*> doors, size_t max_connections, size_t max_memory_bytes)
      : doors(std::move(doors)), places(max_connections), memory(max_memory_bytes) {}

  const std::vector<Door*> doors;
  FairShares places;
  FairShares memory;
  StrangerLog log;
  Newcomers newcomers;

  std::shared_ptr<net::TlsServerContext> Tls() {
    absl::MutexLock lock(&mutex);
    return tls;
  }

  absl::Mutex mutex;
  std::shared_ptr<net::TlsServerContext> tls ABSL_GUARDED_BY(mutex);
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
        shared_{.loop = &loop_,
                .owner = this,
                .doors = &common->doors,
                .memory = &common->memory,
                .thread = thread_},
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
  void Add(uint64_t id, OwnedFd fd, std::string peer_name, const net::PeerKey& peer,
           std::unique_ptr<FairShares::Member> place) {
    count_.fetch_add(1, std::memory_order_relaxed);
    common_->newcomers.Add(peer, {this, id});
    thread_->Post([this, id, fd = std::move(fd), peer_name = std::move(peer_name), peer,
                   place = std::move(place)]() mutable {
      auto connection = std::make_unique<HttpConnection>(
          &shared_, id,
          net::AcceptTls(&loop_, common_->Tls(), fd.Release(), std::move(peer_name), &handshakes_),
          peer, std::move(place));
      HttpConnection* const added = connection.get();
      connections_.emplace(id, std::move(connection));
      if (draining_) added->Close();
    });
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
      common_->log.Write("http_connection_ended", connection->stream().peer_name(), reason);
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
  HttpListenerImpl(Options options, net::ListeningSocket socket, int threads)
      : common_(std::move(options.doors), options.max_connections, options.max_memory_bytes),
        port_(socket.port) {
    UseTls(std::move(options.tls));
    for (int i = 0; i < threads; ++i) shards_.push_back(std::make_unique<HttpShard>(&common_));
    acceptor_ = std::make_unique<net::Acceptor>(
        shards_[0]->loop(), socket.fd,
        [this](int fd, const net::SocketAddress& peer) { Accepted(fd, peer); });
  }

  ~HttpListenerImpl() override {
    if (running_) BeginDrain();
    for (const auto& shard : shards_) shard->Stop();
    acceptor_.reset();
  }

  absl::Status Run() {
    if (absl::Status status = acceptor_->Start(); !status.ok()) return status;
    for (const auto& shard : shards_) shard->Run();
    running_ = true;
    return absl::OkStatus();
  }

  uint16_t port() const override { return port_; }

  void UseTls(std::shared_ptr<net::TlsServerContext> tls) override {
    absl::MutexLock lock(&common_.mutex);
    common_.tls = std::move(tls);
  }

  size_t connections() const override {
    absl::MutexLock lock(&common_.mutex);
    return common_.connections;
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
      // After it, what had been accepted is on its way to its shard, and what comes later in its post.
      absl::Notification closed;
      shards_[0]->thread()->Post([this, &closed] {
        acceptor_.reset();
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
  void Accepted(int fd, const net::SocketAddress& address) {
    OwnedFd owned(fd);
    std::string peer_name = net::FormatAddress(address);
    const net::PeerKey peer = net::PeerKey::OfAddress(address);
    auto place = std::make_unique<FairShares::Member>(&common_.places, peer);
    if (!place->Take(1)) {
      const std::optional<Newcomers::Connection> oldest = common_.newcomers.TakeOldest(peer);
      common_.log.Write("http_connection_refused", peer_name,
                        oldest.has_value() ? "in_place_of_an_older" : "too_many_connections");
      if (!oldest.has_value()) return;
      // It takes the place that becomes free.
      place->TakeAnyway(1);
      oldest->shard->CloseNewcomer(oldest->id);
    }
    {
      absl::MutexLock lock(&common_.mutex);
      ++common_.connections;
    }
    HttpShard* const shard =
        std::min_element(shards_.begin(), shards_.end(), [](const auto& a, const auto& b) {
          return a->connections() < b->connections();
        })->get();
    shard->Add(++last_id_, std::move(owned), std::move(peer_name), peer, std::move(place));
  }

  mutable Common common_;
  const uint16_t port_;
  bool running_ = false;
  // Of the accepting thread.
  uint64_t last_id_ = 0;
  std::vector<std::unique_ptr<HttpShard>> shards_;
  // On the first shard's loop.
  std::unique_ptr<net::Acceptor> acceptor_;
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
  const absl::StatusOr<net::ListeningSocket> socket = net::ListenTcp(options.address);
  if (!socket.ok()) return socket.status();
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  const int threads =
      options.threads > 0 ? options.threads : std::clamp(processors, 1, kMaxHttpThreads);
  if (options.max_connections == 0) {
    options.max_connections = HttpConnectionsFor(DescriptorLimit());
  }
  auto listener = std::make_unique<HttpListenerImpl>(std::move(options), *socket, threads);
  if (absl::Status status = listener->Run(); !status.ok()) return status;
  return listener;
}

}  // namespace bellwire::http
