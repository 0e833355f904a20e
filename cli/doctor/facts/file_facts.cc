#include "cli/doctor/facts/file_facts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>

namespace bellwire::cli {

FileFacts ReadFileFacts(const std::string& path) {
  FileFacts facts;
  facts.path = path;
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    facts.error = errno;
    return facts;
  }
  facts.mode = info.st_mode;
  facts.uid = info.st_uid;
  facts.size = info.st_size;
  facts.modified = absl::TimeFromTimespec(info.st_mtim);
  return facts;
}

DiskFacts ReadDiskFacts(const std::string& path) {
  DiskFacts facts;
  facts.path = path;
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) {
    facts.error = errno;
    return facts;
  }
  facts.read_only = (info.f_flag & ST_RDONLY) != 0;
  facts.free_bytes = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  facts.total_bytes = static_cast<uint64_t>(info.f_blocks) * info.f_frsize;
  facts.free_inodes = info.f_favail;
  facts.total_inodes = info.f_files;
  return facts;
}

int ConnectToUnixSocket(const std::string& path, pid_t* pid) {
  if (pid != nullptr) *pid = 0;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  memcpy(address.sun_path, path.data(), path.size());
  size_t size = sizeof(address);
  if (path[0] == '@') {
    address.sun_path[0] = '\0';
    size = offsetof(sockaddr_un, sun_path) + path.size();
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int error = 0;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)) != 0) {
    error = errno;
  }
  ucred peer{};
  socklen_t peer_size = sizeof(peer);
  if (error == 0 && pid != nullptr &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0) {
    *pid = peer.pid;
  }
  close(fd);
  return error;
}

}  // namespace bellwire::cli
