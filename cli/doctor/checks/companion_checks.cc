#include "cli/doctor/checks/companion_checks.h"

#include <string.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "cli/doctor/checks/file_checks.h"

namespace bellwire::cli {

void CheckCompanion(const CompanionFacts& companion, Findings* findings) {
  const auto say = [&](Severity severity, std::string cause, const std::string& subject,
                       std::string what, std::string to_do) {
    findings->push_back(
        {Part::kCompanion, severity, std::move(cause), subject, std::move(what), std::move(to_do)});
  };
  const std::string restart = "`systemctl --user restart bellwire-companion`";
  const bool has_bus = !companion.bus_address.empty() && companion.bus_error == 0;
  if (companion.bus_address.empty()) {
    say(Severity::kProblem, "NO_SESSION_BUS", "DBUS_SESSION_BUS_ADDRESS",
        "this user has no session bus, without which no companion runs",
        "log in on the phone itself, or `loginctl enable-linger USER`; after `su` or `sudo`, set "
        "XDG_RUNTIME_DIR=/run/user/UID");
  } else if (companion.bus_error != 0) {
    say(Severity::kProblem, "SESSION_BUS_DEAD", companion.bus_address,
        absl::StrCat("nobody answers on the session bus ", companion.bus_address, ": ",
                     strerror(companion.bus_error)),
        "`systemctl --user restart dbus`, or log in anew");
  }
  if (companion.directory.exists()) {
    CheckPrivate(Part::kCompanion, companion.directory, "STATE_DIR_NOT_PRIVATE", findings);
    CheckDisk(Part::kCompanion, companion.disk, findings);
  }
  CheckPrivate(Part::kCompanion, companion.browser_door, "BROWSER_SECRET_NOT_PRIVATE", findings);
  const bool is_private = (companion.browser_door.mode & (S_IRWXG | S_IRWXO)) == 0;
  if (companion.browser_door.exists() && is_private && companion.browser_port == 0) {
    say(Severity::kProblem, "BROWSER_DOOR_BROKEN", companion.browser_door.path,
        absl::StrCat(companion.browser_door.path, " holds no port and secret"),
        absl::StrCat("remove it, ", restart, ", and `bellwire companion firefox on`"));
  }
  const bool taken = companion.browser_listener.has_value() &&
                     (!companion.process.has_value() ||
                      (companion.browser_listener->pid != 0 &&
                       companion.browser_listener->pid != companion.process->pid));
  if (taken) {
    const ListenerFacts& other = *companion.browser_listener;
    say(Severity::kProblem, "BROWSER_PORT_TAKEN", absl::StrCat(companion.browser_port),
        absl::StrCat(other.pid != 0 ? absl::StrCat(other.name, " (pid ", other.pid, ")")
                                    : absl::StrCat("a program of user ", other.uid),
                     " listens on port ", companion.browser_port,
                     ", where this user's browsers look for the companion"),
        absl::StrCat("stop that program; or remove ", companion.browser_door.path, ", ", restart,
                     ", and `bellwire companion firefox on` for another port"));
  }
  if (!companion.process.has_value()) {
    if (!has_bus) return;
    say(Severity::kProblem, "COMPANION_NOT_RUNNING", companion.state_dir,
        "this user's companion does not run: browsers and UnifiedPush apps get nothing",
        "`systemctl --user enable --now bellwire-companion`; `journalctl --user -u "
        "bellwire-companion` says why it does not stay up");
    return;
  }
  const ProcessFacts& process = *companion.process;
  if (process.state == 'T') {
    say(Severity::kProblem, "COMPANION_STOPPED", absl::StrCat(process.pid),
        "the companion was stopped by a signal", absl::StrCat("kill -CONT ", process.pid));
  }
  if (process.program_replaced) {
    say(Severity::kWarning, "RESTART_NEEDED", absl::StrCat(process.pid),
        "the companion runs a program that was replaced since it started", restart);
  }
}

}  // namespace bellwire::cli
