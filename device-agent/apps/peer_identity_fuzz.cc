// What an app in a sandbox can write into its /.flatpak-info, and what a cgroup may be called.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "device-agent/apps/peer_identity.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cgroup = bellwire::agent::SandboxOfCgroup(text);
  if (!cgroup.empty() && !absl::StartsWith(cgroup, "flatpak:") &&
      !absl::StartsWith(cgroup, "snap:") && !absl::StartsWith(cgroup, "unit:")) {
    std::abort();
  }
  const auto flatpak = bellwire::agent::SandboxOfFlatpakInfo(text);
  if (!flatpak.empty() && !absl::StartsWith(flatpak, "flatpak:")) std::abort();
  return 0;
}
