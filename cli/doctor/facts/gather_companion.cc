#include "cli/doctor/facts/gather_companion.h"

#include <errno.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/doctor/facts/file_facts.h"
#include "cli/doctor/facts/process_table.h"
#include "device-agent/companion/browser/browser_door.h"
#include "device-agent/companion/state_directory.h"

namespace bellwire::cli {
namespace {

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As D-Bus clients find it.
std::string BusAddress() {
  const std::string named = Environment("DBUS_SESSION_BUS_ADDRESS");
  if (!named.empty()) return named;
  const std::string runtime_dir = Environment("XDG_RUNTIME_DIR");
  if (runtime_dir.empty() || !ReadFileFacts(runtime_dir + "/bus").exists()) return "";
  return absl::StrCat("unix:path=", runtime_dir, "/bus");
}

}  // namespace

std::string SocketOfBusAddress(absl::string_view address) {
  // The first of several.
  address = address.substr(0, address.find(';'));
  if (!absl::ConsumePrefix(&address, "unix:")) return "";
  for (absl::string_view part : absl::StrSplit(address, ',')) {
    if (absl::ConsumePrefix(&part, "path=")) return std::string(part);
    if (absl::ConsumePrefix(&part, "abstract=")) return absl::StrCat("@", part);
  }
  return "";
}

std::optional<CompanionFacts> GatherCompanion(const std::string& state_dir, const Clock& clock) {
  CompanionFacts facts;
  facts.state_dir = state_dir.empty() ? companion::DefaultStateDirectory() : state_dir;
  if (facts.state_dir.empty()) return std::nullopt;
  facts.directory = ReadFileFacts(facts.state_dir);
  if (!facts.directory.exists()) {
    if (state_dir.empty()) return std::nullopt;
    return facts;
  }
  facts.disk = ReadDiskFacts(facts.state_dir);
  facts.bus_address = BusAddress();
  if (!facts.bus_address.empty()) {
    const std::string socket = SocketOfBusAddress(facts.bus_address);
    // Another transport than a Unix socket is nobody's default; its peer is not asked.
    facts.bus_error = socket.empty() ? 0 : ConnectToUnixSocket(socket);
  }
  for (const pid_t pid : ProcessesWithOpen(facts.state_dir + "/subscriptions.db")) {
    facts.process = ReadProcess(pid, clock);
    if (facts.process.has_value()) break;
  }
  const std::string door_path = companion::BrowserDoorPath(facts.state_dir);
  facts.browser_door = ReadFileFacts(door_path);
  if (!facts.browser_door.exists()) return facts;
  // There is one, so none is made.
  const auto door = companion::LoadOrCreateBrowserDoor(door_path);
  if (door.ok()) facts.browser_port = door->port;
  for (const ListenerFacts& listener : ListeningPorts()) {
    if (facts.browser_port != 0 && listener.port == facts.browser_port) {
      facts.browser_listener = listener;
    }
  }
  return facts;
}

}  // namespace bellwire::cli
