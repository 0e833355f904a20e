#include "ops/overview/scrape_client.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/host_port.h"

namespace bellwire::metrics {
namespace {

// A server answers some 60 KiB.
constexpr size_t kMaxAnswerBytes = 4 * 1024 * 1024 + 64 * 1024;
constexpr char kRequest[] = "GET /metrics HTTP/1.1\r\nHost: bellwire\r\nConnection: close\r\n\r\n";

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status BadAddress(absl::string_view address) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                   absl::StrCat("\"", address, "\" is neither HOST:PORT nor unix:PATH"));
}

absl::Status NotReached(absl::string_view address, absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, "NOT_REACHED",
                   absl::StrCat("nobody shows metrics at ", address, ": ", why));
}

// A connected socket whose reads and writes have a time-out.
absl::StatusOr<std::unique_ptr<Descriptor>> Connect(int family, const sockaddr* address,
                                                    socklen_t size) {
  auto fd = std::make_unique<Descriptor>(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = absl::ToTimeval(kScrapePatience);
  if (fd->get() < 0 ||
      setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
      setsockopt(fd->get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
      connect(fd->get(), address, size) != 0) {
    return absl::UnavailableError(errno == EINPROGRESS ? "no answer" : strerror(errno));
  }
  return fd;
}

absl::StatusOr<std::unique_ptr<Descriptor>> ConnectTo(const std::string& address) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(name.sun_path)) return BadAddress(address);
    memcpy(name.sun_path, path.data(), path.size());
    auto fd = Connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
    if (!fd.ok()) return NotReached(address, fd.status().message());
    return fd;
  }
  const absl::StatusOr<HostPort> parts = ParseHostPort(address);
  if (!parts.ok() || parts->host.empty() || parts->port == 0) return BadAddress(address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(parts->host.c_str(), absl::StrCat(parts->port).c_str(), &hints, &found);
  if (error != 0) return NotReached(address, gai_strerror(error));
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  auto fd = Connect(found->ai_family, found->ai_addr, found->ai_addrlen);
  if (found->ai_next != nullptr && !fd.ok()) {
    const addrinfo* const next = found->ai_next;
    fd = Connect(next->ai_family, next->ai_addr, next->ai_addrlen);
  }
  if (!fd.ok()) return NotReached(address, fd.status().message());
  return fd;
}

}  // namespace

absl::StatusOr<std::string> FetchMetrics(const std::string& address) {
  auto fd = ConnectTo(address);
  if (!fd.ok()) return fd.status();
  const absl::string_view request = kRequest;
  if (send((*fd)->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return NotReached(address, strerror(errno));
  }
  std::string answer;
  while (answer.size() <= kMaxAnswerBytes) {
    char piece[16 * 1024];
    const ssize_t got = recv((*fd)->get(), piece, sizeof(piece), 0);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return NotReached(address, errno == EAGAIN ? "no answer" : strerror(errno));
    answer.append(piece, static_cast<size_t>(got));
  }
  const size_t head = answer.find("\r\n\r\n");
  if (!absl::StartsWith(answer, "HTTP/1.1 200 ") || head == std::string::npos) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "NOT_METRICS",
                     absl::StrCat("what listens at ", address,
                                  " shows no metrics: name the address of --metrics_listen"));
  }
  return answer.substr(head + 4);
}

}  // namespace bellwire::metrics
