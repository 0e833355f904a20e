#include "cli/status/status_page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/doctor/report.h"

namespace bellwire::cli {
namespace {

using Step = ConnectionFacts::Step;
using Kind = ConnectionFacts::Kind;
using AgentStatus = agent::v1::Status;

std::string Gigabytes(uint64_t bytes) {
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / (1024.0 * 1024 * 1024));
}

// "1 message", "2 messages".
std::string Count(uint64_t n, absl::string_view thing) {
  return absl::StrCat(n, " ", thing, n == 1 ? "" : "s");
}

std::string ProcessLine(const ProcessFacts& process, absl::Time now) {
  return absl::StrCat("pid ", process.pid, ", for ", RenderDuration(now - process.started));
}

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kDevicePort:
      return "device";
    case Kind::kProviderPort:
      return "provider";
    case Kind::kAdminPort:
      return "admin";
  }
  return "";
}

// That of the ports; nullptr: none is known.
const CertificateFacts* ServerCertificate(const ServerFacts& server) {
  if (server.certificates.empty() || !server.certificates[0].certificate.parsed) return nullptr;
  return &server.certificates[0].certificate;
}

StatusBlock ServerBlock(const ServerFacts& server, absl::Time now) {
  StatusBlock block = {.part = Part::kServer};
  const bool all_answer = std::all_of(server.connections.begin(), server.connections.end(),
                                      [](const auto& c) { return c.failed == Step::kNone; });
  const bool runs = server.process.has_value() || !server.connections.empty();
  block.good = runs && all_answer;
  block.state = !runs ? "not running" : all_answer ? "running" : "does not serve";
  if (server.process.has_value()) block.lines.push_back(ProcessLine(*server.process, now));
  if (!server.data_dir.empty()) block.lines.push_back(server.data_dir);
  for (const ConnectionFacts& connection : server.connections) {
    block.lines.push_back(
        absl::StrCat(KindName(connection.kind), " port ", connection.address,
                     connection.failed == Step::kNone ? " answers" : " does not answer well"));
  }
  if (!server.data_dir.empty() && server.disk.error == 0) {
    block.lines.push_back(absl::StrCat(Gigabytes(server.disk.free_bytes), " of ",
                                       Gigabytes(server.disk.total_bytes), " disk free"));
  }
  if (const CertificateFacts* const certificate = ServerCertificate(server)) {
    block.lines.push_back(
        absl::StrCat("certificate until ",
                     absl::FormatTime("%Y-%m-%d", certificate->not_after, absl::LocalTimeZone())));
  }
  return block;
}

StatusBlock AgentBlock(const AgentFacts& agent, absl::Time now) {
  StatusBlock block = {.part = Part::kAgent};
  if (!agent.answered) {
    block.state =
        agent.socket.exists() && agent.connect_error == 0 ? "does not answer" : "not running";
    block.lines.push_back(agent.socket_path);
    return block;
  }
  const AgentStatus& status = agent.status;
  block.good = status.connection() == AgentStatus::CONNECTED;
  block.state = block.good                                       ? "connected"
                : status.connection() == AgentStatus::CONNECTING ? "connecting"
                                                                 : "not connected";
  std::string server = absl::StrCat("to ", status.server_address());
  if (block.good && status.connected_since_ms() != 0) {
    absl::StrAppend(&server, ", for ",
                    RenderDuration(now - absl::FromUnixMillis(status.connected_since_ms())));
  }
  block.lines.push_back(std::move(server));
  if (status.heartbeat_interval_ms() != 0) {
    block.lines.push_back(absl::StrCat(
        "heartbeat every ", RenderDuration(absl::Milliseconds(status.heartbeat_interval_ms()))));
  }
  const auto running = std::count_if(status.apps().begin(), status.apps().end(),
                                     [](const auto& app) { return app.connected(); });
  block.lines.push_back(absl::StrCat(
      Count(static_cast<uint64_t>(status.apps_size()), "app"), ", ", running, " running; ",
      Count(static_cast<uint64_t>(status.subscriptions_size()), "subscription")));
  block.lines.push_back(absl::StrCat(Count(status.inbox_messages(), "message"), " on this phone ",
                                     status.inbox_messages() == 1 ? "waits" : "wait",
                                     " for an app"));
  return block;
}

StatusBlock CompanionBlock(const CompanionFacts& companion, absl::Time now) {
  StatusBlock block = {.part = Part::kCompanion};
  block.good = companion.process.has_value();
  block.state = block.good ? "running" : "not running";
  if (block.good) block.lines.push_back(ProcessLine(*companion.process, now));
  block.lines.push_back(companion.state_dir);
  return block;
}

