#include "rpc/port_acceptor.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/host_port.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace bellwire {
namespace {

// Long enough not to spin, short enough that nobody in the backlog gives up.
constexpr int kRestMs = 100;
// As many as the kernel allows.
constexpr int kBacklog = 4096;

// A registry's RocksDB opens a few files at a time.
constexpr rlim_t kMaxReserve = 512;

// Connections have descriptors below it. The kernel gives the lowest number that is free, so all
// below one that is given are in use.
rlim_t EndOfConnections() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return RLIM_INFINITY;
  return limit.rlim_cur - std::min(limit.rlim_cur / 4, kMaxReserve);
}

absl::Status CannotListen(const std::string& listen, const char* why) {
  return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("cannot listen on ", listen, ": ", why));
}

// A socket that listens on `address`; -1 with errno set.
int ListenOn(const addrinfo& address, bool both_families) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int one = 1;
  const int v6_only = both_families ? 0 : 1;
  // Takes a port whose last connections linger, though not one that another process listens on.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (address.ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
  }
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PortAcceptor>> PortAcceptor::Listen(const std::string& listen) {
  BELLWIRE_ASSIGN_OR_RETURN(const HostPort parts, ParseHostPort(listen));
  const std::string& host = parts.host;
  const bool wildcard = host.empty() || host == "0.0.0.0" || host == "::";
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  // First both families; a machine without IPv6 has no [::].
  int fd = -1;
  int error = EADDRNOTAVAIL;
  for (const char* name : {wildcard ? "::" : host.c_str(), "0.0.0.0"}) {
    if (getaddrinfo(name, absl::StrCat(parts.port).c_str(), &hints, &found) != 0) {
      if (!wildcard) return CannotListen(listen, "the host has no address");
      continue;
    }
    fd = ListenOn(*found, wildcard);
    error = errno;
    freeaddrinfo(found);
    if (fd >= 0 || !wildcard || error == EADDRINUSE) break;
  }
  if (fd < 0) {
    return CannotListen(listen,
                        error == EADDRINUSE ? "another process uses the port" : strerror(error));
  }
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    error = errno;
    close(fd);
    return CannotListen(listen, strerror(error));
  }
  return std::unique_ptr<PortAcceptor>(new PortAcceptor(
      fd, wake_fd, absl::StrCat(listen.substr(0, listen.rfind(':')), ":", PortOf(fd))));
}

PortAcceptor::~PortAcceptor() {
  Stop();
  close(wake_fd_);
}

void PortAcceptor::Start(absl::AnyInvocable<void(int fd)> on_accept) {
  on_accept_ = std::move(on_accept);
  {
    absl::MutexLock lock(&mu_);
    running_ = true;
  }
  thread_ = std::thread([this] { Run(); });
}

void PortAcceptor::Stop() {
  if (thread_.joinable()) {
    {
      absl::MutexLock lock(&mu_);
      stopping_ = true;
    }
    Wake();
    thread_.join();
    absl::MutexLock lock(&mu_);
    running_ = false;
  }
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

bool PortAcceptor::Responds(absl::Duration patience) {
  absl::MutexLock lock(&mu_);
  if (!running_) return true;
  const uint64_t turn = ++asked_;
  Wake();
  const auto answered = [this, turn] {
    mu_.AssertHeld();
    return answered_ >= turn || !running_;
  };
  return mu_.AwaitWithTimeout(absl::Condition(&answered), patience);
}

void PortAcceptor::Wake() {
  const uint64_t one = 1;
  // It fails only if the thread has 2^64 wakes to read yet.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

void PortAcceptor::Run() {
  for (;;) {
    uint64_t asked = 0;
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) return;
      asked = asked_;
    }
    const bool rest = !AcceptAll();
    {
      absl::MutexLock lock(&mu_);
      answered_ = asked;
    }
    pollfd fds[] = {{.fd = wake_fd_, .events = POLLIN}, {.fd = rest ? -1 : fd_, .events = POLLIN}};
    poll(fds, 2, rest ? kRestMs : -1);
    uint64_t wakes;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &wakes, sizeof(wakes));
  }
}

bool PortAcceptor::AcceptAll() {
  for (;;) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && static_cast<rlim_t>(fd) >= EndOfConnections()) {
      close(fd);
      if (const auto unsaid = refusals_.Take()) {
        LogError("connection_refused", {{"address", address_},
                                        {"reason", "the descriptors that are left are for files"},
                                        {"unsaid", *unsaid}});
      }
      continue;
    }
    if (fd >= 0) {
      if (std::exchange(starved_, false)) LogInfo("accepting_again", {{"address", address_}});
      const int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
      on_accept_(fd);
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return true;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        if (!std::exchange(starved_, true)) {
          LogError("cannot_accept", {{"address", address_}, {"error", strerror(errno)}});
        }
        return false;
      default:
        // What went wrong with one connection before we had it (accept(2)).
        continue;
    }
  }
}

}  // namespace bellwire
