// `bellwire serve` on a machine of 512 MiB: it outlives each attack on its provider port, and all
// of them at a time, from an address of their own, by anybody and by somebody with a good
// credential. Others' Sends are served meanwhile, and a device's session stays.

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/bystander.h"
#include "tests/hostile/memory_box.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr uint64_t kBoxBytes = 512 * kMiB;
constexpr char kMail[] = "com.example.mail";
constexpr char kGame[] = "com.example.game";

class SmallBoxTest : public testing::Test {
 protected:
  void SetUp() override {
    {
      const MemoryBox::Inside inside(&box_);
      auto fleet = Fleet::Start(Deployment::kEmbedded);
      ASSERT_TRUE(fleet.ok()) << fleet.status();
      fleet_ = *std::move(fleet);
    }
    if (!box_.limits()) {
      std::cout << "no cgroup can be made here: resident memory is watched instead" << std::endl;
    }
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::make_unique<Provider>(*std::move(provider));
    auto attacker = Provider::Create(*fleet_, {kGame});
    ASSERT_TRUE(attacker.ok()) << attacker.status();
    auto key = DeviceKey::Generate();
    ASSERT_TRUE(key.ok());
    auto device = RawDevice::Login(fleet_->device_address(), fleet_->ca_file(), **key, 1);
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
    const absl::StatusOr<std::string> mail = device_->RegisterApp(kMail);
    ASSERT_TRUE(mail.ok()) << mail.status();
    const absl::StatusOr<std::string> game = device_->RegisterApp(kGame);
    ASSERT_TRUE(game.ok()) << game.status();
    arena_ = std::make_unique<Arena>(Arena::Options{.address = fleet_->provider_address(),
                                                    .ca_file = fleet_->ca_file(),
                                                    .from = "127.0.0.2",
                                                    .authorization = attacker->authorization(),
                                                    .token = *game});
    bystander_ = std::make_unique<Bystander>(*fleet_, *provider_, *mail);
    ASSERT_TRUE(WaitUntil([&] { return bystander_->served() >= 5; }));
  }

  // The server lives, below its limit, and serves.
  void ExpectServing(const std::string& after) {
    const size_t served = bystander_->served();
    const bool serves = WaitUntil([&] { return bystander_->served() >= served + 5; });
    const ProcessSize size = SizeOf(fleet_->gateway(0).pid());
    std::cout << after << ": resident " << size.resident_bytes / kMiB << " MiB, at most "
              << size.peak_bytes / kMiB << "; the box had at most " << box_.peak_bytes() / kMiB
              << std::endl;
    EXPECT_TRUE(serves) << after;
    EXPECT_TRUE(fleet_->gateway(0).running()) << after;
    EXPECT_EQ(box_.kills(), 0u) << after;
    EXPECT_LT(size.peak_bytes, kBoxBytes) << after;
  }

  void ExpectOthersWereServed() {
    const Bystander::Report report = bystander_->Stop();
    std::cout << report.served << " of " << report.sent << " Sends served, the slowest after "
              << absl::FormatDuration(absl::Trunc(report.slowest, absl::Milliseconds(1)))
              << std::endl;
    EXPECT_GE(report.served * 100, report.sent * 95) << report.last_error;
  }

  MemoryBox box_{kBoxBytes};
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Provider> provider_;
  std::unique_ptr<RawDevice> device_;
  std::unique_ptr<Arena> arena_;
  std::unique_ptr<Bystander> bystander_;
};

TEST_F(SmallBoxTest, OutlivesEachAttackOfATeam) {
  for (const Attack& attack : AttacksOfATeam()) {
    EXPECT_TRUE(attack.run(*arena_)) << attack.name;
    ExpectServing(attack.name);
  }
  ExpectOthersWereServed();
}

TEST_F(SmallBoxTest, OutlivesAllAttacksAtATime) {
  std::vector<std::thread> attackers;
  for (const std::vector<Attack>* attacks : {&Attacks(), &AttacksOfATeam()}) {
    for (const Attack& attack : *attacks) {
      if (attack.deployment != Deployment::kEmbedded) continue;
      // Whether each is ended in time is asked where it is alone.
      attackers.emplace_back([this, &attack] { attack.run(*arena_); });
    }
  }
  for (std::thread& attacker : attackers) attacker.join();
  ExpectServing("all");
}

}  // namespace
}  // namespace bellwire::tests
