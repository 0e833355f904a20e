#include "device-agent/apps/hook_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "device-agent/apps/app_key.h"

extern "C" {  // Which glibc 2.36 forgets.
#include <sys/pidfd.h>
}

namespace bellwire::agent {
namespace {

// What the service manager told the agent is not for its children.
bool IsOurs(absl::string_view variable) {
  return absl::StartsWith(variable, "NOTIFY_SOCKET=") ||
         absl::StartsWith(variable, "WATCHDOG_USEC=") ||
         absl::StartsWith(variable, "WATCHDOG_PID=") ||
         absl::StartsWith(variable, "BELLWIRE_APP_UID=") ||
         absl::StartsWith(variable, "BELLWIRE_APP_SANDBOX=");
}

// The error number; 0: it runs.
int Spawn(const std::string& program, const std::string& app_id, const AppOwner& owner,
          pid_t* pid) {
  std::string uid = absl::StrCat("BELLWIRE_APP_UID=", owner.uid);
  std::string sandbox = absl::StrCat("BELLWIRE_APP_SANDBOX=", owner.sandbox);
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!IsOurs(*variable)) environment.push_back(*variable);
  }
  environment.push_back(uid.data());
  environment.push_back(sandbox.data());
  environment.push_back(nullptr);
  std::string program_copy = program;
  std::string app_id_copy = app_id;
  char* const arguments[] = {program_copy.data(), app_id_copy.data(), nullptr};

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // The agent blocks the signals that end it, and ignores SIGPIPE: its children shouldn't.
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
      posix_spawn(pid, program.c_str(), &files, &attributes, arguments, environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

}  // namespace

struct HookRunner::Child {
  Child(HookRunner* runner, std::string key, pid_t pid, int fd)
      : key(std::move(key)),
        pid(pid),
        fd(fd),
        watch(runner->loop_, [runner, this](uint32_t) { runner->OnReady(this); }),
        timer(runner->loop_->NewTimer([this] {
          LogWarning("start_app_hook_hangs", {{"app", AppIdOf(this->key)}});
          KillAll();
        })) {}
  ~Child() {
    watch.Stop();
    close(fd);
  }
  // With what it has started itself; its number is its own until it is waited for.
  void KillAll() const { kill(-pid, SIGKILL); }

  const std::string key;
  const pid_t pid;
  // Of the process: readable once it is dead.
  const int fd;
  net::FdWatch watch;
  const std::unique_ptr<net::Timer> timer;
};

HookRunner::HookRunner(net::EpollLoop* loop, std::string program, OnEnded on_ended,
                       absl::Duration timeout)
    : loop_(loop),
      program_(std::move(program)),
      on_ended_(std::move(on_ended)),
      timeout_(timeout) {}

HookRunner::~HookRunner() {
  for (const auto& [raw, child] : children_) {
    child->KillAll();
    waitpid(child->pid, nullptr, 0);
  }
}

bool HookRunner::Run(const std::string& key, const AppOwner& owner) {
  const std::string app_id = AppIdOf(key);
  pid_t pid = -1;
  // No program should take an app for an option.
  int error = absl::StartsWith(app_id, "-") ? EINVAL : Spawn(program_, app_id, owner, &pid);
  if (error == 0) {
    if (const int fd = pidfd_open(pid, 0); fd < 0) {
      error = errno;
    } else {
      auto child = std::make_unique<Child>(this, key, pid, fd);
      if (child->watch.Start(fd).ok()) {
        child->timer->Arm(timeout_);
        Child* const raw = child.get();
        children_.emplace(raw, std::move(child));
        LogInfo("app_start", {{"app", app_id}, {"uid", owner.uid}});
        return true;
      }
      error = EMFILE;
    }
    kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  LogWarning("app_not_started", {{"app", app_id}, {"hook", program_}, {"error", strerror(error)}});
  return false;
}

void HookRunner::OnReady(Child* child) {
  siginfo_t info = {};
  if (waitid(P_PIDFD, static_cast<id_t>(child->fd), &info, WEXITED | WNOHANG) == 0 &&
      info.si_pid == 0) {
    return;  // It lives.
  }
  if (info.si_code != CLD_EXITED || info.si_status != 0) {
    LogWarning("start_app_hook_failed",
               {{"app", AppIdOf(child->key)},
                {info.si_code == CLD_EXITED ? "exit_code" : "signal", info.si_status}});
  }
  const std::string key = child->key;
  const auto it = children_.find(child);
  child->watch.Stop();
  loop_->DeleteLater(std::move(it->second));
  children_.erase(it);
  on_ended_(key);
}

}  // namespace bellwire::agent
