#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_POSTGRES_PROXY_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_POSTGRES_PROXY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace bellwire::registry {

// A network that fails between a client and a server of PostgreSQL: a socket that passes bytes on
// to another one, or not. What is set holds for the connections that there are; new ones are sound.
//
// Thread-safe.
class PostgresProxy {
 public:
  enum class Fault : uint8_t {
    kNone,
    // What the server says is lost.
    kAnswersLost,
    // What the client says is lost.
    kRequestsLost,
    // What the client says arrives when the fault is over, even if the client has gone meanwhile.
    kRequestsLate,
    // Both ends find the connection closed.
    kCut,
  };

  // `server` is the directory of its socket.
  explicit PostgresProxy(const std::string& server);
  ~PostgresProxy();
  PostgresProxy(const PostgresProxy&) = delete;
  PostgresProxy& operator=(const PostgresProxy&) = delete;

  // The directory of this socket: a `host` for libpq.
  const std::string& host() const { return directory_; }

  void Set(Fault fault);
  // Of new connections: the server gives the client another number of its backend than it has, as a
  // pooler does.
  void ChangeBackendNumbers();

 private:
  struct Connection {
    Fault fault = Fault::kNone;
  };

  void Accept();
  void Serve(int client, Connection* connection);
  Fault FaultOf(const Connection& connection);

  const std::string server_;
  std::string directory_;
  int listener_ = -1;
  // Readable once this object is destroyed.
  int stop_[2] = {-1, -1};
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> connections_ ABSL_GUARDED_BY(mutex_);
  bool changes_numbers_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_POSTGRES_PROXY_H_
