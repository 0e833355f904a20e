// A registry whose process hangs: connections stand, and nothing is answered. Senders hear
// UNAVAILABLE before the deadline that they usually give themselves, and nothing is lost.

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
constexpr int kSenders = 20;
// What a backend gives a call: after it, it hears DEADLINE_EXCEEDED from itself.
constexpr absl::Duration kUsualDeadline = absl::Seconds(5);

TEST(HangingRegistryTest, SendersHearUnavailableEarlyAndNothingIsLost) {
  auto started = Fleet::Start(Deployment::kSeparate);
  ASSERT_TRUE(started.ok()) << started.status();
  const std::unique_ptr<Fleet> fleet = *std::move(started);
  auto provider = Provider::Create(*fleet, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  Phone phone(*fleet, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  ASSERT_TRUE(provider->SendReliably(token, "before").ok());

  fleet->registry().Freeze();
  struct Outcome {
    absl::Status status;
    absl::Duration took;
  };
  std::vector<Outcome> outcomes(kSenders);
  std::vector<std::thread> senders;
  for (int i = 0; i < kSenders; ++i) {
    senders.emplace_back([&, i] {
      push::v1::SendRequest request;
      request.set_token(token);
      request.set_payload(absl::StrCat("meanwhile ", i));
      const MonotonicTime began = RealClock()->Monotonic();
      outcomes[i].status = provider->Send(request, i % 2).status();
      outcomes[i].took = RealClock()->Monotonic() - began;
    });
  }
  for (std::thread& sender : senders) sender.join();
  absl::Duration slowest;
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable) << outcome.status;
    EXPECT_EQ(ErrorReason(outcome.status), "REGISTRY_UNAVAILABLE") << outcome.status;
    EXPECT_TRUE(RetryAfter(outcome.status).has_value()) << outcome.status;
    EXPECT_LT(outcome.took, kUsualDeadline);
    slowest = std::max(slowest, outcome.took);
  }
  std::cout << kSenders << " senders of a registry that hangs: UNAVAILABLE after at most "
            << absl::FormatDuration(absl::Trunc(slowest, absl::Milliseconds(1))) << std::endl;
  fleet->registry().Thaw();
  ASSERT_TRUE(provider->SendReliably(token, "after").ok());
  // Those that were answered UNAVAILABLE may come as well: nobody could know.
  EXPECT_TRUE(WaitUntil([&] {
    const std::vector<std::string> taken = app.taken();
    return std::count(taken.begin(), taken.end(), "before") == 1 &&
           std::count(taken.begin(), taken.end(), "after") == 1;
  }));
}

}  // namespace
}  // namespace bellwire::tests
