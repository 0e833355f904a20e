#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_PROXY_PREFACES_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_PROXY_PREFACES_H_

#include <cstddef>
#include <list>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/address.h"

namespace bellwire::http {

// A load balancer sends its header with its first packet; the rest is a network that loses some.
inline constexpr absl::Duration kProxyHeaderTimeout = absl::Seconds(5);
// Accepted sockets whose header isn't complete. Beyond it the oldest is closed.
inline constexpr size_t kMaxProxyPrefaces = 256;

// Sockets that were accepted from a proxy which speaks the PROXY protocol, until their header is
// read. Nothing behind the header is read. On the loop's thread; destroying it closes them.
class ProxyPrefaces {
 public:
  // A socket whose header is complete, and the client that it names (nullopt: the proxy itself).
  // The callee's.
  using OnReady = absl::AnyInvocable<void(int fd, std::optional<net::SocketAddress> client)>;
  // A socket was closed, and why.
  using OnRefused =
      absl::AnyInvocable<void(const net::SocketAddress& proxy, absl::string_view why)>;

  ProxyPrefaces(net::EpollLoop* loop, OnRefused on_refused);
  ~ProxyPrefaces();
  ProxyPrefaces(const ProxyPrefaces&) = delete;
  ProxyPrefaces& operator=(const ProxyPrefaces&) = delete;

  // Takes over `fd`, which is non-blocking.
  void Add(int fd, const net::SocketAddress& proxy, OnReady on_ready);
  size_t size() const { return prefaces_.size(); }

 private:
  class Preface;
  void Refuse(Preface* preface, absl::string_view why);
  void Remove(Preface* preface);

  net::EpollLoop* const loop_;
  OnRefused on_refused_;
  // Oldest first.
  std::list<std::unique_ptr<Preface>> prefaces_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_PROXY_PREFACES_H_
