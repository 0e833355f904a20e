#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/command.h"
#include "cli/run_program.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "ops/main_support.h"
#include "ops/settings.h"
#include "ops/suggestion.h"

// What a daemon's flags are is the daemon's own to know, whatever its version: it is run and asked.
namespace bellwire::cli {
namespace {

constexpr char kConfigDirectory[] = "/etc/bellwire/";

struct Daemon {
  std::string name;
  // The command line that runs it.
  std::vector<std::string> command;
  // Its unit, with the flags of systemctl that lead to it.
  std::vector<std::string> unit;
};

const std::vector<Daemon>& Daemons() {
  static const auto* const daemons = new std::vector<Daemon>{
      {"server", {"/proc/self/exe", "serve"}, {"bellwire.service"}},
      {"gateway", {ProgramPath("bellwire-gateway")}, {"bellwire-gateway.service"}},
      {"connector", {ProgramPath("bellwire-connector")}, {"bellwire-connector.service"}},
      {"registry", {ProgramPath("bellwire-registry")}, {"bellwire-registry.service"}},
      {"agent", {ProgramPath("bellwire-agent")}, {"bellwire-agent.service"}},
      {"companion", {ProgramPath("bellwire-companion")}, {"--user", "bellwire-companion.service"}}};
  return *daemons;
}

std::vector<std::string> DaemonNames() {
  std::vector<std::string> names;
  for (const Daemon& daemon : Daemons()) names.push_back(daemon.name);
  return names;
}

absl::StatusOr<Daemon> FindDaemon(absl::string_view name) {
  for (const Daemon& daemon : Daemons()) {
    if (daemon.name == name) return daemon;
  }
  return WithHint(
      absl::InvalidArgumentError(WithSuggestion(absl::StrCat("there is no daemon \"", name, "\""),
                                                Nearest(name, DaemonNames()))),
      absl::StrCat("one of ", absl::StrJoin(DaemonNames(), ", ")));
}

// The daemon that a file is for, by its name: NAME.conf.
std::string DaemonOfFile(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != absl::string_view::npos) path.remove_prefix(slash + 1);
  return std::string(absl::StripSuffix(path, ".conf"));
}

std::string DefaultFile(const Daemon& daemon) {
  return absl::StrCat(kConfigDirectory, daemon.name, ".conf");
}

// What the daemon says about its flags with this file; without one if `file` is empty.
absl::StatusOr<std::vector<nlohmann::ordered_json>> Ask(const Daemon& daemon,
                                                        const std::string& file) {
  std::vector<std::string> command = daemon.command;
  if (!file.empty()) command.insert(command.end(), {kConfigFlag, file});
  command.push_back(kShowConfigFlag);
  const absl::StatusOr<std::string> output = OutputOf(command);
  if (!output.ok()) {
    if (!absl::IsNotFound(output.status())) return output.status();
    return WithHint(output.status(),
                    absl::StrCat("install the program of the daemon \"", daemon.name, "\" first"));
  }
  std::vector<nlohmann::ordered_json> settings;
  for (const absl::string_view line : absl::StrSplit(*output, '\n', absl::SkipEmpty())) {
    auto setting = nlohmann::ordered_json::parse(line.begin(), line.end(), nullptr, false);
    if (!setting.is_object()) {
      return absl::InternalError(absl::StrCat(command[0], " answers something else than JSON"));
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

struct CheckFlags {
  std::string file;
  std::string daemon;
};

absl::Status Check(const CheckFlags& flags, CommandContext* context) {
  const std::string name = flags.daemon.empty() ? DaemonOfFile(flags.file) : flags.daemon;
  absl::StatusOr<Daemon> daemon = FindDaemon(name);
  if (!daemon.ok() && flags.daemon.empty()) {
    return WithHint(
        absl::InvalidArgumentError(
            absl::StrCat(flags.file, " does not say whose configuration it is")),
        absl::StrCat("name it with --daemon, one of ", absl::StrJoin(DaemonNames(), ", ")));
  }
  if (!daemon.ok()) return daemon.status();
  BELLWIRE_ASSIGN_OR_RETURN(const auto settings, Ask(*daemon, flags.file));
  const auto of_file = std::count_if(settings.begin(), settings.end(), [](const auto& setting) {
    return setting.value("from", "") == "file";
  });
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"file", flags.file}, {"daemon", daemon->name}, {"keys", of_file}});
  } else {
    out.Line(absl::StrCat(out.Good("sound"), "  ", flags.file, ": ", of_file,
                          " of its values hold for ", daemon->name));
  }
  return absl::OkStatus();
}

struct ShowFlags {
  std::string daemon;
  std::string file;
};

std::string ValueForPerson(const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return "";
  return absl::StrJoin(value, ", ", [](std::string* text, const nlohmann::ordered_json& item) {
    absl::StrAppend(text, item.is_string() ? item.get<std::string>() : item.dump());
  });
}

