#include "registry/engine/postgres/testing/postgres_proxy.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace bellwire::registry {
namespace {

// A fault is noticed after so long, in milliseconds.
constexpr int kLookMs = 5;

sockaddr_un AddressIn(const std::string& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", directory.c_str());
  return address;
}

void SendAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

// Changes the number in the first BackendKeyData: 'K', length 12, number, key.
void ChangeNumber(std::string* bytes) {
  const size_t at = bytes->find(std::string("K\0\0\0\x0c", 5));
  if (at != std::string::npos && at + 9 <= bytes->size()) ++(*bytes)[at + 8];
}

}  // namespace

PostgresProxy::PostgresProxy(const std::string& server) : server_(server) {
  std::string path = "/tmp/bellwire-px.XXXXXX";
  if (mkdtemp(path.data()) == nullptr || pipe(stop_) != 0) abort();
  directory_ = path;
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressIn(directory_);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_, 64) != 0) {
    abort();
  }
  acceptor_ = std::thread([this] { Accept(); });
}

PostgresProxy::~PostgresProxy() {
  close(stop_[1]);
  acceptor_.join();
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  close(listener_);
  close(stop_[0]);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void PostgresProxy::Set(Fault fault) {
  absl::MutexLock lock(&mutex_);
  for (const auto& connection : connections_) connection->fault = fault;
}

void PostgresProxy::ChangeBackendNumbers() {
  absl::MutexLock lock(&mutex_);
  changes_numbers_ = true;
}

PostgresProxy::Fault PostgresProxy::FaultOf(const Connection& connection) {
  absl::MutexLock lock(&mutex_);
  return connection.fault;
}

void PostgresProxy::Accept() {
  while (true) {
    pollfd fds[2] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    absl::MutexLock lock(&mutex_);
    Connection* const connection =
        connections_.emplace_back(std::make_unique<Connection>()).get();
    threads_.emplace_back([this, client, connection] { Serve(client, connection); });
  }
}

void PostgresProxy::Serve(int client, Connection* connection) {
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressIn(server_);
  bool client_is_there = true;
  bool open =
      connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  bool change_number = false;
  {
    absl::MutexLock lock(&mutex_);
    change_number = changes_numbers_;
  }
  std::string late;
  char buffer[65536];
  while (open) {
    pollfd fds[3] = {{client_is_there ? client : -1, POLLIN, 0}, {server, POLLIN, 0},
                     {stop_[0], POLLIN, 0}};
    poll(fds, 3, kLookMs);
    if (fds[2].revents != 0) break;
    const Fault fault = FaultOf(*connection);
    if (fault == Fault::kCut) break;
    if (fault != Fault::kRequestsLate && !late.empty()) {
      SendAll(server, late);
      late.clear();
    }
    if (fds[0].revents != 0) {
      const ssize_t size = recv(client, buffer, sizeof(buffer), 0);
      const absl::string_view bytes(buffer, size > 0 ? static_cast<size_t>(size) : 0);
      client_is_there = size > 0;
      if (fault == Fault::kRequestsLate) {
        absl::StrAppend(&late, bytes);
      } else if (fault != Fault::kRequestsLost) {
        SendAll(server, bytes);
      }
    }
    if (!client_is_there && late.empty() && fault != Fault::kRequestsLate) break;
    if (fds[1].revents != 0) {
      const ssize_t size = recv(server, buffer, sizeof(buffer), 0);
      if (size <= 0) break;
      std::string bytes(buffer, static_cast<size_t>(size));
      if (change_number) ChangeNumber(&bytes);
      if (fault != Fault::kAnswersLost && client_is_there) SendAll(client, bytes);
    }
  }
  close(client);
  close(server);
}

}  // namespace bellwire::registry
