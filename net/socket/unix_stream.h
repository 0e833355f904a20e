#ifndef BELLWIRE_NET_SOCKET_UNIX_STREAM_H_
#define BELLWIRE_NET_SOCKET_UNIX_STREAM_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/stream.h"

// Unix stream sockets, for programs on one machine.
namespace bellwire::net {

// Who is at the other end, as the kernel noted it at connect (SO_PEERCRED).
struct PeerCredentials {
  uid_t uid;
  gid_t gid;
  // 0 if the peer lives in another pid namespace.
  pid_t pid;
  // Of the same process, for making sure that it lives: its number may be another's by now. For the
  // callback's time only. -1: pid is 0, or the kernel has none (before 5.3).
  int pidfd = -1;
};

// For peers that aren't trusted.
struct UnixListenerOptions {
  // What the kernel keeps of what a peer doesn't read. 0: as much as it likes.
  int kernel_bytes = 0;
  // What is read from a peer and written to it at a time. 0: as much as there is.
  size_t piece_bytes = 0;
  // Asked before anything is made for a peer; its pidfd is -1. A text: the peer is told that, and
  // closed. May be empty.
  absl::AnyInvocable<std::optional<std::string>(const PeerCredentials& peer)> refuse = nullptr;
};

// Accepts connections on a path of the file system. On the loop's thread, or before the loop runs.
class UnixListener {
 public:
  // The stream is open: OnOpen comes at once.
  using OnAccept =
      absl::AnyInvocable<void(std::unique_ptr<Stream> stream, const PeerCredentials& peer)>;

  // Makes the socket file with `mode`; the umask has no say. A socket file that nobody listens on
  // is replaced.
  //   INVALID_ARGUMENT BAD_ADDRESS: the path is empty or longer than the kernel takes (107 bytes)
  //   FAILED_PRECONDITION SOCKET_IN_USE: another process listens there, or it is no socket
  //   UNAVAILABLE CANNOT_LISTEN: no permission, no such directory, …
  static absl::StatusOr<std::unique_ptr<UnixListener>> Listen(EpollLoop* loop,
                                                              absl::string_view path, mode_t mode,
                                                              OnAccept on_accept,
                                                              UnixListenerOptions options = {});

  // Stops listening and removes the socket file, unless another one took its place. Accepted
  // streams live on.
  virtual ~UnixListener() = default;
  virtual const std::string& path() const = 0;
};

// Connects at once; OnOpen comes from the loop.
//   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_CONNECT
absl::StatusOr<std::unique_ptr<Stream>> ConnectUnix(EpollLoop* loop, absl::string_view path);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_UNIX_STREAM_H_
