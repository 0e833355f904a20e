#include "ops/main_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <utility>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "common/host_port.h"
#include "common/log.h"
#include "common/printable.h"
#include "common/version.h"
#include "nlohmann/json.hpp"
#include "ops/core_dumps.h"
#include "ops/help_json.h"
#include "ops/service_manager.h"
#include "ops/settings.h"
#include "ops/short_slices.h"
#include "ops/suggestion.h"

namespace bellwire {
namespace {

constexpr char kHintKey[] = "hint";

// The command line that ParseFlags took, for a reload.
struct ParsedFlags {
  CLI::App* command = nullptr;
  std::vector<std::string> arguments;
  std::vector<Setting> settings;
};

ParsedFlags& Parsed() {
  static auto* const parsed = new ParsedFlags;
  return *parsed;
}

// Who is not told waits longer, or starts us again: nothing to give up for.
void TellServiceManager(absl::string_view state) {
  if (absl::Status s = NotifyServiceManager(state); !s.ok()) {
    LogWarning("service_manager_not_told", {{"state", state}, {"error", s.message()}});
  }
}

sigset_t ShutdownSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// With that which only asks for a reload.
sigset_t AwaitedSignals() {
  sigset_t set = ShutdownSignals();
  sigaddset(&set, SIGHUP);
  return set;
}

// Each in a mode in which the use that is expected of it fails, rather than work on nothing.
void HoldStandardDescriptors() {
  constexpr int kModes[] = {/*stdin=*/O_WRONLY, /*stdout=*/O_RDONLY, /*stderr=*/O_WRONLY};
  for (int fd = 0; fd < 3; ++fd) {
    // The lowest free number, which is this one.
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)!open("/dev/null", kModes[fd]);
  }
}

absl::Status FileError(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat(what, " ", path, ": ", strerror(errno)));
}

// Options that take HOST:PORT refuse what is none, such as port 99999. Addresses with a scheme are
// left to whoever knows what to do about it.
void CheckAddresses(CLI::App* app) {
  const auto is_address = [](const CLI::Option* option) {
    return option->get_type_name() == "HOST:PORT";
  };
  for (CLI::Option* option : app->get_options(is_address)) {
    option->check(CLI::Validator(
        [](std::string& text) {
          if (text.empty() || absl::StrContains(text, "://")) return std::string();
          return std::string(ParseHostPort(text).status().message());
        },
        /*validator_desc=*/""));
  }
  for (CLI::App* command : app->get_subcommands(nullptr)) CheckAddresses(command);
}

// Nothing, or a regular file: what a rename may take the place of. Root could replace a device.
absl::Status CheckReplaceable(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) return absl::OkStatus();
  return WithHint(absl::InvalidArgumentError(absl::StrCat(
                      "the ready file ", path, " is there already and is not a regular file")),
                  "name another with --ready_file; it is made new by each start");
}

// The innermost subcommand that the command line named, or the program itself.
CLI::App* NamedCommand(CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

// The command that the arguments name, before they are parsed.
CLI::App* FindCommand(CLI::App* app, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (absl::StartsWith(argument, "-")) continue;
    const auto commands =
        app->get_subcommands([&](CLI::App* command) { return command->check_name(argument); });
    if (commands.empty()) break;
    app = commands.front();
  }
  return app;
}

// CLI11 reads the environment for the options of all commands. Those of one command often write to
// the same variable as those of another one, and so would undo what its flags say.
void ForgetEnvironmentOfOthers(CLI::App* app, const CLI::App* named) {
  if (app != named) {
    for (CLI::Option* option : app->get_options()) option->envname("");
  }
  for (CLI::App* command : app->get_subcommands({})) ForgetEnvironmentOfOthers(command, named);
}

