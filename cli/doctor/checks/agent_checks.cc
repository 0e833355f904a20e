#include "cli/doctor/checks/agent_checks.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "cli/doctor/checks/connection_checks.h"
#include "cli/doctor/checks/file_checks.h"
#include "cli/terminal.h"

namespace bellwire::cli {
namespace {

class AgentChecks {
 public:
  AgentChecks(const AgentFacts& agent, const std::string& our_version, Findings* findings)
      : agent_(agent), our_version_(our_version), findings_(findings) {}

  void Run() {
    CheckSocket();
    CheckFiles();
    for (const ConnectionFacts& path : agent_.paths) {
      CheckConnection(Part::kAgent, path, findings_);
    }
    if (!agent_.answered) return;
    CheckSession();
    CheckVersion();
    CheckNetwork();
    for (const auto& app : agent_.status.apps()) CheckApp(app);
    for (const auto& subscription : agent_.status.subscriptions()) CheckSubscription(subscription);
  }

 private:
  void Say(Severity severity, std::string cause, const std::string& subject, std::string what,
           std::string to_do) {
    findings_->push_back(
        {Part::kAgent, severity, std::move(cause), subject, std::move(what), std::move(to_do)});
  }
  void Problem(std::string cause, const std::string& subject, std::string what, std::string to_do) {
    Say(Severity::kProblem, std::move(cause), subject, std::move(what), std::move(to_do));
  }

  void CheckSocket() {
    const std::string& path = agent_.socket_path;
    const std::string start =
        "`systemctl start bellwire-agent`; `journalctl -u bellwire-agent` says "
        "why it does not stay up";
    if (!agent_.socket.exists()) {
      Problem("AGENT_NOT_RUNNING", path, absl::StrCat("no agent runs: there is no socket ", path),
              absl::StrCat(start, "; name another socket with --socket"));
      return;
    }
    if (!S_ISSOCK(agent_.socket.mode)) {
      Problem("NOT_A_SOCKET", path,
              absl::StrCat(path, " is no socket, so no agent can listen there"),
              "move it away and restart the agent");
      return;
    }
    if (agent_.connect_error == ECONNREFUSED) {
      Problem("SOCKET_WITHOUT_AGENT", path,
              absl::StrCat("the socket ", path, " is a leftover: the agent that made it has died"),
              start);
    } else if (agent_.connect_error == EACCES || agent_.connect_error == EPERM) {
      Problem("SOCKET_NOT_PERMITTED", path, absl::StrCat("this user may not connect to ", path),
              "run it as another user, or start the agent with another --socket_mode");
    } else if (agent_.connect_error != 0) {
      Problem("SOCKET_UNUSABLE", path,
              absl::StrCat("can't connect to ", path, ": ", strerror(agent_.connect_error)), start);
    } else if (!agent_.answered) {
      Problem("AGENT_DOES_NOT_ANSWER", path,
              absl::StrCat("the agent at ", path, " does not answer",
                           agent_.process.has_value() && agent_.process->state == 'T'
                               ? ": it was stopped by a signal"
                               : absl::StrCat(": ", agent_.error)),
              agent_.process.has_value() && agent_.process->state == 'T'
                  ? absl::StrCat("kill -CONT ", agent_.process->pid)
                  : std::string("it hangs: `systemctl restart bellwire-agent`"));
    }
    if ((agent_.socket.mode & (S_IWGRP | S_IWOTH)) == 0) {
      Say(Severity::kWarning, "SOCKET_CLOSED_TO_APPS", path,
          absl::StrCat("only the agent's own user may connect to ", path, " (mode ",
                       absl::StrFormat("%04o", agent_.socket.mode & 07777), "): apps can't"),
          "start the agent with --socket_mode 0666, or 0660 and a group of apps");
    }
    if (agent_.process.has_value() && agent_.process->program_replaced) {
      Say(Severity::kWarning, "RESTART_NEEDED", absl::StrCat(agent_.process->pid),
          "the agent runs a program that was replaced since it started",
          "`systemctl restart bellwire-agent`: an upgrade takes effect with the next start");
    }
  }

  void CheckFiles() {
    if (agent_.ca.has_value() && (!agent_.ca->exists() || agent_.ca->size == 0)) {
      Problem("CA_MISSING", agent_.ca->path,
              absl::StrCat("the CA that the agent trusts is missing: ", agent_.ca->path),
              "copy the server's DATA_DIR/ca.pem there, and restart the agent");
    } else if (agent_.ca.has_value() && !agent_.ca_parsed) {
      Problem("CA_BROKEN", agent_.ca->path,
              absl::StrCat(agent_.ca->path, " is no certificate in PEM"),
              "copy the server's DATA_DIR/ca.pem there, and restart the agent");
    }
    if (agent_.state_directory.has_value()) {
      CheckPrivate(Part::kAgent, *agent_.state_directory, "STATE_DIR_NOT_PRIVATE", findings_);
    }
    if (agent_.device_key.has_value() && agent_.device_key->exists()) {
      CheckPrivate(Part::kAgent, *agent_.device_key, "DEVICE_KEY_NOT_PRIVATE", findings_);
      if (!agent_.device_key_parsed) {
        Problem(
            "DEVICE_KEY_BROKEN", agent_.device_key->path,
            absl::StrCat(agent_.device_key->path, " is no key: the agent does not start with it"),
            "put it back from a backup; without one, move the state directory away: the phone "
            "is then a new device, and its apps register anew");
      }
    }
    if (agent_.disk.has_value()) CheckDisk(Part::kAgent, *agent_.disk, findings_);
  }

