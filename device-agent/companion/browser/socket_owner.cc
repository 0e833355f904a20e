#include "device-agent/companion/browser/socket_owner.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace bellwire::companion {
namespace {

// Both ends of a connection, seen from the peer.
struct Ends {
  sockaddr_in peer{};
  sockaddr_in ours{};
};

absl::Status PeerIsGone() {
  return absl::NotFoundError("the peer's socket is not on this machine");
}

// UNAVAILABLE: there is no sock_diag.
absl::StatusOr<uid_t> AskSockDiag(const Ends& ends) {
  const int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) {
    return absl::UnavailableError(absl::StrCat("sock_diag: ", std::strerror(errno)));
  }
  struct Closer {
    ~Closer() { close(fd); }
    const int fd;
  } closer{netlink};
  // The kernel answers within sendto(); this is for a kernel that doesn't.
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  struct {
    nlmsghdr header;
    inet_diag_req_v2 body;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0u;
  request.body.id.idiag_sport = ends.peer.sin_port;
  request.body.id.idiag_dport = ends.ours.sin_port;
  request.body.id.idiag_src[0] = ends.peer.sin_addr.s_addr;
  request.body.id.idiag_dst[0] = ends.ours.sin_addr.s_addr;
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (send(netlink, &request, sizeof request, 0) < 0) {
    return absl::UnavailableError(absl::StrCat("sock_diag: ", std::strerror(errno)));
  }

  alignas(nlmsghdr) char answer[4096];
  const ssize_t size = recv(netlink, answer, sizeof answer, 0);
  nlmsghdr header;
  if (size < static_cast<ssize_t>(sizeof header)) {
    return absl::UnavailableError("sock_diag: no answer");
  }
  std::memcpy(&header, answer, sizeof header);
  if (header.nlmsg_type == NLMSG_ERROR && size >= static_cast<ssize_t>(NLMSG_LENGTH(sizeof(int)))) {
    int error = 0;
    std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    // ENOENT: no such socket, or no handler for TCP; /proc/net/tcp tells the two apart.
    return absl::UnavailableError(absl::StrCat("sock_diag: ", std::strerror(-error)));
  }
  inet_diag_msg found;
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof found))) {
    return absl::UnavailableError("sock_diag: an answer to another question");
  }
  std::memcpy(&found, answer + NLMSG_HDRLEN, sizeof found);
  // A socket without a process has the inode 0, and looks like root's.
  if (found.idiag_state != TCP_ESTABLISHED || found.idiag_inode == 0) return PeerIsGone();
  return found.idiag_uid;
}

absl::StatusOr<uid_t> AskProc(const Ends& ends) {
  std::ifstream file("/proc/net/tcp");
  if (!file) return absl::UnavailableError("/proc/net/tcp can't be read");
  const std::string table((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return OwnerInProcNetTcp(table, ends.peer.sin_addr.s_addr, ends.peer.sin_port,
                           ends.ours.sin_addr.s_addr, ends.ours.sin_port);
}

}  // namespace

absl::StatusOr<uid_t> OwnerInProcNetTcp(absl::string_view table, uint32_t local_address,
                                        uint16_t local_port, uint32_t remote_address,
                                        uint16_t remote_port) {
  // The kernel prints the four bytes of an address as one number of the machine, and a port in
  // order.
  const auto render = [](uint32_t address, uint16_t port) {
    return absl::StrFormat("%08X:%04X", address, ntohs(port));
  };
  const std::string local = render(local_address, local_port);
  const std::string remote = render(remote_address, remote_port);
  for (absl::string_view line : absl::StrSplit(table, '\n')) {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (fields.size() < 10 || fields[1] != local || fields[2] != remote) continue;
    uid_t uid = 0;
    if (fields[3] != "01" || fields[9] == "0" || !absl::SimpleAtoi(fields[7], &uid)) break;
    return uid;
  }
  return PeerIsGone();
}

absl::StatusOr<uid_t> OwnerOfPeer(int fd) {
  Ends ends;
  socklen_t size = sizeof ends.ours;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&ends.ours), &size) != 0) return PeerIsGone();
  size = sizeof ends.peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&ends.peer), &size) != 0) return PeerIsGone();
  if (ends.ours.sin_family != AF_INET || ends.peer.sin_family != AF_INET) return PeerIsGone();
  absl::StatusOr<uid_t> owner = AskSockDiag(ends);
  return absl::IsUnavailable(owner.status()) ? AskProc(ends) : owner;
}

}  // namespace bellwire::companion
