#include "net/dial/resolver.h"

#include <netdb.h>
#include <pthread.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/socket/close_reason.h"

namespace bellwire::net {
namespace {

struct Request {
  std::shared_ptr<PostQueue> queue;
  std::string host;
  uint16_t port;
  std::weak_ptr<Resolution::Done> done;
};

absl::Status NotResolved(absl::string_view host, absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, kNameNotResolved,
                   absl::StrCat("cannot resolve \"", host, "\": ", why));
}

absl::StatusOr<std::vector<SocketAddress>> Resolve(const std::string& host, uint16_t port) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &list);
  if (error != 0) return NotResolved(host, gai_strerror(error));
  std::vector<SocketAddress> addresses;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    SocketAddress address;
    memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    address.size = info->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(list);
  return addresses;
}

void Answer(const Request& request, absl::StatusOr<std::vector<SocketAddress>> addresses) {
  // Refused if the loop is gone or full; then the owner's time-out speaks.
  request.queue->Post([done = request.done, addresses = std::move(addresses)]() mutable {
    if (const std::shared_ptr<Resolution::Done> alive = done.lock()) {
      (*alive)(std::move(addresses));
    }
  });
}

void* RunThread(void* arg) {
  const std::unique_ptr<Request> request(static_cast<Request*>(arg));
  Answer(*request, Resolve(request->host, request->port));
  return nullptr;
}

}  // namespace

Resolution::Resolution(EpollLoop* loop, std::string host, uint16_t port, Done done)
    : done_(std::make_shared<Done>(std::move(done))) {
  auto request = std::make_unique<Request>(
      Request{loop->post_queue(), std::move(host), port, std::weak_ptr<Done>(done_)});
  // pthread_create rather than std::thread, which throws when there is no room for another one.
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, RunThread, request.get()) == 0) {
    request.release();
  } else {
    Answer(*request, NotResolved(request->host, "no thread to ask on"));
  }
  pthread_attr_destroy(&attributes);
}

}  // namespace bellwire::net