// What is wrong with a value that is empty. Empty: none is.
std::string ExplainEmptyValue(CLI::App* command, const std::vector<std::string>& may_be_empty) {
  for (const CLI::Option* option : command->get_options()) {
    const auto& results = option->results();
    if (std::find(results.begin(), results.end(), "") == results.end()) continue;
    const std::string name = option->get_name();
    if (std::find(may_be_empty.begin(), may_be_empty.end(), name) != may_be_empty.end()) continue;
    return absl::StrCat(name, ": the value is empty; leave it out for the default");
  }
  return "";
}

// On standard output; answers what to exit with.
int Print(absl::string_view text) {
  if (std::cout << text << std::flush) return kExitOk;
  return ReportFailure(absl::UnavailableError("can't write to standard output"));
}

// As CLI11 takes a command line: the last word first. The flags of the file go to the end, where
// the command is named already, and before the words behind "--", which are no flags.
std::vector<std::string> InReverse(std::vector<std::string> arguments,
                                   const std::vector<std::string>& of_file) {
  arguments.insert(std::find(arguments.begin(), arguments.end(), "--"), of_file.begin(),
                   of_file.end());
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

int ReportUsage(const CLI::App* command, absl::string_view what) {
  std::string name;
  for (const CLI::App* at = command; at != nullptr; at = at->get_parent()) {
    name = name.empty() ? at->get_name() : absl::StrCat(at->get_name(), " ", name);
  }
  std::cerr << "error: " << Printable(what) << "\nhint: see `" << name << " --help`\n";
  return kExitUsage;
}

// What is wrong with a word that the parser had no use for. Empty: there is none. CLI11 itself
// would rather speak of what is missing instead, or show the help.
std::string ExplainLeftOver(CLI::App* command) {
  for (const CLI::App* at = command->get_parent(); at != nullptr; at = at->get_parent()) {
    const std::vector<std::string> early = at->remaining();
    if (!early.empty())
      return absl::StrCat(early.front(), " comes too early: flags follow the command");
  }
  const std::vector<std::string> left = command->remaining();
  if (left.empty()) return "";
  const std::string& word = left.front();
  std::vector<std::string> known;
  if (absl::StartsWith(word, "-")) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back(name);
    }
    const std::vector<std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    std::string nearest = Nearest(absl::StripPrefix(parts[0], "--"), known);
    if (!nearest.empty()) nearest = absl::StrCat("--", nearest);
    return WithSuggestion(absl::StrCat("there is no flag ", parts[0]), nearest);
  }
  if (command->get_subcommands({}).empty()) {
    return absl::StrCat("\"", word, "\" is one word too many");
  }
  for (const CLI::App* sub : command->get_subcommands({})) known.push_back(sub->get_name());
  std::string nearest = Nearest(word, known);
  if (!nearest.empty()) nearest = absl::StrCat("\"", nearest, "\"");
  return WithSuggestion(absl::StrCat("there is no command \"", word, "\""), nearest);
}

absl::Status SetLog(const DaemonFlags& flags) {
  LogLevel level = LogLevel::kInfo;
  if (!ParseLogLevel(flags.log_level, &level)) {
    return absl::InvalidArgumentError(absl::StrCat("log level ", flags.log_level, " is unknown"));
  }
  SetLogLevel(level);
  SetLogFormat(flags.log_json ? LogFormat::kJson : LogFormat::kLogfmt);
  return absl::OkStatus();
}

// Whether there is a configuration file.
bool ReloadFile(const DaemonFlags& flags) {
  ParsedFlags& parsed = Parsed();
  if (flags.app == nullptr || flags.app != parsed.command) return false;
  const std::string file = ConfigFileOf(parsed.arguments);
  if (file.empty()) return false;
  static const std::vector<std::string> reloadable(std::begin(kReloadableFlags),
                                                   std::end(kReloadableFlags));
  const absl::StatusOr<ReloadedSettings> reloaded =
      ReloadSettings(parsed.command, parsed.arguments, reloadable, &parsed.settings);
  LogReload(file, reloaded.ok() ? SetLog(flags) : reloaded.status());
  if (!reloaded.ok()) return true;
  if (!reloaded->changed.empty()) {
    LogInfo("settings_changed", {{"keys", absl::StrJoin(reloaded->changed, ",")}});
  }
  if (!reloaded->need_restart.empty()) {
    LogWarning("restart_needed", {{"keys", absl::StrJoin(reloaded->need_restart, ",")},
                                  {"reason", "these are read at the start only"}});
  }
  return true;
}

}  // namespace

