// One hostile peer at the provider port, whatever transport answers there. Each kind of attack is a
// case: while it runs, the Sends of others are served in time and the server's memory and threads
// stay bounded, in a real `bellwire serve`.

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/bystander.h"
#include "tests/hostile/http2_peer.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";

class ProviderPortTest : public testing::TestWithParam<Attack> {};

TEST_P(ProviderPortTest, OthersAreServedInBoundedMemory) {
  const Attack& attack = GetParam();
  auto fleet = Fleet::Start(attack.deployment);
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  auto provider = Provider::Create(**fleet, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  auto key = DeviceKey::Generate();
  ASSERT_TRUE(key.ok());
  auto device = RawDevice::Login((*fleet)->device_address(), (*fleet)->ca_file(), **key, 1);
  ASSERT_TRUE(device.ok()) << device.status();
  const absl::StatusOr<std::string> token = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();

  const pid_t pid = (*fleet)->gateway(0).pid();
  Bystander bystander(**fleet, *provider, *token);
  // The bystander's own connection and first Sends are not the attack's.
  ASSERT_TRUE(WaitUntil([&] { return bystander.served() >= 5; }));
  ResetPeak(pid);
  const ProcessSize before = SizeOf(pid);
  bool ended = false;
  size_t threads = 0;
  {
    ThreadWatch watch(pid);
    ended = attack.run(Arena({.address = (*fleet)->provider_address(),
                              .ca_file = (*fleet)->ca_file(),
                              .authorization = provider->authorization(),
                              .token = *token}));
    threads = watch.most();
  }
  // Served throughout, and afterwards.
  const size_t served = bystander.served();
  const bool alive = WaitUntil([&] { return bystander.served() >= served + 5; });
  const Bystander::Report report = bystander.Stop();
  const ProcessSize after = SizeOf(pid);

  const size_t growth = after.peak_bytes - std::min(after.peak_bytes, before.resident_bytes);
  const size_t more_threads = threads - std::min(threads, before.threads);
  const std::string measured = absl::StrCat(
      report.served, " of ", report.sent, " Sends served within ",
      absl::FormatDuration(Bystander::kDeadline), " (the slowest answer took ",
      absl::FormatDuration(absl::Trunc(report.slowest, absl::Milliseconds(1))), ", last error \"",
      report.last_error, "\"), ", growth / kMiB, " MiB more, ", more_threads, " threads more",
      ended ? "" : ", something was never ended", alive ? "" : ", dead afterwards");
  const bool passed = alive && ended && report.served * 100 >= report.sent * 95 &&
                      growth <= attack.max_growth_bytes && more_threads <= attack.max_more_threads;
  RecordProperty("measured", measured);
  std::cout << measured << std::endl;
  EXPECT_TRUE(passed) << measured << "; allowed: " << attack.max_growth_bytes / kMiB << " MiB, "
                      << attack.max_more_threads << " threads";
}

// What is no attack: the keepalive that gRPC's clients recommend, on a connection without a call.
TEST(ProviderPortKeepaliveTest, PingsEverySixSecondsAreWelcome) {
  auto fleet = Fleet::Start(Deployment::kEmbedded);
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  const Arena arena({.address = (*fleet)->provider_address(), .ca_file = (*fleet)->ca_file()});
  const std::unique_ptr<Http2Peer> peer = arena.Connect();
  ASSERT_NE(peer, nullptr);
  // gRPC forgives two pings too many.
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(peer->Write(Frame(FrameType::kPing, 0, 0, "12345678"), kImpatience));
    const MonotonicTime next = RealClock()->Monotonic() + absl::Seconds(6);
    while (RealClock()->Monotonic() < next) {
      ASSERT_TRUE(peer->Read(next - RealClock()->Monotonic()));
      ASSERT_FALSE(peer->goaway());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Attacks, ProviderPortTest, testing::ValuesIn(Attacks()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bellwire::tests