  // Whether every server that the agent has can't be reached, as said above.
  bool IsExplainedByPaths() const {
    const auto leads_there = [](const ConnectionFacts& path) {
      return path.failed == ConnectionFacts::Step::kNone;
    };
    return !agent_.paths.empty() &&
           std::none_of(agent_.paths.begin(), agent_.paths.end(), leads_there);
  }

  void CheckSession() {
    const agent::v1::Status& status = agent_.status;
    if (status.connection() == agent::v1::Status::CONNECTED) return;
    if (absl::StrContains(status.last_error(), "another phone logged in with this phone's key")) {
      Problem("DEVICE_KEY_COPIED", status.server_address(),
              "another device uses this one's key, and gets its messages",
              "stop the agent, move its state directory away and start it: it is then a device of "
              "its own (docs/operate/agent.md, A copied state directory)");
      return;
    }
    if (IsExplainedByPaths()) return;
    Say(status.connection() == agent::v1::Status::CONNECTING ? Severity::kWarning
                                                             : Severity::kProblem,
        "AGENT_NOT_CONNECTED", status.server_address(),
        absl::StrCat("the agent has no connection to ", status.server_address(), ": ",
                     status.last_error().empty() ? "it is about to connect" : status.last_error()),
        "it tries again by itself; run this again in a minute");
  }

  void CheckVersion() {
    absl::string_view version = agent_.status.agent_version();
    if (!absl::ConsumePrefix(&version, "bellwire-agent/") || version == our_version_) return;
    Say(Severity::kWarning, "VERSION_DIFFERS", agent_.socket_path,
        absl::StrCat("the agent is version ", version, ", this program ", our_version_),
        "install the same version of both, and restart the agent");
  }

  void CheckNetwork() {
    const agent::v1::Status::Network& network = agent_.status.network();
    const absl::Duration learned = absl::Milliseconds(network.learned_interval_ms());
    if (learned == absl::ZeroDuration() || learned >= kShortNatTimeout) return;
    Say(Severity::kWarning, "NAT_TIMEOUT_SHORT", network.interface(),
        absl::StrCat("this network (", network.kind(), ", ", network.interface(),
                     ") forgets a silent connection after ", RenderDuration(learned), ": it costs ",
                     absl::Hours(24) / learned, " heartbeats a day"),
        "raise the TCP idle time-out of the router or firewall (RFC 5382 says 2 h 4 min); IPv6 has "
        "no NAT in between");
  }

  void CheckApp(const agent::v1::Status::App& app) {
    if (app.connected()) return;
    if (app.starts() >= kStartsInVain && app.waiting_messages() > 0) {
      Problem("APP_STARTED_IN_VAIN", app.app_id(),
              absl::StrCat(app.app_id(), " was started ", app.starts(),
                           " times and took none of its ", app.waiting_messages(), " messages"),
              "does the program of --start_app_hook start it, and does the app register under this "
              "id? Its own log says why it ends");
    } else if (app.waiting_messages() >= kManyWaiting) {
      Say(Severity::kWarning, "MAILBOX_NOT_TAKEN", app.app_id(),
          absl::StrCat(app.waiting_messages(), " messages wait for ", app.app_id(),
                       ", which is not running: the next ones may be dropped"),
          "start the app, or let --start_app_hook do it; if it was removed, it should have "
          "unregistered");
    }
  }

  void CheckSubscription(const agent::v1::Status::Subscription& subscription) {
    const std::string who = absl::StrCat(subscription.owner(), " (user ", subscription.uid(), ")");
    if (!subscription.registered() && agent_.status.connection() == agent::v1::Status::CONNECTED &&
        subscription.connected()) {
      Say(Severity::kWarning, "NO_ENDPOINT", subscription.owner(),
          absl::StrCat("a subscription of ", who, " has no endpoint"),
          "the server takes no subscriptions, or wants a VAPID key: it needs --public_url, and see "
          "its --subscriptions");
    } else if (!subscription.connected() && subscription.waiting_messages() >= kManyWaiting) {
      Say(Severity::kWarning, "MAILBOX_NOT_TAKEN", subscription.owner(),
          absl::StrCat(subscription.waiting_messages(), " messages wait for ", who,
                       ", whose companion is not running"),
          "log in as that user, or `loginctl enable-linger USER`");
    }
  }

  const AgentFacts& agent_;
  const std::string& our_version_;
  Findings* const findings_;
};

}  // namespace

void CheckAgent(const AgentFacts& agent, const std::string& our_version, Findings* findings) {
  AgentChecks(agent, our_version, findings).Run();
}

}  // namespace bellwire::cli
