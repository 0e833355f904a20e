#include "cli/doctor/checks/server_checks.h"

#include <errno.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/doctor/checks/connection_checks.h"
#include "cli/doctor/checks/file_checks.h"
#include "cli/terminal.h"

namespace bellwire::cli {
namespace {

class ServerChecks {
 public:
  ServerChecks(const ServerFacts& server, absl::Time now, Findings* findings)
      : server_(server), now_(now), findings_(findings) {}

  void Run() {
    if (!server_.data_dir.empty()) {
      if (!CheckDirectory()) return;
      CheckFiles();
      for (const CertificateFileFacts& file : server_.certificates) CheckCertificate(file);
      CheckDisk(Part::kServer, server_.disk, findings_);
      CheckClock();
      CheckProcess();
    }
    for (const ConnectionFacts& connection : server_.connections) {
      CheckConnection(Part::kServer, connection, findings_);
      CheckPublicCertificate(connection);
    }
    CheckServedCertificate();
  }

 private:
  void Say(Severity severity, std::string cause, const std::string& subject, std::string what,
           std::string to_do) {
    findings_->push_back(
        {Part::kServer, severity, std::move(cause), subject, std::move(what), std::move(to_do)});
  }
  void Problem(std::string cause, const std::string& subject, std::string what, std::string to_do) {
    Say(Severity::kProblem, std::move(cause), subject, std::move(what), std::move(to_do));
  }

  // `bellwire COMMAND --data_dir DIR`.
  std::string Command(absl::string_view command) const {
    return absl::StrCat("`bellwire ", command, " --data_dir ", server_.data_dir, "`");
  }

  bool CheckDirectory() {
    const FileFacts& directory = server_.directory;
    const auto is_closed = [](const FileFacts& file) { return file.error == EACCES; };
    if (is_closed(directory) ||
        std::any_of(server_.files.begin(), server_.files.end(), is_closed)) {
      Problem("NOT_PERMITTED", directory.path,
              absl::StrCat("this user may not look into ", directory.path),
              "run it as root, or as the user that the server runs as");
      return false;
    }
    if (!directory.exists() || !S_ISDIR(directory.mode)) {
      Problem("DATA_DIR_MISSING", directory.path,
              absl::StrCat("there is no data directory ", directory.path),
              absl::StrCat("name the right one with --data_dir, or make it once with ",
                           Command("init")));
      return false;
    }
    if (std::none_of(server_.files.begin(), server_.files.end(), HasContents)) {
      Problem("NOT_INITIALISED", directory.path,
              absl::StrCat("nothing of a server is in ", directory.path),
              absl::StrCat("make it once with ", Command("init"), ", or restore a backup"));
      return false;
    }
    CheckPrivate(Part::kServer, directory, "DATA_DIR_NOT_PRIVATE", findings_);
    return true;
  }

  static bool HasContents(const FileFacts& file) { return file.exists() && file.size > 0; }
  static bool IsNamed(const FileFacts& file, absl::string_view name) {
    return absl::EndsWith(file.path, absl::StrCat("/", name));
  }
  // Authorities' keys may be kept elsewhere, and servers do without ticket keys. A directory
  // without any authority's key is that of one daemon of a fleet, which lacks things on purpose: of
  // those only what the daemons have in common is missed.
  bool IsOptional(const FileFacts& file) const {
    const bool is_whole = std::any_of(
        server_.files.begin(), server_.files.end(),
        [](const FileFacts& other) { return IsNamed(other, "ca.key") && HasContents(other); });
    if (!is_whole && !file.exists() && !absl::StrContains(file.path, "/internal/")) return true;
    return IsNamed(file, "ca.key") || IsNamed(file, "ticket.keys");
  }

