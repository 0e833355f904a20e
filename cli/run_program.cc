#include "cli/run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ops/main_support.h"

extern char** environ;

namespace bellwire::cli {
namespace {

struct Pipe {
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) close(end);
    }
  }
  bool Open() { return pipe2(ends, O_CLOEXEC) == 0; }
  void CloseWriter() {
    close(ends[1]);
    ends[1] = -1;
  }
  int ends[2] = {-1, -1};
};

// Until both are at their end, or one is too long.
bool ReadBoth(int out, int err, std::string* out_text, std::string* err_text) {
  pollfd polled[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
  std::string* const texts[2] = {out_text, err_text};
  std::array<char, 4096> buffer;
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (poll(polled, 2, /*timeout=*/-1) < 0 && errno != EINTR) return false;
    for (int i = 0; i < 2; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      const ssize_t size = read(polled[i].fd, buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        polled[i].fd = -1;
        continue;
      }
      texts[i]->append(buffer.data(), static_cast<size_t>(size));
      if (texts[i]->size() > kMaxProgramOutputBytes) return false;
    }
  }
  return true;
}

// "error: …\nhint: …\n", as RenderFailure writes it, in its parts.
absl::Status FailureFrom(absl::string_view text, const std::string& program) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) return absl::FailedPreconditionError(absl::StrCat(program, " failed"));
  if (!absl::ConsumePrefix(&text, "error: ")) {
    return absl::FailedPreconditionError(absl::StrCat(program, ": ", text));
  }
  constexpr absl::string_view kHint = "\nhint: ";
  const size_t hint = text.find(kHint);
  const absl::Status status = absl::FailedPreconditionError(text.substr(0, hint));
  if (hint == absl::string_view::npos) return status;
  return WithHint(status, text.substr(hint + kHint.size()));
}

}  // namespace

absl::StatusOr<std::string> OutputOf(const std::vector<std::string>& arguments) {
  Pipe out, err;
  if (!out.Open() || !err.Open()) {
    return absl::UnavailableError(absl::StrCat("no pipe: ", strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::NotFoundError(absl::StrCat("can't run ", arguments[0], ": ", strerror(error)));
  }
  out.CloseWriter();
  err.CloseWriter();
  std::string output, errors;
  const bool all = ReadBoth(out.ends[0], err.ends[0], &output, &errors);
  if (!all) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!all) {
    return absl::ResourceExhaustedError(
        absl::StrCat(arguments[0], " wrote more than ", kMaxProgramOutputBytes, " bytes"));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return FailureFrom(errors, arguments[0]);
  return output;
}

std::string ProgramPath(const std::string& name) {
  std::array<char, PATH_MAX> self{};
  const ssize_t size = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (size <= 0) return name;
  const std::string path(self.data(), static_cast<size_t>(size));
  const std::string beside = absl::StrCat(path.substr(0, path.rfind('/') + 1), name);
  return access(beside.c_str(), X_OK) == 0 ? beside : name;
}

}  // namespace bellwire::cli
