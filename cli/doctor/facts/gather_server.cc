#include "cli/doctor/facts/gather_server.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/doctor/facts/certificate_facts.h"
#include "cli/doctor/facts/file_facts.h"
#include "cli/doctor/facts/gather_bounds.h"
#include "cli/doctor/facts/probe.h"
#include "cli/doctor/facts/process_table.h"
#include "common/host_port.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "ops/data_dir.h"

namespace bellwire::cli {
namespace {

using Step = ConnectionFacts::Step;
using Kind = ConnectionFacts::Kind;

constexpr uint16_t kProviderPort = 7443;
constexpr uint16_t kDevicePort = 7444;

std::string TextOf(const std::string& path) { return ReadWholeFile(path).value_or(""); }

CertificateFileFacts ReadCertificate(const std::string& path, const std::string& key_path,
                                     const std::string& ca_path) {
  CertificateFileFacts facts;
  facts.path = path;
  const std::string pem = TextOf(path);
  facts.certificate = FactsOfPem(pem);
  if (!facts.certificate.parsed) return facts;
  // What is missing has a finding of its own.
  if (const std::string key = TextOf(key_path); !key.empty()) {
    facts.key_path = key_path;
    facts.key_fits = IsPair(pem, key);
  }
  if (const std::string ca = TextOf(ca_path); FactsOfPem(ca).parsed) {
    facts.ca_path = ca_path;
    facts.issued_by_ca = IsIssuedBy(pem, ca);
  }
  return facts;
}

absl::Time NewestChange(const std::string& directory) {
  namespace fs = std::filesystem;
  absl::Time newest = absl::InfinitePast();
  std::error_code error;
  int looked_at = 0;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (++looked_at > kMaxFilesLookedAt) break;
    const FileFacts file = ReadFileFacts(entry->path().string());
    if (file.exists()) newest = std::max(newest, file.modified);
  }
  return newest;
}

uint16_t PortOf(const std::string& address, uint16_t otherwise) {
  const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  return parsed.ok() && parsed->port != 0 ? parsed->port : otherwise;
}

class ServerGatherer {
 public:
  ServerGatherer(const ServerPlace& place, const Clock& clock)
      : place_(place), clock_(clock), dir_(place.data_dir) {}

  ServerFacts Run() {
    facts_.data_dir = place_.data_dir;
    if (place_.data_dir.empty()) {
      ProbeNamedPorts();
      return std::move(facts_);
    }
    facts_.directory = ReadFileFacts(place_.data_dir);
    if (!facts_.directory.exists()) return std::move(facts_);
    for (const std::string& name : DataDir::KeyFiles()) {
      facts_.files.push_back(ReadFileFacts(absl::StrCat(place_.data_dir, "/", name)));
    }
    facts_.certificates = {
        ReadCertificate(dir_.server_certificate(), dir_.server_key(), dir_.ca_certificate()),
        ReadCertificate(dir_.ca_certificate(), dir_.ca_key(), ""),
        ReadCertificate(dir_.internal_node_certificate(), dir_.internal_node_key(),
                        dir_.internal_ca_certificate()),
        ReadCertificate(dir_.internal_ca_certificate(), dir_.internal_ca_key(), "")};
    facts_.disk = ReadDiskFacts(place_.data_dir);
    facts_.newest_change = NewestChange(place_.data_dir);
    FindProcess();
    const Settings settings = facts_.process.has_value()
                                  ? Settings::FromArguments(facts_.process->arguments)
                                  : place_.settings;
    facts_.usual_ports = {
        PortOf(place_.provider_address, PortOf(settings.Get("provider_listen"), kProviderPort)),
        PortOf(place_.device_address, PortOf(settings.Get("device_listen"), kDevicePort))};
    admin_port_ = PortOf(place_.admin_address, PortOf(settings.Get("admin_listen"), 0));
    if (admin_port_ != 0) facts_.usual_ports.push_back(admin_port_);
    facts_.listeners = ListeningPorts();
    // In clear text, for a proxy and for Prometheus; and a page, which has no /readyz.
    other_ports_ = {PortOf(settings.Get("http_listen"), 0),
                    PortOf(settings.Get("metrics_listen"), 0),
                    PortOf(settings.Get("console_listen"), 0)};
    https_port_ = PortOf(settings.Get("https_listen"), 0);
    has_public_certificate_ = !settings.Get("https_cert").empty();
    ProbePorts();
    return std::move(facts_);
  }

