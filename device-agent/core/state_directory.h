#ifndef BELLWIRE_DEVICE_AGENT_CORE_STATE_DIRECTORY_H_
#define BELLWIRE_DEVICE_AGENT_CORE_STATE_DIRECTORY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::agent {

// The directory of one agent: who holds it is alone there. Two agents with one key and one inbox
// would take the session from each other for ever.
class StateDirectory {
 public:
  // Makes the directory (0700) if it is not there, and locks it.
  //   FAILED_PRECONDITION STATE_DIRECTORY_IN_USE: another agent holds it
  //   UNAVAILABLE STATE_DIRECTORY_UNUSABLE: it can't be made or written to
  static absl::StatusOr<std::unique_ptr<StateDirectory>> Lock(const std::string& path);
  // Gives the lock back; so does the kernel if the process dies.
  ~StateDirectory();
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;

  std::string PathOf(absl::string_view name) const;

 private:
  StateDirectory(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  const std::string path_;
  const int lock_fd_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_STATE_DIRECTORY_H_
