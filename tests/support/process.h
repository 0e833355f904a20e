#ifndef BELLWIRE_TESTS_SUPPORT_PROCESS_H_
#define BELLWIRE_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bellwire::tests {

// How long a test waits for something that takes milliseconds on an idle machine.
inline constexpr absl::Duration kPatience = absl::Seconds(60);

// Asks `condition` again and again until it holds or `patience` is over; returns whether it holds.
bool WaitUntil(absl::FunctionRef<bool()> condition, absl::Duration patience = kPatience);

// One real program of Bellwire, run as a child. Its stderr goes to a file, and to the test's output
// when the process ends in a way the test didn't ask for. Killed with SIGKILL when destroyed.
// Not thread-safe.
class Process {
 public:
  // `program` is a path in the runfiles, such as "cli/bellwire". `name` names the log.
  static absl::StatusOr<std::unique_ptr<Process>> Start(const std::string& name,
                                                        const std::string& program,
                                                        std::vector<std::string> arguments);
  ~Process();

  // Waits for the program's ready file (see ops/main_support.h) and returns its keys. An error if
  // the process ends first; the message holds the end of its log.
  absl::StatusOr<std::map<std::string, std::string>> WaitReady(const std::string& ready_file);

  // SIGKILL, and waits for the end.
  void Kill();
  // SIGTERM, and waits; an error unless it exits with 0 in time.
  absl::Status Terminate();
  // Waits for the process to end by itself and returns its exit code (128 + signal if killed).
  absl::StatusOr<int> Wait();
  // SIGSTOP and SIGCONT: the process lives and does nothing.
  void Freeze();
  void Thaw();

  pid_t pid() const { return pid_; }
  bool running();
  // Everything the process wrote to stderr so far.
  std::string Log() const;

 private:
  Process(std::string name, pid_t pid, std::string log_path);

  const std::string name_;
  pid_t pid_;
  const std::string log_path_;
  bool ended_ = false;
  int exit_code_ = -1;
};

// Established TCP connections owned by a process (/proc/PID/fd and /proc/PID/net/tcp, tcp6), each
// as text that tells them apart.
std::vector<std::string> TcpConnections(pid_t pid);

// Where a process has sockets to that it did not accept: "127.0.0.1:80" of each TCP connection, in
// whatever state, whose local port it doesn't listen on, and "udp" of each UDP socket, such as a
// resolver's. Each once. IPv6 addresses look as in the kernel's table. REQUIRES: the process closes
// no listening port meanwhile.
std::vector<std::string> OutwardSockets(pid_t pid);

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_SUPPORT_PROCESS_H_
