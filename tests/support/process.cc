#include "tests/support/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"

extern char** environ;

namespace bellwire::tests {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Bazel runs a test in the root of its runfiles.
std::string ProgramPath(const std::string& program) {
  return std::filesystem::absolute(program).string();
}

absl::string_view LastLines(absl::string_view text) {
  constexpr size_t kShown = 4000;
  return text.size() > kShown ? text.substr(text.size() - kShown) : text;
}

// A line of one of the kernel's tables.
struct Socket {
  std::string table;
  // "0100007F:1F90", as the kernel writes them.
  std::string local;
  std::string remote;
  // "01": established; "0A": listening.
  std::string state;
  std::string inode;
};

std::vector<Socket> SocketsOf(pid_t pid, std::initializer_list<const char*> tables) {
  std::set<std::string> owned;
  std::error_code error;
  const std::filesystem::path proc(absl::StrCat("/proc/", pid));
  for (const auto& fd : std::filesystem::directory_iterator(proc / "fd", error)) {
    const std::string target = std::filesystem::read_symlink(fd.path(), error).string();
    if (absl::StartsWith(target, "socket:[")) owned.insert(target.substr(8, target.size() - 9));
  }
  std::vector<Socket> sockets;
  // The kernel may write a line twice if the table changes between two reads of the file.
  std::set<std::string> seen;
  for (const char* table : tables) {
    for (const absl::string_view line : absl::StrSplit(ReadFile((proc / table).string()), '\n')) {
      const std::vector<std::string> columns = absl::StrSplit(line, ' ', absl::SkipEmpty());
      constexpr size_t kLocal = 1, kRemote = 2, kState = 3, kInode = 9;
      if (columns.size() <= kInode || !owned.contains(columns[kInode])) continue;
      if (!seen.insert(columns[kInode]).second) continue;
      sockets.push_back({.table = table,
                         .local = columns[kLocal],
                         .remote = columns[kRemote],
                         .state = columns[kState],
                         .inode = columns[kInode]});
    }
  }
  return sockets;
}

// "0100007F:1F90" is "127.0.0.1:8080", and so is the same as a socket of IPv6 has it.
std::string Readable(absl::string_view address) {
  uint32_t ip = 0;
  uint32_t port = 0;
  absl::string_view v4 = address;
  absl::ConsumePrefix(&v4, "0000000000000000FFFF0000");
  const size_t colon = v4.find(':');
  if (colon != 8 || !absl::SimpleHexAtoi(v4.substr(0, colon), &ip) ||
      !absl::SimpleHexAtoi(v4.substr(colon + 1), &port)) {
    return std::string(address);
  }
  return absl::StrCat(ip & 0xff, ".", ip >> 8 & 0xff, ".", ip >> 16 & 0xff, ".", ip >> 24, ":",
                      port);
}

}  // namespace

bool WaitUntil(absl::FunctionRef<bool()> condition, absl::Duration patience) {
  const MonotonicTime deadline = RealClock()->Monotonic() + patience;
  while (!condition()) {
    if (RealClock()->Monotonic() > deadline) return false;
    poll(nullptr, 0, /*timeout_ms=*/2);
  }
  return true;
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const std::string& name,
                                                        const std::string& program,
                                                        std::vector<std::string> arguments) {
  static int number = 0;
  const char* tmp = getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  const std::string log_path =
      absl::StrCat(tmp != nullptr ? tmp : "/tmp", "/", ++number, "-", name, ".log");
  const std::string path = ProgramPath(program);
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0644);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("can't start ", path));
  return std::unique_ptr<Process>(new Process(name, pid, log_path));
}

Process::Process(std::string name, pid_t pid, std::string log_path)
    : name_(std::move(name)), pid_(pid), log_path_(std::move(log_path)) {}

Process::~Process() { Kill(); }

bool Process::running() {
  if (ended_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_ = true;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return !ended_;
}

absl::StatusOr<std::map<std::string, std::string>> Process::WaitReady(
    const std::string& ready_file) {
  std::map<std::string, std::string> keys;
  const bool ready = WaitUntil([&] {
    if (!running()) return true;
    const auto json = nlohmann::json::parse(ReadFile(ready_file), nullptr, false);
    if (!json.is_object()) return false;
    for (const auto& [key, value] : json.items()) {
      if (value.is_string()) keys[key] = value.get<std::string>();
    }
    return true;
  });
  if (!running()) {
    return absl::FailedPreconditionError(
        absl::StrCat(name_, " ended with ", exit_code_, " before it was ready:\n", Log()));
  }
  if (!ready) {
    return absl::DeadlineExceededError(absl::StrCat(name_, " is not ready:\n", LastLines(Log())));
  }
  return keys;
}

void Process::Kill() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  Wait().IgnoreError();
}

absl::Status Process::Terminate() {
  if (running()) kill(pid_, SIGTERM);
  const absl::StatusOr<int> code = Wait();
  if (!code.ok()) return code.status();
  if (*code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(name_, " ended with ", *code, ":\n", LastLines(Log())));
}

absl::StatusOr<int> Process::Wait() {
  if (!WaitUntil([this] { return !running(); })) {
    return absl::DeadlineExceededError(absl::StrCat(name_, " doesn't end:\n", LastLines(Log())));
  }
  return exit_code_;
}

void Process::Freeze() { kill(pid_, SIGSTOP); }
void Process::Thaw() { kill(pid_, SIGCONT); }

std::string Process::Log() const { return ReadFile(log_path_); }

std::vector<std::string> TcpConnections(pid_t pid) {
  std::set<std::string> connections;
  for (const Socket& socket : SocketsOf(pid, {"net/tcp", "net/tcp6"})) {
    if (socket.state != "01") continue;
    connections.insert(absl::StrCat(socket.local, ">", socket.remote, " inode ", socket.inode,
                                    " in ", socket.table));
  }
  return {connections.begin(), connections.end()};
}

std::vector<std::string> OutwardSockets(pid_t pid) {
  const auto port_of = [](const std::string& address) {
    return address.substr(address.rfind(':') + 1);
  };
  std::set<std::string> listening;
  std::set<std::string> outward;
  const std::vector<Socket> sockets = SocketsOf(pid, {"net/tcp", "net/tcp6"});
  for (const Socket& socket : sockets) {
    if (socket.state == "0A") listening.insert(port_of(socket.local));
  }
  for (const Socket& socket : sockets) {
    if (socket.state == "0A" || listening.contains(port_of(socket.local))) continue;
    outward.insert(Readable(socket.remote));
  }
  if (!SocketsOf(pid, {"net/udp", "net/udp6"}).empty()) outward.insert("udp");
  return {outward.begin(), outward.end()};
}

}  // namespace bellwire::tests
