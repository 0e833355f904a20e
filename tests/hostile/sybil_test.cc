// Made-up devices at the device port, on a server with small bounds: no more come in than may, what
// they cost is bounded, and a real phone and a real sender are served throughout. tools/sybil runs
// it with many more of them, and holds the sender's times against those of a calm server.

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"
#include "tests/hostile/bystander.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
constexpr int kAttackers = 4;
// How much slower a hundredth of a real sender's calls may be than on a calm server.
constexpr double kMaxSlowdown = 3;

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

TEST(SybilTest, MadeUpDevicesAreBoundedAndARealPhoneIsServed) {
  const int made_up_devices = Setting("SYBIL_DEVICES", 400);
  const int addresses = Setting("SYBIL_ADDRESSES", 1);
  const int per_hour = Setting("SYBIL_PER_HOUR", 60);
  Fleet::Options options;
  options.more_registry_arguments = {"--new_devices_per_hour", absl::StrCat(per_hour),
                                     "--max_devices", "100000"};
  auto started = Fleet::Start(Deployment::kEmbedded, options);
  ASSERT_TRUE(started.ok()) << started.status();
  const std::unique_ptr<Fleet> fleet = *std::move(started);
  auto provider = Provider::Create(*fleet, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  const auto key = *DeviceKey::Generate();
  auto phone = RawDevice::Login(fleet->device_address(), fleet->ca_file(), *key, 1);
  ASSERT_TRUE(phone.ok()) << phone.status();
  const auto token = (*phone)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();

  const absl::Duration calm_p99 = [&] {
    Bystander calm(*fleet, *provider, *token);
    EXPECT_TRUE(WaitUntil([&] { return calm.served() >= 200; }));
    return calm.Stop().p99;
  }();
  Bystander bystander(*fleet, *provider, *token);
  ASSERT_TRUE(WaitUntil([&] { return bystander.served() >= 20; }));
  ResetPeak(fleet->gateway(0).pid());
  const uint64_t disk_before = BytesBelow(fleet->data_dir());

  // Each of them new, and gone at once.
  std::atomic<int> let_in = 0, turned_away = 0, other = 0;
  const MonotonicTime began = RealClock()->Monotonic();
  std::vector<std::thread> attackers;
  for (int i = 0; i < kAttackers; ++i) {
    attackers.emplace_back([&, i] {
      for (int n = 0; n < made_up_devices / kAttackers; ++n) {
        const int from = (n * kAttackers + i) % addresses;
        const auto made_up = DeviceKey::Generate();
        ASSERT_TRUE(made_up.ok());
        const auto login = RawDevice::Login(
            fleet->device_address(), fleet->ca_file(), **made_up, 1, {},
            absl::StrCat("127.", 1 + from / 65025, ".", from / 255 % 255, ".", 2 + from % 253));
        if (login.ok()) {
          ++let_in;
        } else if (absl::StrContains(
                       login.status().message(),
                       absl::StrCat("GoAway ",
                                    static_cast<int>(device::v1::GoAway::NO_NEW_DEVICES)))) {
          ++turned_away;
        } else {
          ++other;
        }
      }
    });
  }
  for (std::thread& attacker : attackers) attacker.join();

  // Some more than the bound: counts fade while the test runs.
  std::cout << let_in << " let in, " << turned_away << " turned away, " << other
            << " refused otherwise" << std::endl;
  const absl::Duration took = RealClock()->Monotonic() - began;
  EXPECT_LE(let_in, per_hour * (1.1 + absl::FDivDuration(took, absl::Hours(1))));
  EXPECT_GE(turned_away + other, made_up_devices - let_in - kAttackers);
  EXPECT_GT(turned_away, 0);
  // The phone that was there is a known one, whatever strangers do.
  auto again = RawDevice::Login(fleet->device_address(), fleet->ca_file(), *key, 2);
  EXPECT_TRUE(again.ok()) << again.status();
  const size_t served = bystander.served();
  EXPECT_TRUE(WaitUntil([&] { return bystander.served() >= served + 20; }));
  const Bystander::Report report = bystander.Stop();
  EXPECT_GE(report.served * 100, report.sent * 95) << report.last_error;
  // A record each of those that came in, and nothing of the others; the bystander's messages are
  // the rest.
  const uint64_t disk = BytesBelow(fleet->data_dir()) - disk_before;
  std::cout << disk / 1024 << " KiB on disk for it, " << report.sent << " messages among it"
            << std::endl;
  EXPECT_LT(disk, uint64_t{4096} * report.sent + uint64_t{4096} * static_cast<uint64_t>(let_in) +
                      (uint64_t{8} << 20));
  const ProcessSize size = SizeOf(fleet->gateway(0).pid());
  std::cout << "resident at most " << size.peak_bytes / (1 << 20) << " MiB; one Send in a hundred "
            << "took more than " << absl::FormatDuration(report.p99) << ", "
            << absl::FormatDuration(calm_p99) << " before" << std::endl;
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
