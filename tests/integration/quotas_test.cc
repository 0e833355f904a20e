// Quotas are exact however many gateways there are: several of one registry, over real processes,
// each with senders that offer far more than they may.

#include <atomic>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/ids.h"
#include "crypto/device_key.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
constexpr int kGateways = 2;
constexpr int kSendersPerGateway = 3;
// By how much a rate may be missed, and how long it has to be watched for that: as many messages as
// one second allows may come at once.
constexpr double kTolerance = 0.05;
constexpr absl::Duration kWatched = absl::Seconds(30);

struct Offered {
  std::atomic<int64_t> accepted = 0;
  std::atomic<int64_t> refused = 0;
  // Answers that are neither.
  std::atomic<int64_t> other = 0;
};

class QuotasTest : public testing::Test {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(Deployment::kSeparate);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = *std::move(fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::make_unique<Provider>(*std::move(provider));
    const auto key = *DeviceKey::Generate();
    auto device = RawDevice::Login(fleet_->device_address(), fleet_->ca_file(), *key, 1);
    ASSERT_TRUE(device.ok()) << device.status();
    auto token = (*device)->RegisterApp(kMail);
    ASSERT_TRUE(token.ok()) << token.status();
    token_ = *std::move(token);
    // From here on its messages wait.
  }

  void SetTeamQuota(const admin::v1::Quota& quota) {
    admin::v1::SetQuotaRequest request;
    request.mutable_subject()->set_kind(admin::v1::QuotaSubject::TEAM);
    request.mutable_subject()->set_id(provider_->team_id());
    *request.mutable_set() = quota;
    admin::v1::QuotaReport report;
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + kPatience));
    fleet_->Authorize(&context);
    const absl::Status status =
        FromGrpcStatus(fleet_->Admin()->SetQuota(&context, request, &report));
    ASSERT_TRUE(status.ok()) << status;
  }

  // Every sender offers one message after the other, until `go_on` says no.
  template <typename GoOn>
  void Offer(bool collapses, GoOn go_on, Offered* offered) {
    std::vector<std::thread> senders;
    for (int i = 0; i < kGateways * kSendersPerGateway; ++i) {
      senders.emplace_back([&, i] {
        push::v1::SendRequest request;
        request.set_token(token_);
        request.set_payload(std::string(1000, 'x'));
        // Of those one waits at a time, so that no other bound is met.
        if (collapses) request.set_collapse_key("k");
        while (go_on()) {
          request.set_message_id(FormatUuid(NewMessageId()));
          const auto sent = provider_->Send(request, i % kGateways);
          if (sent.ok()) {
            ++offered->accepted;
          } else if (ErrorReason(sent.status()) == "QUOTA_EXCEEDED") {
            ++offered->refused;
          } else {
            ++offered->other;
            ADD_FAILURE() << sent.status();
            return;
          }
        }
      });
    }
    for (std::thread& sender : senders) sender.join();
  }

  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Provider> provider_;
  std::string token_;
};

TEST_F(QuotasTest, ARateIsExactWithinFivePercentOverSeveralGateways) {
  constexpr int64_t kPerSecond = 40;
  admin::v1::Quota quota;
  quota.set_messages_per_second(kPerSecond);
  SetTeamQuota(quota);
  Offered offered;
  const MonotonicTime began = RealClock()->Monotonic();
  Offer(
      /*collapses=*/true, [&] { return RealClock()->Monotonic() - began < kWatched; }, &offered);
  const double seconds = absl::ToDoubleSeconds(RealClock()->Monotonic() - began);
  const double rate = static_cast<double>(offered.accepted) / seconds;
  std::cout << offered.accepted << " accepted and " << offered.refused << " refused in " << seconds
            << " s over " << kGateways << " gateways: " << rate << " a second of " << kPerSecond
            << std::endl;
  ASSERT_GT(offered.refused, 0) << "the senders offer less than the quota allows";
  EXPECT_LE(rate, kPerSecond * (1 + kTolerance));
  EXPECT_GE(rate, kPerSecond * (1 - kTolerance));
}

TEST_F(QuotasTest, ADaysMessagesAreExactOverSeveralGateways) {
  constexpr int64_t kPerDay = 200;
  admin::v1::Quota quota;
  quota.set_messages_per_day(kPerDay);
  SetTeamQuota(quota);
  Offered offered;
  Offer(
      /*collapses=*/true,
      [&] { return offered.accepted + offered.refused + offered.other < 3 * kPerDay; }, &offered);
  EXPECT_EQ(offered.accepted, kPerDay);
  EXPECT_GE(offered.refused, 2 * kPerDay - kGateways * kSendersPerGateway);
}

// 1,000 bytes, and 256 for each message.
TEST_F(QuotasTest, BytesThatWaitAreExactOverSeveralGateways) {
  constexpr int64_t kMessages = 40;
  admin::v1::Quota quota;
  quota.set_bytes_waiting(kMessages * 1256 + 1255);
  SetTeamQuota(quota);
  Offered offered;
  Offer(
      /*collapses=*/false,
      [&] { return offered.accepted + offered.refused + offered.other < 3 * kMessages; }, &offered);
  EXPECT_EQ(offered.accepted, kMessages);
  EXPECT_GT(offered.refused, 0);
}

}  // namespace
}  // namespace bellwire::tests
