#include "cli/web_push/trial_firefox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "device-agent/companion/browser/firefox_profile.h"
#include "ops/main_support.h"

extern char** environ;

namespace bellwire::cli {
namespace {

namespace fs = std::filesystem;

// What distributions call it.
constexpr const char* kPrograms[] = {"firefox-esr", "firefox"};

struct SettingOfFirefox {
  const char* name;
  const char* value;
};
constexpr SettingOfFirefox kSettings[] = {
    {"app.normandy.enabled", "false"},
    {"browser.aboutwelcome.enabled", "false"},
    {"browser.newtabpage.enabled", "false"},
    {"browser.shell.checkDefaultBrowser", "false"},
    {"browser.startup.homepage_override.mstone", "\"ignore\""},
    {"browser.startup.page", "0"},
    {"datareporting.healthreport.uploadEnabled", "false"},
    {"datareporting.policy.dataSubmissionEnabled", "false"},
    {"network.captive-portal-service.enabled", "false"},
    // Of the only page that it opens: what a person would click.
    {"permissions.default.desktop-notification", "1"},
    {"toolkit.telemetry.reportingpolicy.firstRun", "false"},
};

// The first of PATH with this name; empty: there is none.
std::string FindInPath(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* const path = getenv("PATH");
  for (const absl::string_view folder :
       absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':', absl::SkipEmpty())) {
    const std::string program = absl::StrCat(folder, "/", name);
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return "";
}

absl::StatusOr<std::string> FindFirefox(const std::string& wanted) {
  std::vector<std::string> names(std::begin(kPrograms), std::end(kPrograms));
  if (!wanted.empty()) names = {wanted};
  for (const std::string& name : names) {
    if (std::string program = FindInPath(name); !program.empty()) return program;
  }
  return WithHint(
      absl::NotFoundError(wanted.empty() ? "there is no firefox-esr and no firefox in PATH"
                                         : absl::StrCat("there is no program ", wanted)),
      "apt install firefox-esr, or name another one with --firefox PROGRAM");
}

}  // namespace

std::string TrialSettings() {
  std::string text;
  for (const SettingOfFirefox& setting : kSettings) {
    absl::StrAppend(&text, "user_pref(\"", setting.name, "\", ", setting.value, ");\n");
  }
  return text;
}

absl::StatusOr<std::unique_ptr<TrialFirefox>> TrialFirefox::Start(Options options) {
  BELLWIRE_ASSIGN_OR_RETURN(std::string program, FindFirefox(options.program));
  std::string profile = absl::StrCat(options.directory, "/firefox-trial.XXXXXX");
  if (mkdtemp(profile.data()) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("can't make a folder in ", options.directory, ": ", strerror(errno)));
  }
  std::unique_ptr<TrialFirefox> firefox(
      new TrialFirefox(options.clock, std::move(program), std::move(profile)));
  BELLWIRE_RETURN_IF_ERROR(
      CreateFileAtomically(firefox->profile_ + "/user.js", TrialSettings(), FileAccess::kPrivate));
  BELLWIRE_RETURN_IF_ERROR(
      companion::TurnFirefoxOn(firefox->profile_, options.push_server).status());
  BELLWIRE_RETURN_IF_ERROR(firefox->Spawn(options.url));
  return firefox;
}

TrialFirefox::TrialFirefox(const Clock* clock, std::string program, std::string profile)
    : clock_(clock), program_(std::move(program)), profile_(std::move(profile)) {}

absl::Status TrialFirefox::Spawn(const std::string& url) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log_path().c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  // A group of its own: Firefox is many processes, and Ctrl-C is for us to pass on.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> arguments = {program_,    "--new-instance", "--no-remote",
                                        "--profile", profile_,         url};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error =
      posix_spawn(&pid_, program_.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return absl::OkStatus();
  pid_ = 0;
  return absl::UnavailableError(absl::StrCat("can't run ", program_, ": ", strerror(error)));
}

bool TrialFirefox::running() {
  if (pid_ == 0) return false;
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return true;
  // Its helpers end with it; those that don't are told to.
  kill(-std::exchange(pid_, 0), SIGKILL);
  return false;
}

std::string TrialFirefox::LastWords() const {
  std::ifstream file(log_path(), std::ios::binary);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!absl::StripAsciiWhitespace(line).empty()) last = line.substr(0, 300);
  }
  return Printable(last);
}

TrialFirefox::~TrialFirefox() {
  if (running()) {
    kill(-pid_, SIGTERM);
    const MonotonicTime deadline = clock_->Monotonic() + kFirefoxGrace;
    while (running() && clock_->Monotonic() < deadline) {
      // Nothing announces the end of a child to who has no loop.
      poll(nullptr, 0, /*timeout_ms=*/20);
    }
    if (pid_ != 0) {
      kill(-pid_, SIGKILL);
      while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
  std::error_code ignored;
  fs::remove_all(profile_, ignored);
}

}  // namespace bellwire::cli