absl::Status Show(const ShowFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const Daemon daemon, FindDaemon(flags.daemon));
  std::string file = flags.file;
  if (file.empty() && access(DefaultFile(daemon).c_str(), F_OK) == 0) file = DefaultFile(daemon);
  BELLWIRE_ASSIGN_OR_RETURN(const auto settings, Ask(daemon, file));
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  for (const nlohmann::ordered_json& setting : settings) {
    if (out.json()) {
      out.Json(setting);
      continue;
    }
    std::string from = setting.value("from", "");
    const std::string where = setting.value("where", "");
    if (!where.empty()) absl::StrAppend(&from, " ", where);
    rows.push_back({setting.value("key", ""),
                    ValueForPerson(setting.value("value", nlohmann::ordered_json())),
                    from == "default" ? out.Dim(from) : from});
  }
  if (!out.json()) out.Table({"KEY", "VALUE", "FROM"}, rows);
  return absl::OkStatus();
}

struct ReloadFlags {
  std::string daemon = "server";
  std::string ready_file;
};

// The process that wrote the ready file, if it is one of ours still.
absl::StatusOr<pid_t> PidOf(const std::string& ready_file) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(ready_file));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("pid") || !json["pid"].is_number_integer()) {
    return absl::InvalidArgumentError(absl::StrCat(ready_file, " is not a daemon's ready file"));
  }
  const pid_t pid = json["pid"].get<pid_t>();
  const absl::StatusOr<std::string> name = ReadWholeFile(absl::StrCat("/proc/", pid, "/comm"));
  // A number that another program got meanwhile: a SIGHUP would end it.
  if (pid <= 1 || !name.ok() || !absl::StartsWith(*name, "bellwire")) {
    return absl::FailedPreconditionError(
        absl::StrCat("the daemon that wrote ", ready_file, " does not run"));
  }
  return pid;
}

absl::Status Reload(const ReloadFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const Daemon daemon, FindDaemon(flags.daemon));
  std::string how;
  if (!flags.ready_file.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(const pid_t pid, PidOf(flags.ready_file));
    if (kill(pid, SIGHUP) != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("can't send SIGHUP to process ", pid, ": ", strerror(errno)));
    }
    how = absl::StrCat("SIGHUP to process ", pid);
  } else {
    const std::string file = DefaultFile(daemon);
    // A file with an error would be refused by the daemon too, but only its log would say so.
    if (access(file.c_str(), R_OK) == 0) {
      BELLWIRE_RETURN_IF_ERROR(Ask(daemon, file).status());
    }
    std::vector<std::string> command = {"systemctl"};
    command.insert(command.end(), daemon.unit.begin(), daemon.unit.end());
    command.insert(command.end() - 1, "reload");
    const absl::StatusOr<std::string> done = OutputOf(command);
    if (!done.ok()) {
      return WithHint(done.status(), "without systemd, name the daemon's ready file: --ready_file");
    }
    how = absl::StrJoin(command, " ");
  }
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"daemon", daemon.name}, {"done", how}});
  } else {
    out.Line(absl::StrCat(out.Good("asked"), "  ", how));
    out.Line("next: its log says what was reloaded, and what needs a restart");
  }
  return absl::OkStatus();
}

}  // namespace

void AddConfigCommand(CLI::App* root, CommandContext* context) {
  CLI::App* group = root->add_subcommand("config", "The configuration files of the daemons")
                        ->require_subcommand(1);
  const std::string names = absl::StrJoin(DaemonNames(), ", ");

  CLI::App* check = group->add_subcommand("check", "Whether a file is sound; says what is not");
  auto check_flags = std::make_shared<CheckFlags>();
  check->add_option("FILE", check_flags->file, "Such as /etc/bellwire/server.conf")
      ->type_name("")
      ->required();
  check
      ->add_option("--daemon", check_flags->daemon,
                   absl::StrCat("Whose it is, of ", names, " [by the file's name, NAME.conf]"))
      ->type_name("NAME");
  AddJsonFlag(check, context);
  SetExamples(check,
              "  bellwire config check /etc/bellwire/server.conf\n"
              "  bellwire config check --daemon gateway ./new.conf && echo good");
  check->callback([=] { context->run = [=] { return Check(*check_flags, context); }; });

  CLI::App* show = group->add_subcommand(
      "show",
      "What holds for a daemon and where it comes from: its file, the environment (this shell's), "
      "or the default. Flags that its unit adds win over all of them");
  auto show_flags = std::make_shared<ShowFlags>();
  show->add_option("DAEMON", show_flags->daemon, absl::StrCat("One of ", names))
      ->type_name("")
      ->required();
  show->add_option("--file", show_flags->file, "Its file [/etc/bellwire/DAEMON.conf]")
      ->type_name("FILE");
  AddJsonFlag(show, context);
  SetExamples(show, "  bellwire config show server\n  bellwire config show agent --json");
  show->callback([=] { context->run = [=] { return Show(*show_flags, context); }; });
}

void AddReloadCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "reload",
      "Have a daemon read its configuration, certificates and keys again (SIGHUP). Calls and "
      "sessions go on");
  auto flags = std::make_shared<ReloadFlags>();
  command
      ->add_option("DAEMON", flags->daemon,
                   absl::StrCat("One of ", absl::StrJoin(DaemonNames(), ", ")))
      ->type_name("")
      ->capture_default_str();
  command
      ->add_option("--ready_file", flags->ready_file,
                   "Where the daemon runs without systemd: the file of its --ready_file")
      ->type_name("FILE");
  AddJsonFlag(command, context);
  SetExamples(command, "  bellwire reload\n  bellwire reload agent");
  command->callback([=] { context->run = [=] { return Reload(*flags, context); }; });
}

}  // namespace bellwire::cli