void AddDaemonFlags(CLI::App* app, DaemonFlags* flags) {
  flags->app = app;
  // ParseFlags reads the file: CLI11 would for a whole program only, and before the environment.
  const std::string config = "Read flags from this file, one key = value a line";
  app->add_option(kConfigFlag, config)->type_name("FILE");
  const std::string show =
      "Print each flag's value and where it comes from, as JSON lines, and exit: what `bellwire "
      "config` shows";
  app->add_flag(kShowConfigFlag, show);
  app->add_option("--log_level", flags->log_level, "How much to log on stderr")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app->add_flag("--log_json", flags->log_json, "Log JSON lines instead of logfmt");
  app->add_option("--ready_file", flags->ready_file,
                  "Once everything listens, write the real addresses there as JSON")
      ->type_name("FILE");
  app->add_flag(
      "--core_dumps", flags->core_dumps,
      "For developers: let a crash leave a core dump, and debuggers read the memory. Both "
      "hold payloads, tokens and keys");
  app->set_version_flag("--version", std::string(kVersion));
}

std::optional<int> ParseFlags(CLI::App* app, int argc, char** argv,
                              const std::vector<std::string>& may_be_empty) {
  HoldStandardDescriptors();
  CheckAddresses(app);
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (arguments.size() == 1 && arguments[0] == kHelpJsonFlag) return Print(HelpAsJson(*app) + "\n");
  CLI::App* const named = FindCommand(app, arguments);
  ForgetEnvironmentOfOthers(app, named);
  absl::StatusOr<std::vector<Setting>> settings = ResolveSettings(named, arguments);
  if (!settings.ok()) return ReportUsage(named, settings.status().message());
  // CLI11 reports by exception; this is where they end.
  try {
    app->parse(InReverse(arguments, FlagsOfFile(*settings)));
  } catch (const CLI::ParseError& e) {
    CLI::App* command = NamedCommand(app);
    std::string what = ExplainLeftOver(command);
    if (what.empty() && e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      const int exit_code = app->exit(e);
      if (std::cout.flush()) return exit_code;
      return ReportFailure(absl::UnavailableError("can't write to standard output"));
    }
    if (what.empty()) what = absl::StrCat(e.what(), PlaceOf(e.what(), *settings));
    return ReportUsage(command, what);
  }
  CLI::App* const command = NamedCommand(app);
  const std::string empty = ExplainEmptyValue(command, may_be_empty);
  if (!empty.empty()) return ReportUsage(command, empty);
  const CLI::Option* const show = command->get_option_no_throw(kShowConfigFlag);
  if (show != nullptr && !show->empty()) return Print(RenderSettings(*settings));
  Parsed() = {.command = command, .arguments = std::move(arguments), .settings = *settings};
  return std::nullopt;
}

absl::Status PrepareProcess(const DaemonFlags& flags) {
  SetCoreDumps(flags.core_dumps);
  if (absl::Status status = SetLog(flags); !status.ok()) return status;
  // Who waits for the file must not take that of an earlier run for ours.
  if (absl::Status status = CheckReplaceable(flags.ready_file); !status.ok()) return status;
  if (!flags.ready_file.empty() && unlink(flags.ready_file.c_str()) != 0 && errno != ENOENT) {
    return FileError("can't remove the old ready file", flags.ready_file);
  }
  RaiseDescriptorLimit();
  SilenceGrpcLog();
  SkipDeadlockDetection();
  signal(SIGPIPE, SIG_IGN);
  const sigset_t set = AwaitedSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return absl::OkStatus();
}

