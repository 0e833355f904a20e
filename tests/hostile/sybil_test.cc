// Made-up devices at the device port and teams that overdo it at the provider port, on a server
// with small bounds: no more come in than may, what they cost is bounded, and a real phone and a
// real sender are served throughout. tools/sybil runs it with very many of them, and holds the
// sender's times against those of a calm server.

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "crypto/device_key.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"
#include "tests/hostile/bystander.h"
#include "tests/hostile/crowd.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
// How much slower a hundredth of a real sender's calls may be than on a calm server.
constexpr double kMaxSlowdown = 3;
// Of the server: memory that it may take at most, whatever comes; and disk. A device that came in
// costs a record, and a message that waits its bytes and what is said about it. The store writes
// them twice, into its log and into its tables, and merges make a copy that goes again; the logs of
// its own are kept until they have this size.
constexpr uint64_t kMaxResidentBytes = uint64_t{1} << 30;
constexpr uint64_t kMaxBytesPerDevice = 4096;
constexpr uint64_t kMaxBytesPerMessage = 4096;
constexpr uint64_t kMaxLogBytes = uint64_t{512} << 20;
// What a team's messages that wait may take.
constexpr int64_t kTeamBytesWaiting = 32 * 1024;
constexpr int kBatches = 2;

// As the environment says, for tools/sybil.
int Setting(const char* name, int otherwise) {
  const char* const text = getenv(name);
  int value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

uint64_t BytesBelow(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored)) {
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

// One line of the report.
void Say(absl::string_view what, absl::string_view value) {
  std::cout << absl::StrFormat("%-52s %s\n", what, value) << std::flush;
}

absl::Status SetQuotaOfEveryTeam(const Fleet& fleet) {
  admin::v1::SetQuotaRequest request;
  request.mutable_subject()->set_kind(admin::v1::QuotaSubject::TEAM);
  request.mutable_set()->set_bytes_waiting(kTeamBytesWaiting);
  admin::v1::QuotaReport report;
  grpc::ClientContext context;
  fleet.Authorize(&context);
  return FromGrpcStatus(fleet.Admin()->SetQuota(&context, request, &report));
}

TEST(SybilTest, MadeUpDevicesAndTeamsAreBoundedAndARealPhoneIsServed) {
  const int made_up_devices = Setting("SYBIL_DEVICES", 400);
  const int addresses = Setting("SYBIL_ADDRESSES", 1);
  const int per_hour = Setting("SYBIL_PER_HOUR", 60);
  const int made_up_teams = Setting("SYBIL_TEAMS", 20);
  Fleet::Options options;
  options.more_registry_arguments = {"--new_devices_per_hour",
                                     absl::StrCat(per_hour + made_up_teams / 500 + 2),
                                     "--max_devices", "1000000"};
  auto started = Fleet::Start(Deployment::kEmbedded, options);
  ASSERT_TRUE(started.ok()) << started.status();
  const std::unique_ptr<Fleet> fleet = *std::move(started);
  const absl::Status quota = SetQuotaOfEveryTeam(*fleet);
  ASSERT_TRUE(quota.ok()) << quota;
  // A real sender, and a real phone: the agent, and an app of it that takes and acknowledges.
  auto provider = Provider::Create(*fleet, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  Phone phone(*fleet, "phone");
  ASSERT_TRUE(phone.Start().ok());
  std::atomic<size_t> taken = 0;
  App app(phone.socket_path(), kMail, [&taken](const std::string&) { ++taken; });
  const std::string token = app.WaitForToken();
  ASSERT_NE(token, "");
  const auto teams = TeamCrowd::Make(*fleet, made_up_teams);
  ASSERT_TRUE(teams.ok()) << teams.status();

  size_t sent_calm = 0;
  const absl::Duration calm_p99 = [&] {
    Bystander calm(*fleet, *provider, token);
    EXPECT_TRUE(WaitUntil([&] { return calm.served() >= 500; }));
    const Bystander::Report report = calm.Stop();
    sent_calm = report.served;
    return report.p99;
  }();
  ASSERT_TRUE(WaitUntil([&] { return taken >= sent_calm; }));
  Bystander bystander(*fleet, *provider, token);
  ASSERT_TRUE(WaitUntil([&] { return bystander.served() >= 20; }));
  ResetPeak(fleet->gateway(0).pid());
  const uint64_t disk_before = BytesBelow(fleet->data_dir());

  // Both crowds at a time.
  DeviceCrowdReport devices;
  std::thread device_crowd([&] {
    devices = RunDeviceCrowd(*fleet, {.devices = made_up_devices, .addresses = addresses});
  });
  const TeamCrowdReport abuse = (*teams)->Abuse(kBatches, /*threads=*/4);
  device_crowd.join();

  const size_t served = bystander.served();
  EXPECT_TRUE(WaitUntil([&] { return bystander.served() >= served + 20; }));
  const Bystander::Report report = bystander.Stop();
  EXPECT_TRUE(WaitUntil([&] { return taken >= sent_calm + report.served; }))
      << taken << " of " << sent_calm + report.served << " messages reached the phone";
  const uint64_t disk = BytesBelow(fleet->data_dir()) - disk_before;
  const uint64_t disk_bound =
      kMaxBytesPerDevice * static_cast<uint64_t>(devices.let_in) +
      kMaxBytesPerMessage * (static_cast<uint64_t>(abuse.accepted) + report.sent) + kMaxLogBytes;
  const ProcessSize size = SizeOf(fleet->gateway(0).pid());

  Say("made-up devices",
      absl::StrCat(made_up_devices, " from ", addresses, " addresses in ",
                   absl::FormatDuration(absl::Trunc(devices.took, absl::Seconds(1)))));
  Say("  let in (at most so many an hour)", absl::StrCat(devices.let_in, " (", per_hour, ")"));
  Say("  turned away, refused otherwise", absl::StrCat(devices.turned_away, ", ", devices.other));
  Say("teams that overdo it",
      absl::StrCat(made_up_teams, " in ",
                   absl::FormatDuration(absl::Trunc(abuse.took, absl::Seconds(1)))));
  Say("  messages offered", absl::StrCat(abuse.offered));
  Say("  accepted, over quota, overloaded, otherwise",
      absl::StrCat(abuse.accepted, ", ", abuse.over_quota, ", ", abuse.overloaded, ", ",
                   abuse.other));
  Say("  made-up credentials, refused", absl::StrCat(abuse.made_up, ", ", abuse.made_up_refused));
  Say("memory at most (bound), MiB",
      absl::StrCat(size.peak_bytes >> 20, " (", kMaxResidentBytes >> 20, ")"));
  Say("disk (bound), MiB", absl::StrCat(disk >> 20, " (", disk_bound >> 20, ")"));
  Say("real sender: served of sent", absl::StrCat(report.served, " of ", report.sent));
  Say("real phone: messages taken of served",
      absl::StrCat(taken - sent_calm, " of ", report.served));
  Say("p99 of the sender, before (ratio)",
      absl::StrFormat("%s, %s (%.2f)", absl::FormatDuration(report.p99),
                      absl::FormatDuration(calm_p99), absl::FDivDuration(report.p99, calm_p99)));

  // Some more than the bound: counts fade while the test runs.
  EXPECT_LE(devices.let_in, per_hour * (1.1 + absl::FDivDuration(devices.took, absl::Hours(1))));
  EXPECT_EQ(devices.let_in + devices.turned_away + devices.other, made_up_devices);
  EXPECT_GT(devices.turned_away, 0);
  EXPECT_EQ(abuse.made_up_refused, abuse.made_up);
  EXPECT_EQ(abuse.other, 0) << abuse.last_error;
  EXPECT_GT(abuse.over_quota, 0);
  EXPECT_LE(abuse.accepted, int64_t{made_up_teams} * (kTeamBytesWaiting / 1256 + 1));
  EXPECT_GE(report.served * 100, report.sent * 95) << report.last_error;
  EXPECT_LT(size.peak_bytes, kMaxResidentBytes);
  EXPECT_LT(disk, disk_bound);
  // Attackers and server share the processors of a test's machine: times mean something in a run
  // of its own.
  if (Setting("SYBIL_TIMES", 0) != 0) {
    EXPECT_LE(report.p99, kMaxSlowdown * calm_p99);
  }
}

// Somebody who uses up what there is does not keep the others out while their shares last.
TEST(SybilTest, AnotherAddressStillComesIn) {
  Fleet::Options options;
  options.more_registry_arguments = {"--new_devices_per_hour", "40"};
  auto started = Fleet::Start(Deployment::kEmbedded, options);
  ASSERT_TRUE(started.ok()) << started.status();
  const std::unique_ptr<Fleet> fleet = *std::move(started);
  const auto login = [&](const std::string& from) {
    const auto key = *DeviceKey::Generate();
    return RawDevice::Login(fleet->device_address(), fleet->ca_file(), *key, 1, {}, from).ok();
  };
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(login("127.0.0.2")) << i;
  EXPECT_TRUE(login("127.0.0.3"));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(login("127.0.0.2")) << "it has had its share of two";
  EXPECT_TRUE(login("127.0.0.3"));
  EXPECT_TRUE(login("127.0.0.4"));
}

}  // namespace
}  // namespace bellwire::tests
