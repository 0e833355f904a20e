#include "cli/doctor/facts/gather.h"

#include <unistd.h>

#include "cli/doctor/facts/gather_agent.h"
#include "cli/doctor/facts/gather_companion.h"
#include "cli/doctor/facts/gather_server.h"
#include "cli/doctor/facts/settings.h"
#include "common/version.h"
#include "device-agent/client/client.h"

namespace bellwire::cli {
namespace {

bool IsThere(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace

void AddBoxFlags(CLI::App* command, BoxFlags* flags) {
  const std::string server = "Server";
  command
      ->add_option("--data_dir", flags->data_dir,
                   "Data directory of the server [as server.conf says]")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->group(server);
  command
      ->add_option("--server", flags->server,
                   "Its provider port [those that the running server listens on]")
      ->type_name("HOST:PORT")
      ->envname("BELLWIRE_SERVER")
      ->group(server);
  command->add_option("--device", flags->device, "Its device port [the same]")
      ->type_name("HOST:PORT")
      ->group(server);
  command
      ->add_option("--admin", flags->admin,
                   "Its port for administrators (--admin_listen) [the same]")
      ->type_name("HOST:PORT")
      ->group(server);
  command
      ->add_option("--ca", flags->ca,
                   "PEM file of its CA, if it runs elsewhere [DATA_DIR/ca.pem, or the agent's]")
      ->type_name("FILE")
      ->envname("BELLWIRE_CA")
      ->group(server);
  command->add_option("--server_config", flags->server_config, "Its configuration file")
      ->type_name("FILE")
      ->capture_default_str()
      ->group(server);
  const std::string phone = "Phone";
  command->add_option("--socket", flags->socket, "Socket of the agent [/run/bellwire/agent.sock]")
      ->type_name("PATH")
      ->envname("BELLWIRE_AGENT_SOCKET")
      ->group(phone);
  command
      ->add_option("--agent_config", flags->agent_config,
                   "Configuration file of the agent, for an agent that does not run")
      ->type_name("FILE")
      ->capture_default_str()
      ->group(phone);
  command
      ->add_option("--companion_dir", flags->companion_dir,
                   "State of this user's companion [$XDG_STATE_HOME/bellwire]")
      ->type_name("DIR")
      ->group(phone);
}

Facts GatherFacts(const BoxFlags& flags, const Clock& clock) {
  Facts facts;
  facts.now = clock.WallNow();
  facts.our_version = kVersion;
  const Settings agent = Settings::FromFile(flags.agent_config);
  const std::string socket =
      flags.socket.empty() ? agent.Get("socket", agent::kDefaultSocketPath) : flags.socket;
  if (!flags.socket.empty() || !agent.empty() || IsThere(socket)) {
    facts.agent = GatherAgent({.socket_path = socket, .settings = agent}, clock);
  }
  const Settings server = Settings::FromFile(flags.server_config);
  ServerPlace place = {.data_dir = flags.data_dir.empty() ? server.Get("data_dir") : flags.data_dir,
                       .provider_address = flags.server,
                       .device_address = flags.device,
                       .admin_address = flags.admin,
                       .ca_path = flags.ca,
                       .settings = server};
  if (place.ca_path.empty() && facts.agent.has_value()) place.ca_path = facts.agent->ca_path;
  if (!place.data_dir.empty() || !flags.server.empty() || !flags.device.empty() ||
      !flags.admin.empty()) {
    facts.server = GatherServer(place, clock);
  }
  facts.companion = GatherCompanion(flags.companion_dir, clock);
  return facts;
}

}  // namespace bellwire::cli
