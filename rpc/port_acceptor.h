#ifndef BELLWIRE_RPC_PORT_ACCEPTOR_H_
#define BELLWIRE_RPC_PORT_ACCEPTOR_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/log_limit.h"

namespace bellwire {

// A TCP port for a gRPC server, with a thread that accepts. gRPC's own listener ends for good, and
// without a word, the first time that the process has no descriptor left for a connection. This one
// rests, says so once, and goes on. And it leaves descriptors to the files of its process:
// connections that would take the last quarter of them, or the last 512, are closed at once.
//
// Thread-safe after Start.
class PortAcceptor {
 public:
  // Listens on `listen`: "host:port", "[IPv6]:port"; port 0 takes a free one. The wildcard 0.0.0.0
  // or [::] takes both families, where the machine has both.
  //   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_LISTEN
  static absl::StatusOr<std::unique_ptr<PortAcceptor>> Listen(const std::string& listen);
  ~PortAcceptor();
  PortAcceptor(const PortAcceptor&) = delete;
  PortAcceptor& operator=(const PortAcceptor&) = delete;

  // "host:port" with the real port; the host as it was given.
  const std::string& address() const { return address_; }
  // Of the listening socket, until Stop.
  int fd() const { return fd_; }

  // From now on `on_accept` gets each connection, on the acceptor's thread. The descriptor is
  // non-blocking and close-on-exec, and the callee's.
  void Start(absl::AnyInvocable<void(int fd)> on_accept);
  // Closes the port: `on_accept` is not called any more once it returns, and whoever connects is
  // refused.
  void Stop();

  // Whether the thread still goes round: asks it, and waits for its answer for `patience` at most.
  // What a watchdog wants to know of a port. True before Start and after Stop.
  bool Responds(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  PortAcceptor(int fd, int wake_fd, std::string address)
      : fd_(fd), wake_fd_(wake_fd), address_(std::move(address)) {}

  void Run();
  // Accepts until nobody waits. False: there is no descriptor for who waits.
  bool AcceptAll();
  void Wake();

  int fd_;
  const int wake_fd_;
  const std::string address_;
  absl::AnyInvocable<void(int fd)> on_accept_;
  // Of the thread: it has said that there are no descriptors.
  bool starved_ = false;
  LogLimit refusals_{RealClock()};
  absl::Mutex mu_;
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  // Turns of the thread that were asked for and made.
  uint64_t asked_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t answered_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread thread_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_PORT_ACCEPTOR_H_
