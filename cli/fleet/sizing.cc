#include "cli/fleet/sizing.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bellwire::cli {
namespace {

constexpr double kSecondsADay = 86'400;
constexpr double kGib = 1024.0 * 1024 * 1024;
constexpr double kMib = 1024.0 * 1024;
// Of the cores and the memory of a machine: the rest is for the system, for a build-up, for a bad
// neighbour.
constexpr double kUsable = 0.7;
// Four writers reached twice what one did (docs/operate/sizing.md): a primary takes no more.
constexpr double kWritersOfOnePrimary = 2;
// Fewer are no fleet: one of them may die.
constexpr double kFewest = 2;
// Of a registry and a gateway beside what depends on the load.
constexpr double kDaemonBytes = 256 * kMib;

// A resource that bounds how many machines are needed.
struct Need {
  std::string name;
  // Machines that would just do.
  double machines = 0;
};

// As many as the greatest need, and one that may be dead.
SizedRole RoleOf(std::string role, const std::vector<Need>& needs) {
  const Need& worst =
      *std::max_element(needs.begin(), needs.end(),
                        [](const Need& a, const Need& b) { return a.machines < b.machines; });
  SizedRole planned{.role = std::move(role)};
  planned.count = static_cast<int>(std::max(std::ceil(worst.machines) + 1, kFewest));
  planned.bound_by = worst.machines <= 1 ? "one may be dead" : worst.name;
  return planned;
}

absl::Status CheckNumbers(const SizingRequest& request) {
  const std::pair<const char*, double> numbers[] = {
      {"--devices", request.devices},
      {"--messages_a_day", request.messages_a_day},
      {"--peak", request.peak},
      {"--heartbeat_seconds", request.heartbeat_seconds},
      {"--logins_a_day", request.logins_a_day},
      {"--active_share", request.active_share},
      {"--cores", request.cores},
      {"--memory_gib", request.memory_gib},
      {"--back_within_seconds", request.back_within_seconds},
  };
  for (const auto& [flag, number] : numbers) {
    if (!std::isfinite(number) || number <= 0) {
      return absl::InvalidArgumentError(absl::StrCat(flag, ": a number greater than 0"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FleetSize> SizeFleet(const SizingRequest& request, const FleetCosts& costs) {
  if (absl::Status checked = CheckNumbers(request); !checked.ok()) return checked;
  FleetSize plan;
  plan.messages_per_second = request.messages_a_day / kSecondsADay * request.peak;
  plan.heartbeats_per_second = request.devices / request.heartbeat_seconds;
  plan.logins_per_second = request.devices * request.logins_a_day / kSecondsADay * request.peak;

  const double usable_cores = request.cores * kUsable;
  const double usable_bytes = request.memory_gib * kGib * kUsable;
  const auto cores_of = [](double per_second, double us) { return per_second * us / 1e6; };

  // Connectors: idle connections, their heartbeats, and what comes over them.
  const double connection_bytes = costs.connection_user_bytes + costs.connection_kernel_bytes;
  const double connector_cores =
      cores_of(plan.heartbeats_per_second, costs.heartbeat_us) +
      cores_of(plan.logins_per_second, costs.resumed_login_us) +
      cores_of(plan.messages_per_second, costs.delivery_connector_us * costs.apart_factor);
  SizedRole connectors = RoleOf(
      "connectors", {{"memory of connections", request.devices * connection_bytes / usable_bytes},
                     {"CPU", connector_cores / usable_cores}});
  // The devices of a dead one log in at the others: with n of them, devices / n within the time.
  const double logins_of_one = usable_cores * 1e6 / costs.full_login_us;
  while (true) {
    const double alive = connectors.count - 1;
    const double back = request.devices / connectors.count / request.back_within_seconds / alive;
    const double busy = connector_cores / alive / usable_cores;
    if (busy < 1 && back <= logins_of_one * (1 - busy)) break;
    ++connectors.count;
    connectors.bound_by = "logins after the loss of one";
  }
  connectors.cores = connector_cores / (connectors.count - 1);
  connectors.memory_gib = request.devices * connection_bytes / (connectors.count - 1) / kGib;

  // Gateways: no state.
  const double gateway_cores =
      cores_of(plan.messages_per_second, costs.send_gateway_us * costs.apart_factor);
  SizedRole gateways = RoleOf("gateways", {{"CPU", gateway_cores / usable_cores}});
  gateways.cores = gateway_cores / (gateways.count - 1);
  gateways.memory_gib = kDaemonBytes / kGib;

  // Registries: the writer, and devices that are held in memory.
  const double registry_cores =
      cores_of(plan.messages_per_second, costs.message_registry_us * costs.apart_factor);
  const double cache_bytes = request.devices * request.active_share * costs.cached_device_bytes;
  SizedRole registries = RoleOf(
      "registries",
      {{"CPU", registry_cores / usable_cores},
       {"memory of active devices", cache_bytes / usable_bytes},
       {"commits of one writer", plan.messages_per_second / costs.database_messages_per_second}});
  registries.cores = registry_cores / (registries.count - 1);
  registries.memory_gib = (cache_bytes / (registries.count - 1) + kDaemonBytes) / kGib;

  SizedRole databases{.role = "PostgreSQL nodes",
                      .count = 3,
                      .cores = request.cores,
                      .memory_gib = request.memory_gib,
                      .bound_by = "a primary, a synchronous standby, and one that may be dead"};
  plan.beyond_one_primary =
      plan.messages_per_second > kWritersOfOnePrimary * costs.database_messages_per_second;
  plan.database_disk_gib =
      (request.devices * costs.database_device_bytes +
       request.messages_a_day * costs.receipts_days * costs.database_message_bytes) /
      kUsable / kGib;
  plan.wal_mib_per_second = plan.messages_per_second * costs.wal_message_bytes / kMib;
  plan.archive_gib_a_day = request.messages_a_day * costs.wal_message_bytes / kGib;
  plan.roles = {std::move(connectors), std::move(gateways), std::move(registries),
                std::move(databases)};
  return plan;
}

}  // namespace bellwire::cli
