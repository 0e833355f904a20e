#include "net/socket/unix_stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/socket/acceptor.h"
#include "net/socket/close_reason.h"
#include "net/socket/socket_stream.h"
#include "net/socket/transport.h"

extern "C" {  // Which glibc 2.36 forgets.
#include <sys/pidfd.h>
}

namespace bellwire::net {
namespace {

constexpr int kBacklog = 128;

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Newer than Debian 12's headers.
#endif

absl::StatusOr<sockaddr_un> UnixAddress(absl::string_view path) {
  sockaddr_un address = {};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                     absl::StrCat("\"", path, "\": the path of a socket has 1 to ",
                                  sizeof(address.sun_path) - 1, " bytes"));
  }
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int NewSocket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

absl::Status CannotListen(absl::string_view path) {
  return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("cannot listen on ", path, ": ", strerror(errno)));
}

// Removes a socket file that a dead process left behind; leaves everything else.
absl::Status ClearTheWay(const std::string& path, const sockaddr_un& address) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return absl::OkStatus();  // bind says what else is wrong.
  if (!S_ISSOCK(info.st_mode)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "SOCKET_IN_USE",
                     absl::StrCat(path, " exists and is no socket"));
  }
  const int probe = NewSocket();
  if (probe < 0) return CannotListen(path);
  const bool refused =
      connect(probe, Generic(address), sizeof(address)) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (!refused) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "SOCKET_IN_USE",
                     absl::StrCat("another process listens on ", path));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return CannotListen(path);
  return absl::OkStatus();
}

class UnixListenerImpl final : public UnixListener {
 public:
  // `file` is the socket file made.
  UnixListenerImpl(EpollLoop* loop, std::string path, const struct stat& file, int fd,
                   OnAccept on_accept, UnixListenerOptions options)
      : loop_(loop),
        path_(std::move(path)),
        device_(file.st_dev),
        inode_(file.st_ino),
        on_accept_(std::move(on_accept)),
        options_(std::move(options)),
        acceptor_(loop, fd, [this](int fd, const SocketAddress&) { Accepted(fd); }) {}

  ~UnixListenerImpl() override {
    struct stat now;
    if (lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
      unlink(path_.c_str());
    }
  }

  absl::Status Start() { return acceptor_.Start(); }
  const std::string& path() const override { return path_; }

 private:
  void Accepted(int fd) {
    ucred credentials;
    socklen_t size = sizeof(credentials);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
      close(fd);  // Whoever can't be named isn't served.
      return;
    }
    if (options_.refuse) {
      const std::optional<std::string> refused =
          options_.refuse({credentials.uid, credentials.gid, credentials.pid});
      if (refused.has_value()) {
        // A new socket has room for it, and the peer gets it although the socket is closed.
        (void)send(fd, refused->data(), refused->size(), MSG_NOSIGNAL);
        close(fd);
        return;
      }
    }
    if (options_.kernel_bytes > 0) {
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options_.kernel_bytes, sizeof(options_.kernel_bytes));
    }
    const std::optional<int> pidfd = PidFd(fd, credentials.pid);
    if (!pidfd.has_value()) {
      close(fd);  // It is gone already.
      return;
    }
    const PeerCredentials peer{credentials.uid, credentials.gid, credentials.pid, *pidfd};
    auto stream = std::make_unique<SocketStream>(loop_, std::make_unique<PlainTransport>(fd),
                                                 absl::StrCat("uid ", peer.uid, " pid ", peer.pid));
    stream->ForLocalPeer(options_.piece_bytes);
    on_accept_(std::move(stream), peer);
    if (*pidfd >= 0) close(*pidfd);
  }

  // Nullopt: the process is gone.
  static std::optional<int> PidFd(int fd, pid_t pid) {
    if (pid <= 0) return -1;
    int pidfd = -1;
    socklen_t size = sizeof(pidfd);
    // The process that connected itself, whatever became of its number (Linux 6.5).
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0) return pidfd;
    if (errno == ESRCH) return std::nullopt;
    // Older: who has the number a moment later.
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0 && (errno == ESRCH || errno == EINVAL)) return std::nullopt;
    return pidfd;
  }

  EpollLoop* const loop_;
  const std::string path_;
  const dev_t device_;
  const ino_t inode_;
  OnAccept on_accept_;
  UnixListenerOptions options_;
  Acceptor acceptor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Listen(EpollLoop* loop,
                                                                   absl::string_view path,
                                                                   mode_t mode, OnAccept on_accept,
                                                                   UnixListenerOptions options) {
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  const std::string file(path);
  if (absl::Status status = ClearTheWay(file, *address); !status.ok()) return status;
  const int fd = NewSocket();
  if (fd < 0) return CannotListen(path);
  struct stat made;
  // The file is born with nothing but the owner's rights (unix(7): fchmod before bind), and opened
  // up once it is ours for certain.
  if (fchmod(fd, 0600 & mode) != 0 || bind(fd, Generic(*address), sizeof(*address)) != 0 ||
      chmod(file.c_str(), mode) != 0 || lstat(file.c_str(), &made) != 0 ||
      listen(fd, kBacklog) != 0) {
    const absl::Status status = CannotListen(path);
    close(fd);
    return status;
  }
  auto listener = std::make_unique<UnixListenerImpl>(loop, file, made, fd, std::move(on_accept),
                                                     std::move(options));
  if (absl::Status status = listener->Start(); !status.ok()) return status;
  return listener;
}

absl::StatusOr<std::unique_ptr<Stream>> ConnectUnix(EpollLoop* loop, absl::string_view path) {
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  const int fd = NewSocket();
  // No Unix socket is ever "connecting": it is connected, or refused, or its backlog is full.
  if (fd < 0 || connect(fd, Generic(*address), sizeof(*address)) != 0) {
    const absl::Status status =
        MakeError(absl::StatusCode::kUnavailable, kCannotConnect,
                  absl::StrCat("cannot connect to ", path, ": ", strerror(errno)));
    if (fd >= 0) close(fd);
    return status;
  }
  return std::make_unique<SocketStream>(loop, std::make_unique<PlainTransport>(fd),
                                        std::string(path));
}

}  // namespace bellwire::net
