#include "cli/fleet/sizing.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

FleetSize Plan(SizingRequest request) {
  const auto plan = SizeFleet(request);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.value_or(FleetSize());
}

const SizedRole& Role(const FleetSize& plan, const std::string& name) {
  for (const SizedRole& role : plan.roles) {
    if (role.role == name) return role;
  }
  ADD_FAILURE() << "there are no " << name;
  static const SizedRole none;
  return none;
}

TEST(SizingTest, RatesAreThoseOfThePeak) {
  const FleetSize plan = Plan({.devices = 864'000, .messages_a_day = 8'640'000, .peak = 3});
  EXPECT_DOUBLE_EQ(plan.messages_per_second, 300);
  EXPECT_DOUBLE_EQ(plan.heartbeats_per_second, 1440);
  EXPECT_DOUBLE_EQ(plan.logins_per_second, 180);
}

TEST(SizingTest, ASmallFleetHasTwoOfEach) {
  const FleetSize plan = Plan({.devices = 10'000, .messages_a_day = 100'000});
  for (const char* role : {"connectors", "gateways", "registries"}) {
    EXPECT_EQ(Role(plan, role).count, 2) << role;
    EXPECT_EQ(Role(plan, role).bound_by, "one may be dead") << role;
  }
  EXPECT_EQ(Role(plan, "PostgreSQL nodes").count, 3);
  EXPECT_FALSE(plan.beyond_one_primary);
}

// Each costs what was measured: one less would not do with one of them dead.
TEST(SizingTest, WithOneDeadTheOthersHaveRoom) {
  for (const double devices : {1e6, 1e7, 1e8}) {
    const SizingRequest request{.devices = devices, .messages_a_day = devices * 20};
    const FleetSize plan = Plan(request);
    for (const char* name : {"connectors", "gateways", "registries"}) {
      const SizedRole& role = Role(plan, name);
      EXPECT_LE(role.cores, request.cores * 0.7) << devices << " " << name;
      EXPECT_LE(role.memory_gib, request.memory_gib * 0.7 + 0.25) << devices << " " << name;
    }
    const SizedRole& connectors = Role(plan, "connectors");
    // All connections of the living ones.
    EXPECT_NEAR(connectors.memory_gib * (connectors.count - 1) * 1024 * 1024 * 1024,
                devices * (14'699 + 4'025), devices);
  }
}

TEST(SizingTest, MoreOfAnythingNeverNeedsLess) {
  const SizingRequest base{.devices = 2e6, .messages_a_day = 5e7};
  const FleetSize before = Plan(base);
  for (double SizingRequest::*field :
       {&SizingRequest::devices, &SizingRequest::messages_a_day, &SizingRequest::peak,
        &SizingRequest::logins_a_day, &SizingRequest::active_share}) {
    SizingRequest more = base;
    more.*field *= 4;
    const FleetSize after = Plan(more);
    for (size_t i = 0; i < before.roles.size(); ++i) {
      EXPECT_GE(after.roles[i].count, before.roles[i].count) << before.roles[i].role;
    }
    EXPECT_GE(after.database_disk_gib, before.database_disk_gib);
  }
}

TEST(SizingTest, ALostConnectorsDevicesAreBackInTime) {
  SizingRequest request{.devices = 2e6, .messages_a_day = 1e6, .memory_gib = 512};
  request.back_within_seconds = 5;
  const SizedRole connectors = Role(Plan(request), "connectors");
  EXPECT_EQ(connectors.bound_by, "logins after the loss of one");
  const double back = request.devices / connectors.count / request.back_within_seconds;
  EXPECT_LE(back / (connectors.count - 1), 8 * 0.7 * 1e6 / 405);
}

TEST(SizingTest, SaysWhenOnePrimaryIsTooSmall) {
  EXPECT_TRUE(Plan({.devices = 1e8, .messages_a_day = 2e9}).beyond_one_primary);
  EXPECT_FALSE(Plan({.devices = 1e6, .messages_a_day = 2e7}).beyond_one_primary);
}

TEST(SizingTest, NumbersThatAreNoneAreRefused) {
  for (const double wrong : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(SizeFleet({.devices = wrong, .messages_a_day = 1}).ok()) << wrong;
    EXPECT_FALSE(SizeFleet({.devices = 1, .messages_a_day = wrong}).ok()) << wrong;
    EXPECT_FALSE(SizeFleet({.devices = 1, .messages_a_day = 1, .cores = wrong}).ok()) << wrong;
  }
}

// docs/operate/sizing.md has the constants and the examples.
TEST(SizingTest, ThePageSaysTheSame) {
  std::ifstream file("docs/operate/sizing.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  ASSERT_FALSE(page.empty());
  const FleetCosts costs;
  for (const double cost :
       {costs.connection_user_bytes, costs.connection_kernel_bytes, costs.heartbeat_us,
        costs.full_login_us, costs.resumed_login_us, costs.send_gateway_us,
        costs.message_registry_us, costs.delivery_connector_us, costs.apart_factor,
        costs.database_messages_per_second, costs.database_device_bytes,
        costs.database_message_bytes, costs.wal_message_bytes, costs.cached_device_bytes}) {
    EXPECT_NE(page.find(absl::StrCat("| ", cost, " |")), std::string::npos) << cost;
  }
  for (const double devices : {1e6, 1e7, 1e8}) {
    const FleetSize plan = Plan({.devices = devices, .messages_a_day = devices * 20});
    const std::string row = absl::StrFormat(
        "| %d million | %.0f | %d | %d | %d | %.0f | %.0f |", static_cast<int>(devices / 1e6),
        plan.messages_per_second, Role(plan, "connectors").count, Role(plan, "gateways").count,
        Role(plan, "registries").count, plan.database_disk_gib, plan.archive_gib_a_day);
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace bellwire::cli
