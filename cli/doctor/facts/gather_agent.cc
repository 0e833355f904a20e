#include "cli/doctor/facts/gather_agent.h"

#include "cli/doctor/facts/certificate_facts.h"
#include "cli/doctor/facts/file_facts.h"
#include "cli/doctor/facts/gather_bounds.h"
#include "cli/doctor/facts/probe.h"
#include "cli/doctor/facts/process_table.h"
#include "crypto/file_util.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "device-agent/client/client.h"

namespace bellwire::cli {
namespace {

constexpr char kUsualStateDir[] = "/var/lib/bellwire-agent";

void AskAgent(const AgentPlace& place, const Clock& clock, AgentFacts* facts) {
  facts->socket_path = place.socket_path;
  facts->socket = ReadFileFacts(place.socket_path);
  if (!facts->socket.exists()) return;
  pid_t pid = 0;
  facts->connect_error = ConnectToUnixSocket(place.socket_path, &pid);
  if (pid > 0) facts->process = ReadProcess(pid, clock);
  if (facts->connect_error != 0) return;
  auto status = agent::FetchAgentStatus(place.socket_path, kAgentPatience);
  facts->answered = status.ok();
  if (status.ok()) {
    facts->status = *std::move(status);
  } else {
    facts->error = std::string(status.status().message());
  }
}

void ReadSettings(const AgentPlace& place, AgentFacts* facts) {
  Settings settings = place.settings;
  if (facts->process.has_value()) {
    const Settings running = Settings::FromArguments(facts->process->arguments);
    if (!running.All("server").empty()) settings = running;
  }
  facts->servers = settings.All("server");
  facts->ca_path = settings.Get("ca");
  facts->pin = settings.Get("pin");
  facts->server_name = settings.Get("server_name");
  facts->state_dir = settings.Get("state_dir", kUsualStateDir);
}

void LookAtFiles(AgentFacts* facts) {
  if (!facts->ca_path.empty()) {
    facts->ca = ReadFileFacts(facts->ca_path);
    facts->ca_parsed = FactsOfPem(ReadWholeFile(facts->ca_path).value_or("")).parsed;
  }
  const FileFacts directory = ReadFileFacts(facts->state_dir);
  if (!directory.exists()) return;
  facts->state_directory = directory;
  facts->disk = ReadDiskFacts(facts->state_dir);
  const std::string key_path = facts->state_dir + "/device.key";
  facts->device_key = ReadFileFacts(key_path);
  if (!facts->device_key->exists()) return;
  const auto pem = ReadWholeFile(key_path);
  if (!pem.ok()) return;  // Another user's; who may not read it can't tell.
  const EvpPkeyPtr key = ParsePrivateKeyPem(*pem);
  facts->device_key_parsed = key != nullptr && IsP256(key.get());
}

}  // namespace

AgentFacts GatherAgent(const AgentPlace& place, const Clock& clock) {
  AgentFacts facts;
  AskAgent(place, clock, &facts);
  ReadSettings(place, &facts);
  LookAtFiles(&facts);
  const std::string ca = facts.ca_parsed ? facts.ca_path : "";
  for (const std::string& server : facts.servers) {
    facts.paths.push_back(Probe({.kind = ConnectionFacts::Kind::kDevicePort,
                                 .address = server,
                                 .server_name = facts.server_name,
                                 .ca_path = ca,
                                 .pin = facts.pin},
                                clock));
  }
  return facts;
}

}  // namespace bellwire::cli
