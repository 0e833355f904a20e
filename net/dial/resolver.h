#ifndef BELLWIRE_NET_DIAL_RESOLVER_H_
#define BELLWIRE_NET_DIAL_RESOLVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/address.h"

namespace bellwire::net {

// A host name on its way to its addresses. getaddrinfo(3) blocks, so it runs on a thread of its own
// and its answer is posted back; destroying this drops the answer and waits for nobody.
class Resolution {
 public:
  // At least one address, in the order to try them; or UNAVAILABLE NAME_NOT_RESOLVED.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<SocketAddress>> addresses)>;

  // `done` is called from the loop, once, unless this is destroyed first.
  Resolution(EpollLoop* loop, std::string host, uint16_t port, Done done);

 private:
  // The thread holds it weakly, and the loop alone locks it: what is gone isn't called.
  const std::shared_ptr<Done> done_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_DIAL_RESOLVER_H_