absl::Status PrepareServer(const DaemonFlags& flags) {
  if (absl::Status status = PrepareProcess(flags); !status.ok()) return status;
  // It runs as well without.
  if (const absl::Status asked = AskForShortSlices(); !asked.ok()) {
    LogInfo("long_slices", {{"error", asked.message()}});
  }
  return absl::OkStatus();
}

void SilenceGrpcLog() { setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0); }

void SkipDeadlockDetection() {
#ifdef NDEBUG
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
}

void WaitForShutdownSignal(const DaemonFlags& flags, const std::function<void()>& reload) {
  const sigset_t awaited = AwaitedSignals();
  int signal_number = 0;
  while (true) {
    sigwait(&awaited, &signal_number);
    if (signal_number != SIGHUP) break;
    const bool has_file = ReloadFile(flags);
    if (reload) {
      reload();
    } else if (!has_file) {
      LogInfo("hangup_ignored", {{"reason", "nothing here can be read again"}});
    }
  }
  LogInfo("shutting_down", {{"signal", strsignal(signal_number)}});
  TellServiceManager("STOPPING=1");
  // SIGHUP stays blocked: it must not cut the drain short.
  const sigset_t shutdown = ShutdownSignals();
  pthread_sigmask(SIG_UNBLOCK, &shutdown, nullptr);
}

void LogReload(absl::string_view what, const absl::Status& status) {
  if (status.ok()) {
    LogInfo("reloaded", {{"what", what}});
  } else {
    LogError("reload_failed", {{"what", what}, {"error", status.message()}});
  }
}

size_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

absl::Status WriteReadyFile(const std::string& path,
                            const std::vector<std::pair<std::string, std::string>>& fields) {
  if (path.empty()) {
    TellServiceManager("READY=1");
    return absl::OkStatus();
  }
  if (absl::Status status = CheckReplaceable(path); !status.ok()) return status;
  nlohmann::ordered_json json;
  for (const auto& [key, value] : fields) json[key] = value;
  json["pid"] = getpid();
  const std::string text = absl::StrCat(json.dump(), "\n");

  const std::string temporary = absl::StrCat(path, ".tmp.", getpid());
  FILE* file = fopen(temporary.c_str(), "we");
  if (file == nullptr) return FileError("can't write the ready file", temporary);
  const bool written = fwrite(text.data(), 1, text.size(), file) == text.size();
  if (fclose(file) != 0 || !written) {
    absl::Status error = FileError("can't write the ready file", temporary);
    unlink(temporary.c_str());
    return error;
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    absl::Status error = FileError("can't write the ready file", path);
    unlink(temporary.c_str());
    return error;
  }
  TellServiceManager("READY=1");
  return absl::OkStatus();
}

absl::Status WithHint(absl::Status status, absl::string_view hint) {
  return WithMetadata(std::move(status), kHintKey, hint);
}

std::string RenderFailure(const absl::Status& status) {
  std::string text = absl::StrCat("error: ", Printable(status.message()));
  if (status.message().empty()) absl::StrAppend(&text, absl::StatusCodeToString(status.code()));
  if (std::optional<std::string> field = ErrorField(status)) {
    absl::StrAppend(&text, " (field ", Printable(*field), ")");
  }
  if (const std::string reason = ErrorReason(status); !reason.empty()) {
    absl::StrAppend(&text, " [", Printable(reason), "]");
  }
  text += "\n";
  if (std::optional<std::string> hint = ErrorMetadata(status, kHintKey)) {
    absl::StrAppend(&text, "hint: ", Printable(*hint), "\n");
  }
  return text;
}

int ReportFailure(const absl::Status& status) {
  std::cerr << RenderFailure(status) << std::flush;
  return kExitFailure;
}

}  // namespace bellwire
