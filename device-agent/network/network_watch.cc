#include "device-agent/network/network_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "device-agent/network/rtnetlink.h"

namespace bellwire::agent {
namespace {

// As the kernel fills them (NLMSG_GOODSIZE), with room for pages of 16 KiB.
constexpr size_t kDatagramBytes = 32 * 1024;
// A list that changed while it was read is read again, but not for ever.
constexpr int kMaxListAttempts = 5;

absl::Status NoNetlink(absl::string_view what) {
  return MakeError(absl::StatusCode::kUnavailable, "NO_NETLINK",
                   absl::StrCat(what, ": ", strerror(errno)));
}

int OpenSocket(uint32_t groups, int flags) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);
  if (fd < 0) return -1;
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

// One datagram of the kernel's, and of nobody else's; as recv(2).
ssize_t Receive(int fd, std::vector<char>* buffer) {
  sockaddr_nl from = {};
  socklen_t size = sizeof(from);
  ssize_t n;
  do {
    n = recvfrom(fd, buffer->data(), buffer->size(), MSG_TRUNC, reinterpret_cast<sockaddr*>(&from),
                 &size);
  } while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
  return n;
}

// False: ask again.
bool List(int fd, int message_type, std::vector<char>* buffer, NetworkFacts* facts) {
  const std::string request = NetworkListRequest(message_type);
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return false;
  while (true) {
    const ssize_t n = Receive(fd, buffer);
    if (n <= 0 || static_cast<size_t>(n) > buffer->size()) return false;
    const NetworkDatagram datagram =
        ParseNetworkDatagram(absl::string_view(buffer->data(), static_cast<size_t>(n)));
    if (datagram.failed) return false;
    for (const NetworkNews& news : datagram.news) {
      if (news.holds) facts->insert(news.fact);
    }
    if (datagram.done) return true;
  }
}

// How it is now. The kernel answers such questions while they are asked, so this waits for nobody.
absl::StatusOr<NetworkFacts> AskKernel() {
  std::vector<char> buffer(kDatagramBytes);
  for (int attempt = 0; attempt < kMaxListAttempts; ++attempt) {
    // A new socket each time: of the last one answers may be left.
    const int fd = OpenSocket(/*groups=*/0, /*flags=*/0);
    if (fd < 0) return NoNetlink("netlink");
    NetworkFacts facts;
    errno = EAGAIN;
    const bool complete = List(fd, RTM_GETLINK, &buffer, &facts) &&
                          List(fd, RTM_GETADDR, &buffer, &facts) &&
                          List(fd, RTM_GETROUTE, &buffer, &facts);
    const int error = errno;
    close(fd);
    errno = error;
    if (complete) return facts;
  }
  return NoNetlink("the kernel's list of links, addresses and routes");
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetworkWatch>> NetworkWatch::Start(
    net::EpollLoop* loop, absl::AnyInvocable<void()> on_change) {
  // Listening comes before asking: nothing falls in between.
  const int fd = OpenSocket(
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
      SOCK_NONBLOCK);
  if (fd < 0) return NoNetlink("netlink");
  absl::StatusOr<NetworkFacts> facts = AskKernel();
  if (!facts.ok()) {
    close(fd);
    return facts.status();
  }
  std::unique_ptr<NetworkWatch> watch(
      new NetworkWatch(loop, fd, *std::move(facts), std::move(on_change)));
  if (absl::Status s = watch->watch_.Start(fd); !s.ok()) return s;
  return watch;
}

NetworkWatch::NetworkWatch(net::EpollLoop* loop, int fd, NetworkFacts facts,
                           absl::AnyInvocable<void()> on_change)
    : loop_(loop),
      fd_(fd),
      monitor_(&loop->clock(), std::move(facts)),
      on_change_(std::move(on_change)),
      watch_(loop, [this](uint32_t) { OnReady(); }),
      timer_(loop->NewTimer([this] { OnTimer(); })) {}

NetworkWatch::~NetworkWatch() {
  watch_.Stop();
  close(fd_);
}

void NetworkWatch::OnReady() {
  std::vector<char> buffer(kDatagramBytes);
  while (true) {
    const ssize_t n = Receive(fd_, &buffer);
    if (n < 0 && errno == ENOBUFS) {
      monitor_.OnOverrun();
      continue;
    }
    if (n < 0) break;
    if (static_cast<size_t>(n) > buffer.size()) {
      monitor_.OnOverrun();
      continue;
    }
    const NetworkDatagram datagram =
        ParseNetworkDatagram(absl::string_view(buffer.data(), static_cast<size_t>(n)));
    for (const NetworkNews& news : datagram.news) monitor_.OnNews(news);
    if (datagram.failed) monitor_.OnOverrun();
  }
  ArmTimer();
}

void NetworkWatch::OnTimer() {
  absl::StatusOr<NetworkFacts> facts = AskKernel();
  if (!facts.ok()) {
    // What is there no more is found by a heartbeat then.
    LogWarning("network_not_read", {{"error", facts.status().message()}});
    facts = monitor_.facts();
  }
  if (monitor_.Settle(*std::move(facts))) on_change_();
}

void NetworkWatch::ArmTimer() {
  const std::optional<MonotonicTime> deadline = monitor_.deadline();
  if (!deadline.has_value()) return timer_->Cancel();
  timer_->Arm(std::max(absl::ZeroDuration(), *deadline - loop_->clock().Monotonic()));
}

}  // namespace bellwire::agent
