#include "cli/commands/shell_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/limits.h"

extern "C" {  // Which glibc 2.36 forgets.
#include <sys/pidfd.h>
}

namespace bellwire::cli {
namespace {

// So the input can be written before anybody reads it.
static_assert(kMaxPayloadBytes <= 4096, "a pipe takes a page without a reader");

absl::Status CantStart(const std::string& command, int error) {
  return absl::ResourceExhaustedError(
      absl::StrCat("the command can't be started (", strerror(error), "): ", command));
}

// The error number; 0: it runs.
int Spawn(const std::string& command, const std::vector<std::string>& environment, int input,
          pid_t* pid) {
  std::vector<std::string> strings = {"sh", "-c", command};
  std::vector<char*> arguments;
  for (std::string& string : strings) arguments.push_back(string.data());
  arguments.push_back(nullptr);
  std::vector<std::string> ours = environment;
  std::vector<char*> variables;
  // The first of a name counts.
  for (std::string& variable : ours) variables.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  const int error =
      posix_spawn(pid, "/bin/sh", &files, &attributes, arguments.data(), variables.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

// Whether `fd` is readable within `timeout`.
bool WaitFor(int fd, absl::Duration timeout) {
  pollfd readable{fd, POLLIN, 0};
  int n = 0;
  do {
    n = poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  } while (n < 0 && errno == EINTR);
  return n > 0;
}

// Until the process of `pidfd` has ended (true), or `stop_fd` is readable.
bool WaitForEnd(int pidfd, int stop_fd) {
  pollfd either[] = {{pidfd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
  while (poll(either, 2, -1) <= 0) {
  }
  return either[0].revents != 0;
}

}  // namespace

absl::Status RunShellCommand(const std::string& command,
                             const std::vector<std::string>& environment, absl::string_view input,
                             int stop_fd) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return CantStart(command, errno);
  // It fits into the pipe, and we hold the end that reads: this neither blocks nor raises SIGPIPE.
  (void)!write(ends[1], input.data(), input.size());
  close(ends[1]);
  pid_t pid = -1;
  const int error = Spawn(command, environment, ends[0], &pid);
  close(ends[0]);
  if (error != 0) return CantStart(command, error);

  bool stopped = false;
  if (const int pidfd = pidfd_open(pid, 0); pidfd >= 0) {
    stopped = !WaitForEnd(pidfd, stop_fd);
    if (stopped) {
      kill(-pid, SIGTERM);
      WaitFor(pidfd, kShellCommandGrace);
    }
    close(pidfd);
  } else {
    // Nobody could tell it to stop.
    stopped = true;
  }
  // What it has left behind goes with it. Its number is its own until it is waited for.
  if (stopped) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (stopped) return absl::CancelledError(absl::StrCat("the command was ended: ", command));
  if (status == 0) return absl::OkStatus();
  const std::string how = WIFEXITED(status)
                              ? absl::StrCat("it ended with ", WEXITSTATUS(status))
                              : absl::StrCat("it died of ", strsignal(WTERMSIG(status)));
  return absl::InternalError(absl::StrCat("the command failed (", how, "): ", command));
}

}  // namespace bellwire::cli
