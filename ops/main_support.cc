#include "ops/main_support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "common/host_port.h"
#include "common/log.h"
#include "common/version.h"
#include "nlohmann/json.hpp"
#include "ops/service_manager.h"
#include "ops/short_slices.h"

namespace bellwire {
namespace {

constexpr char kHintKey[] = "hint";
constexpr char kConfigFlag[] = "--config";

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

// The innermost subcommand that the command line named, or the program itself.
CLI::App* NamedCommand(CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

// Reads the file of a subcommand's --config; what the command line said already stays.
void ReadConfigOf(CLI::App* command) {
  const CLI::Option* option = command->get_option_no_throw(kConfigFlag);
  if (command->get_parent() == nullptr || option == nullptr || option->empty()) return;
  std::ifstream file(option->as<std::string>());
  command->parse_from_stream(file);
}

}  // namespace

void AddDaemonFlags(CLI::App* app, DaemonFlags* flags) {
  const std::string help = "Read flags from this file, one name=value a line";
  // CLI11 reads configuration files for a whole program only; ParseFlags does it for a subcommand.
  CLI::Option* config = app->get_parent() == nullptr ? app->set_config(kConfigFlag, "", help)
                                                     : app->add_option(kConfigFlag, help);
  config->check(CLI::ExistingFile.description(""))->type_name("FILE");
  app->allow_config_extras(CLI::config_extras_mode::error);
  app->add_option("--log_level", flags->log_level, "How much to log on stderr")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app->add_flag("--log_json", flags->log_json, "Log JSON lines instead of logfmt");
  app->add_option("--ready_file", flags->ready_file,
                  "Once everything listens, write the real addresses there as JSON")
      ->type_name("FILE");
  app->set_version_flag("--version", std::string(kVersion));
}

std::optional<int> ParseFlags(CLI::App* app, int argc, char** argv) {
  CheckAddresses(app);
  // CLI11 reports by exception; this is where they end.
  try {
    app->parse(argc, argv);
    ReadConfigOf(NamedCommand(app));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app->exit(e);
    CLI::App* command = NamedCommand(app);
    std::string what = e.what();
    // CLI11 misses a subcommand before it wonders about a word that is none.
    if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
        !command->get_subcommands({}).empty() && !command->remaining().empty()) {
      what = absl::StrCat("there is no command \"", command->remaining().front(), "\"");
    }
    std::string name;
    for (const CLI::App* at = command; at != nullptr; at = at->get_parent()) {
      name = name.empty() ? at->get_name() : absl::StrCat(at->get_name(), " ", name);
    }
    std::cerr << "error: " << what << "\nhint: see `" << name << " --help`\n";
    return kExitUsage;
  }
  return std::nullopt;
}

absl::Status PrepareProcess(const DaemonFlags& flags) {
  LogLevel level = LogLevel::kInfo;
  if (!ParseLogLevel(flags.log_level, &level)) {
    return absl::InvalidArgumentError(absl::StrCat("log level ", flags.log_level, " is unknown"));
  }
  SetLogLevel(level);
  SetLogFormat(flags.log_json ? LogFormat::kJson : LogFormat::kLogfmt);
  // Who waits for the file must not take that of an earlier run for ours.
  if (!flags.ready_file.empty() && unlink(flags.ready_file.c_str()) != 0 && errno != ENOENT) {
    return FileError("can't remove the old ready file", flags.ready_file);
  }
  RaiseDescriptorLimit();
  SilenceGrpcLog();
  SkipDeadlockDetection();
  signal(SIGPIPE, SIG_IGN);
  const sigset_t set = ShutdownSignals();
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

void WaitForShutdownSignal() {
  const sigset_t set = ShutdownSignals();
  int signal_number = 0;
  sigwait(&set, &signal_number);
  LogInfo("shutting_down", {{"signal", strsignal(signal_number)}});
  TellServiceManager("STOPPING=1");
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
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
  std::string text = absl::StrCat("error: ", status.message());
  if (status.message().empty()) absl::StrAppend(&text, absl::StatusCodeToString(status.code()));
  if (std::optional<std::string> field = ErrorField(status)) {
    absl::StrAppend(&text, " (field ", *field, ")");
  }
  if (const std::string reason = ErrorReason(status); !reason.empty()) {
    absl::StrAppend(&text, " [", reason, "]");
  }
  text += "\n";
  if (std::optional<std::string> hint = ErrorMetadata(status, kHintKey)) {
    absl::StrAppend(&text, "hint: ", *hint, "\n");
  }
  return text;
}

int ReportFailure(const absl::Status& status) {
  std::cerr << RenderFailure(status) << std::flush;
  return kExitFailure;
}

}  // namespace bellwire