nlohmann::ordered_json Json(const ServerFacts& server) {
  nlohmann::ordered_json json;
  if (!server.data_dir.empty()) {
    json["data_dir"] = server.data_dir;
    json["running"] = server.process.has_value();
    if (server.process.has_value()) {
      json["pid"] = server.process->pid;
      json["started"] = RenderTimeForJson(server.process->started);
    }
    if (server.disk.error == 0) {
      json["disk_free_bytes"] = server.disk.free_bytes;
      json["disk_total_bytes"] = server.disk.total_bytes;
    }
  }
  if (const CertificateFacts* const certificate = ServerCertificate(server)) {
    json["certificate_ends"] = RenderTimeForJson(certificate->not_after);
  }
  json["ports"] = nlohmann::ordered_json::array();
  for (const ConnectionFacts& connection : server.connections) {
    json["ports"].push_back({{"kind", KindName(connection.kind)},
                             {"address", connection.address},
                             {"ok", connection.failed == Step::kNone}});
  }
  return json;
}

nlohmann::ordered_json Json(const AgentFacts& agent) {
  nlohmann::ordered_json json = {{"socket", agent.socket_path}, {"running", agent.answered}};
  if (!agent.answered) return json;
  json["version"] = agent.status.agent_version();
  json["connection"] = AgentStatus::Connection_Name(agent.status.connection());
  json["server"] = agent.status.server_address();
  json["heartbeat_interval_ms"] = agent.status.heartbeat_interval_ms();
  json["apps"] = agent.status.apps_size();
  json["subscriptions"] = agent.status.subscriptions_size();
  json["inbox_messages"] = agent.status.inbox_messages();
  return json;
}

nlohmann::ordered_json Json(const CompanionFacts& companion) {
  nlohmann::ordered_json json = {{"state_dir", companion.state_dir},
                                 {"running", companion.process.has_value()}};
  if (companion.process.has_value()) json["pid"] = companion.process->pid;
  return json;
}

// Short facts, as many on a line as fit.
std::vector<std::string> Joined(const std::vector<std::string>& facts, size_t columns) {
  std::vector<std::string> lines;
  for (const std::string& fact : facts) {
    if (lines.empty() || lines.back().size() + 2 + fact.size() > columns) {
      lines.push_back(fact);
    } else {
      absl::StrAppend(&lines.back(), "; ", fact);
    }
  }
  return lines;
}

}  // namespace

std::vector<StatusBlock> StatusBlocks(const Facts& facts) {
  std::vector<StatusBlock> blocks;
  if (facts.server.has_value()) blocks.push_back(ServerBlock(*facts.server, facts.now));
  if (facts.agent.has_value()) blocks.push_back(AgentBlock(*facts.agent, facts.now));
  if (facts.companion.has_value()) blocks.push_back(CompanionBlock(*facts.companion, facts.now));
  return blocks;
}

void PrintStatus(const Facts& facts, const Findings& findings, Terminal& out) {
  constexpr size_t kNameColumns = 11;
  constexpr size_t kStateColumns = 15;
  for (const StatusBlock& block : StatusBlocks(facts)) {
    const std::string name(PartName(block.part));
    std::string left =
        absl::StrCat(name, std::string(kNameColumns - name.size(), ' '),
                     block.good ? out.Good(block.state) : out.Bad(block.state),
                     std::string(kStateColumns - std::min(kStateColumns, block.state.size()), ' '));
    for (const std::string& line :
         Joined(block.lines, kPageColumns - kNameColumns - kStateColumns)) {
      out.Line(absl::StrCat(left, line));
      left = std::string(kNameColumns + kStateColumns, ' ');
    }
  }
  out.Line();
  if (findings.empty()) {
    out.Line(absl::StrCat(out.Good("healthy"), "  nothing to do"));
    return;
  }
  const size_t shown = std::min(findings.size(), kFindingsOnPage);
  PrintFindings(Findings(findings.begin(), findings.begin() + static_cast<ptrdiff_t>(shown)), out);
  if (shown < findings.size()) {
    out.Line(absl::StrCat("… and ", findings.size() - shown, " more: bellwire doctor"));
  }
}

nlohmann::ordered_json StatusJson(const Facts& facts, const Findings& findings) {
  nlohmann::ordered_json json = {{"version", facts.our_version},
                                 {"time", RenderTimeForJson(facts.now)}};
  if (facts.server.has_value()) json["server"] = Json(*facts.server);
  if (facts.agent.has_value()) json["agent"] = Json(*facts.agent);
  if (facts.companion.has_value()) json["companion"] = Json(*facts.companion);
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) json["findings"].push_back(ToJson(finding));
  return json;
}

}  // namespace bellwire::cli