  void CheckFiles() {
    for (const FileFacts& file : server_.files) {
      if (!HasContents(file)) {
        if (IsOptional(file)) continue;
        const std::string what =
            absl::StrCat(file.exists() ? "nothing is in " : "there is no ", file.path);
        if (IsNamed(file, "token.keys")) {
          Problem("TOKEN_KEYS_LOST", file.path,
                  absl::StrCat(what, ": without it every device token is dead"),
                  "put it back from a backup; without one, `bellwire init --repair "
                  "--new_token_keys`, and every app has to register again");
        } else {
          Problem("FILE_MISSING", file.path, what,
                  absl::StrCat("put it back from a backup, or make it again with ",
                               Command("init --repair")));
        }
        continue;
      }
      if (!absl::EndsWith(file.path, ".pem")) {
        CheckPrivate(Part::kServer, file, "KEY_NOT_PRIVATE", findings_);
      }
      if (file.uid != server_.directory.uid && !absl::EndsWith(file.path, ".pem")) {
        Problem("KEY_OF_ANOTHER_USER", file.path,
                absl::StrCat(file.path, " belongs to user ", file.uid, ", its directory to user ",
                             server_.directory.uid, ": the server can't read it"),
                absl::StrCat("chown ", server_.directory.uid, " ", file.path,
                             "; run bellwire's commands as that user"));
      }
    }
  }

  void CheckCertificate(const CertificateFileFacts& file) {
    const CertificateFacts& certificate = file.certificate;
    const bool own =
        absl::EndsWith(file.path, "server.pem") || absl::EndsWith(file.path, "node.pem");
    const std::string renew =
        own ? Command("cert renew") + ", then send the server SIGHUP"
            : "docs/operate/operations.md, Certificates, says how a CA is renewed";
    if (!certificate.parsed) {
      const bool there =
          std::any_of(server_.files.begin(), server_.files.end(),
                      [&](const FileFacts& f) { return f.path == file.path && HasContents(f); });
      if (there) {
        Problem("CERTIFICATE_BROKEN", file.path,
                absl::StrCat(file.path, " is no certificate in PEM"),
                "put it back from a backup, or move it away and run " + Command("init --repair"));
      }
      return;
    }
    if (certificate.not_after <= now_) {
      Problem("CERTIFICATE_EXPIRED", file.path,
              absl::StrCat(file.path, " ended ", RenderTime(certificate.not_after)), renew);
    } else if (certificate.not_before > now_) {
      Problem("CERTIFICATE_NOT_YET_VALID", file.path,
              absl::StrCat(file.path, " is good from ", RenderTime(certificate.not_before),
                           " on, and ", "the clock says ", RenderTime(now_)),
              "set the clock (`timedatectl`); if it is right, " + renew);
    } else if (certificate.not_after - now_ < kExpiresSoon) {
      Say(Severity::kWarning, "CERTIFICATE_EXPIRES_SOON", file.path,
          absl::StrCat(file.path, " ends ", RenderTime(certificate.not_after), ", in ",
                       RenderDuration(certificate.not_after - now_)),
          renew);
    }
    if (!file.key_fits) {
      Problem("KEY_DOES_NOT_FIT", file.path,
              absl::StrCat(file.key_path, " is not the key of ", file.path),
              absl::StrCat(
                  "put the pair back from a backup, or make a new one: move both away and run ",
                  Command("init --repair")));
    }
    if (!file.issued_by_ca) {
      const bool internal = absl::StrContains(file.path, "/internal/");
      Say(internal ? Severity::kProblem : Severity::kWarning, "CERTIFICATE_OF_ANOTHER_CA",
          file.path, absl::StrCat(file.path, " was not issued by ", file.ca_path),
          internal
              ? "copy internal/ from the daemon that made it, or run " + Command("init --repair")
              : "if it is of another authority on purpose, give clients that one's CA; else move "
                "it away and run " +
                    Command("init --repair"));
    }
  }

  void CheckClock() {
    if (server_.newest_change <= now_ + kMaxClockDifference) return;
    Problem("CLOCK_BEHIND", server_.data_dir,
            absl::StrCat("files in ", server_.data_dir, " were changed ",
                         RenderDuration(server_.newest_change - now_),
                         " from now: this machine's clock went back to ", RenderTime(now_)),
            "set the clock (`timedatectl`) before the server starts: messages expire by it");
  }