 private:
  // Who has the store open; or, as gateways and connectors have none, a daemon that was started
  // with this directory.
  void FindProcess() {
    for (const pid_t pid : ProcessesWithOpen(dir_.registry() + "/bellwire.lock")) {
      facts_.process = ReadProcess(pid, clock_);
      if (facts_.process.has_value()) return;
    }
    for (const pid_t pid : ProcessesNamed("bellwire-")) {
      std::optional<ProcessFacts> daemon = ReadProcess(pid, clock_);
      if (!daemon.has_value() ||
          Settings::FromArguments(daemon->arguments).Get("data_dir") != place_.data_dir) {
        continue;
      }
      facts_.process = std::move(daemon);
      return;
    }
  }

  // Any name that the certificate has: which ones clients use is theirs to say.
  std::string ServerName() const {
    if (place_.data_dir.empty()) return "";
    const auto& names = facts_.certificates[0].certificate.names;
    return names.empty() ? "localhost" : names[0];
  }

  ConnectionFacts Look(Kind kind, const std::string& address, bool is_public = false) const {
    std::string ca_path = place_.ca_path;
    if (!place_.data_dir.empty()) {
      ca_path = facts_.certificates[1].certificate.parsed ? dir_.ca_certificate() : "";
    }
    return Probe({.kind = kind,
                  .address = address,
                  .server_name = ServerName(),
                  .ca_path = is_public ? "" : ca_path},
                 clock_);
  }

  void ProbeNamedPorts() {
    if (!place_.provider_address.empty()) {
      facts_.connections.push_back(Look(Kind::kProviderPort, place_.provider_address));
    }
    if (!place_.device_address.empty()) {
      facts_.connections.push_back(Look(Kind::kDevicePort, place_.device_address));
    }
    if (!place_.admin_address.empty()) {
      facts_.connections.push_back(Look(Kind::kAdminPort, place_.admin_address));
    }
  }

  void ProbePorts() {
    const bool named = !place_.provider_address.empty() || !place_.device_address.empty() ||
                       !place_.admin_address.empty();
    if (named && (facts_.process.has_value() || IsOurs())) return ProbeNamedPorts();
    if (!facts_.process.has_value()) return;
    size_t probed = 0;
    for (const ListenerFacts& listener : facts_.listeners) {
      if (listener.pid != facts_.process->pid || ++probed > kMaxPortsProbed) continue;
      if (std::find(other_ports_.begin(), other_ports_.end(), listener.port) !=
          other_ports_.end()) {
        continue;
      }
      const bool v6 = absl::StrContains(listener.host, ':');
      const std::string address =
          absl::StrCat(v6 ? "[" : "", listener.host, v6 ? "]" : "", ":", listener.port);
      const bool is_public = has_public_certificate_ && listener.port == https_port_;
      ConnectionFacts facts = Look(Kind::kDevicePort, address, is_public);
      if (facts.failed == Step::kProtocol) {
        facts = Look(listener.port == admin_port_ ? Kind::kAdminPort : Kind::kProviderPort, address,
                     is_public);
      }
      // Ports of other kinds: clear text for a proxy, or the daemons' own.
      if (facts.failed == Step::kProtocol || facts.not_tls) continue;
      facts_.connections.push_back(std::move(facts));
    }
  }

  // Whether a daemon of ours listens on the ports that were named: one without a store.
  bool IsOurs() const {
    return std::any_of(facts_.listeners.begin(), facts_.listeners.end(), [&](const auto& listener) {
      return std::find(facts_.usual_ports.begin(), facts_.usual_ports.end(), listener.port) !=
                 facts_.usual_ports.end() &&
             absl::StartsWith(listener.name, "bellwire");
    });
  }

  const ServerPlace& place_;
  const Clock& clock_;
  const DataDir dir_;
  std::vector<uint16_t> other_ports_;
  // 0: the provider port is for administrators too.
  uint16_t admin_port_ = 0;
  uint16_t https_port_ = 0;
  bool has_public_certificate_ = false;
  ServerFacts facts_;
};

}  // namespace

ServerFacts GatherServer(const ServerPlace& place, const Clock& clock) {
  return ServerGatherer(place, clock).Run();
}

}  // namespace bellwire::cli
