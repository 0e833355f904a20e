#ifndef BELLWIRE_CLI_FLEET_SIZING_H_
#define BELLWIRE_CLI_FLEET_SIZING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

// How large a fleet has to be. docs/operate/sizing.md states the formula and where each cost was
// measured; a test compares its table with these constants. Pure.
namespace bellwire::cli {

// What one unit of work costs. CPU is microseconds of one core of the machine of bench/RESULTS.md.
struct FleetCosts {
  // Memory of an idle connection: the connector's, and the kernel's.
  double connection_user_bytes = 14'699;
  double connection_kernel_bytes = 4'025;
  double heartbeat_us = 13.7;
  double full_login_us = 405;
  double resumed_login_us = 203;
  // A Send and its delivery, by part of the server.
  double send_gateway_us = 36;
  double message_registry_us = 25;
  double delivery_connector_us = 19;
  // Daemons that are apart speak gRPC with each other. An assumption, not measured.
  double apart_factor = 2;
  // Messages a second that one writer gets into PostgreSQL with a synchronous standby.
  double database_messages_per_second = 5'500;
  // What a database holds. Of PostgreSQL's tables with their indices.
  double database_device_bytes = 1'200;
  double database_message_bytes = 900;
  // The receipts of a message, and what GetMessage answers, for 7 days.
  double receipts_days = 7;
  // WAL of a message: what a standby gets, and an archive.
  double wal_message_bytes = 6'000;
  // Of a device in --database_cache_mib.
  double cached_device_bytes = 1'600;
};

struct SizingRequest {
  // Registered, and connected at the same time.
  double devices = 0;
  double messages_a_day = 0;
  // The busiest minute of a day, in averages.
  double peak = 5;
  // Mean silence between two heartbeats of a device.
  double heartbeat_seconds = 600;
  // Of a device: how often its connection breaks.
  double logins_a_day = 6;
  // Devices that get something within an hour: their records are held in memory.
  double active_share = 0.2;
  // A connector is dead: its devices are back within so long.
  double back_within_seconds = 120;
  // Of a machine for daemons.
  double cores = 8;
  double memory_gib = 32;
};

struct SizedRole {
  // "connectors"
  std::string role;
  // Enough with one of them dead.
  int count = 0;
  // Of each, at the peak, with one of them dead.
  double cores = 0;
  double memory_gib = 0;
  // What decides the number.
  std::string bound_by;
};

struct FleetSize {
  double messages_per_second = 0;
  double heartbeats_per_second = 0;
  double logins_per_second = 0;
  std::vector<SizedRole> roles;
  // Of each of three nodes.
  double database_disk_gib = 0;
  double wal_mib_per_second = 0;
  double archive_gib_a_day = 0;
  // Beyond what one primary was measured to take.
  bool beyond_one_primary = false;
};

// INVALID_ARGUMENT: a number that is none, or not positive.
absl::StatusOr<FleetSize> SizeFleet(const SizingRequest& request, const FleetCosts& costs = {});

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_FLEET_SIZING_H_
