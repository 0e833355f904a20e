#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_CONNECTION_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/fair_shares.h"
#include "gateway/doors/http/loop_thread.h"
#include "gateway/doors/http/memory_account.h"
#include "gateway/doors/http/server_protocol.h"
#include "gateway/doors/http/turns.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/stream.h"

namespace bellwire::http {

// One accepted connection: its stream, the version of HTTP that it speaks (by ALPN, or by its first
// bytes), and its turns on the loop. On the loop's thread.
class HttpConnection final : public net::Stream::Delegate, public ServerProtocol::Host {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The connection is over: destroy it later. Always the last call. `reason` says why we ended
    // it; empty: the peer did.
    virtual void Remove(HttpConnection* connection, absl::string_view reason) = 0;
    // It has its first request: from now on it keeps its place.
    virtual void Settle(HttpConnection* connection) = 0;
    // Flush() it at the end of what the thread is doing.
    virtual void FlushSoon(HttpConnection* connection) = 0;
  };

  // What all connections of a thread share; outlives them.
  struct Shared {
    net::EpollLoop* loop = nullptr;
    Owner* owner = nullptr;
    FairShares* memory = nullptr;
    std::shared_ptr<LoopThread> thread;
  };

  // How a connection came.
  struct Arrival {
    // Tells it from the others.
    uint64_t id = 0;
    net::PeerKey peer;
    // "address:port", for logs.
    std::string peer_name;
    // Its place among all of its listener.
    std::unique_ptr<FairShares::Member> place;
    // Of its port; outlive it.
    const std::vector<Door*>* doors = nullptr;
    absl::string_view scheme;
    // It is a proxy that may name its clients; null: it isn't.
    const TrustedProxy* proxy = nullptr;
  };

  // `stream` was just accepted.
  HttpConnection(const Shared* shared, Arrival arrival, std::unique_ptr<net::Stream> stream);

  void Flush();
  // Tells the client to go elsewhere; during a TLS handshake, as soon as that is over. Closes after
  // kHttpDrainNotice if it is not over by then.
  void Drain();
  // Whatever is not answered by now never is. It closes as soon as the peer took what is written.
  void EndExchanges();
  // At once.
  void Close();

  uint64_t id() const { return arrival_.id; }
  // It has had a request.
  bool settled() const { return settled_; }
  const net::PeerKey& peer() const { return arrival_.peer; }
  const std::string& peer_name() const { return arrival_.peer_name; }

  // --- net::Stream::Delegate ---
  void OnOpen() override;
  void OnData(absl::string_view data) override;
  void OnDrained() override;
  void OnClosed(const absl::Status& status) override;

  // --- ServerProtocol::Host ---
  void OnChanged() override;

 private:
  void Recognise(absl::string_view data);
  template <typename Protocol>
  void Speak();
  void Feed(absl::string_view data);
  // In the thread's line; nothing is read meanwhile.
  void StandInLine();
  void OnTurn();
  void OnTimer();
  void ArmTimer();
  void End(absl::string_view reason);
  void SettleOnce();

  const Shared* const shared_;
  const Arrival arrival_;
  const std::unique_ptr<net::Stream> stream_;
  MemoryAccount memory_;
  bool ended_ = false;
  bool draining_ = false;
  bool settled_ = false;
  bool flushing_ = false;
  // The peer's bytes that wait for their turn. Nothing is read meanwhile.
  std::string pending_;
  Turns::Account used_;
  Turns::Place place_in_line_ = 0;
  // Null until it is known.
  std::unique_ptr<ServerProtocol> http_;
  const std::unique_ptr<net::Timer> timer_;
  MonotonicTime timer_at_;
  net::FdWatch more_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_CONNECTION_H_