  void CheckProcess() {
    if (!server_.process.has_value()) {
      if (!server_.connections.empty() &&
          std::any_of(server_.connections.begin(), server_.connections.end(),
                      [](const auto& c) { return c.failed == ConnectionFacts::Step::kNone; })) {
        return;  // A gateway or a connector: it has no store, and answers.
      }
      bool taken = false;
      for (const ListenerFacts& listener : server_.listeners) {
        const auto& usual = server_.usual_ports;
        if (std::find(usual.begin(), usual.end(), listener.port) == usual.end()) continue;
        if (absl::StartsWith(listener.name, "bellwire")) continue;
        taken = true;
        const std::string who = listener.pid != 0
                                    ? absl::StrCat(listener.name, " (pid ", listener.pid, ")")
                                    : absl::StrCat("a program of user ", listener.uid);
        Problem("PORT_TAKEN", absl::StrCat(listener.port),
                absl::StrCat("the server does not run, and ", who, " listens on its port ",
                             listener.port),
                "stop that program, or give the server another port (--provider_listen, "
                "--device_listen)");
      }
      if (taken) return;
      Problem("SERVER_NOT_RUNNING", server_.data_dir,
              absl::StrCat("no server uses ", server_.data_dir),
              absl::StrCat("`systemctl start bellwire`, or ", Command("serve"),
                           "; if it does not stay up, its last log lines say why (`journalctl -u "
                           "bellwire`)"));
      return;
    }
    const ProcessFacts& process = *server_.process;
    const std::string who = absl::StrCat("the server (", process.name, ", pid ", process.pid, ")");
    const std::string pid = absl::StrCat(process.pid);
    if (process.state == 'T' || process.state == 't') {
      Problem("SERVER_STOPPED", pid, absl::StrCat(who, " was stopped by a signal"),
              absl::StrCat("kill -CONT ", process.pid));
    }
    if (process.program_replaced) {
      Say(Severity::kWarning, "RESTART_NEEDED", pid,
          absl::StrCat(who, " runs a program that was replaced since it started"),
          "`systemctl restart bellwire`: an upgrade takes effect with the next start");
    }
    if (process.max_descriptors > 0 &&
        static_cast<double>(process.open_descriptors) >
            kDescriptorsNearlyUsed * static_cast<double>(process.max_descriptors)) {
      Say(Severity::kWarning, "DESCRIPTORS_NEARLY_USED", pid,
          absl::StrCat(who, " has ", process.open_descriptors, " of ", process.max_descriptors,
                       " descriptors open: it is about to refuse connections"),
          "raise LimitNOFILE of its unit (`ulimit -n`) and restart it; `ss -tnp` shows who "
          "connects");
    }
  }

  // That of --https_cert, which is of an authority that we don't know.
  void CheckPublicCertificate(const ConnectionFacts& c) {
    if (!c.ca_path.empty() || !c.certificate.has_value() || !c.certificate->parsed) return;
    const absl::Time end = c.certificate->not_after;
    if (end - now_ >= kPublicExpiresSoon) return;
    Say(end <= now_ ? Severity::kProblem : Severity::kWarning,
        end <= now_ ? "CERTIFICATE_EXPIRED" : "CERTIFICATE_EXPIRES_SOON", c.address,
        absl::StrCat("the certificate of port ", c.address, (end <= now_ ? " ended " : " ends "),
                     RenderTime(end)),
        "renew the files of --https_cert and --https_key (`certbot renew`), and send the server "
        "SIGHUP");
  }

  // A renewed certificate is taken up at SIGHUP only.
  void CheckServedCertificate() {
    for (const CertificateFileFacts& file : server_.certificates) {
      if (!absl::EndsWith(file.path, "/server.pem") || !file.certificate.parsed) continue;
      // No server takes it up, and it has a finding of its own.
      if (file.certificate.not_before > now_ || file.certificate.not_after <= now_) continue;
      for (const ConnectionFacts& c : server_.connections) {
        if (!c.certificate.has_value() || !c.certificate->parsed || c.ca_path.empty() ||
            c.certificate->fingerprint == file.certificate.fingerprint) {
          continue;
        }
        Say(Severity::kWarning, "CERTIFICATE_NOT_RELOADED", c.address,
            absl::StrCat("port ", c.address, " still shows an older certificate than ", file.path,
                         ", until ", RenderTime(c.certificate->not_after)),
            server_.process.has_value()
                ? absl::StrCat("send the server SIGHUP: kill -HUP ", server_.process->pid)
                : "send the server SIGHUP");
      }
    }
  }

  const ServerFacts& server_;
  const absl::Time now_;
  Findings* const findings_;
};

}  // namespace

void CheckServer(const ServerFacts& server, absl::Time now, Findings* findings) {
  ServerChecks(server, now, findings).Run();
}

}  // namespace bellwire::cli
