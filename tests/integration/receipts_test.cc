// The feed of receipts over real processes, in both deployments: what a backend sees of a message,
// and how it goes on from a cursor when connections and processes break.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "crypto/token_sealer.h"
#include "grpcpp/channel.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using push::v1::WatchReceiptsResponse;
using ::testing::ElementsAre;

constexpr char kMail[] = "com.example.mail";

// One WatchReceipts call through gateway `i`.
class Watch {
 public:
  Watch(const Fleet& fleet, const Provider& provider, const std::string& cursor, int i = 0)
      : stub_(push::v1::PushService::NewStub(fleet.Channel(i))) {
    provider.Authorize(&context_);
    context_.set_deadline(gpr_time_from_seconds(60, GPR_TIMESPAN));
    push::v1::WatchReceiptsRequest request;
    request.set_cursor(cursor);
    stream_ = stub_->WatchReceipts(&context_, request);
  }
  ~Watch() {
    context_.TryCancel();
    stream_->Finish();
  }

  bool Next(WatchReceiptsResponse* response) { return stream_->Read(response); }

  // The steps of one message up to `last`; what is about others passes by. `cursor`: behind it.
  std::vector<push::v1::Step> StepsOf(const std::string& message_id, push::v1::Step last,
                                      std::string* cursor) {
    std::vector<push::v1::Step> steps;
    WatchReceiptsResponse response;
    while (Next(&response)) {
      *cursor = response.cursor();
      if (response.message_id() != message_id) continue;
      steps.push_back(response.receipt().step());
      if (steps.back() == last) return steps;
    }
    return steps;
  }

 private:
  std::unique_ptr<push::v1::PushService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<WatchReceiptsResponse>> stream_;
};

class ReceiptsTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
  }

  std::string Send(const std::string& token, const std::string& payload) {
    push::v1::SendRequest request;
    request.set_token(token);
    request.set_payload(payload);
    request.set_priority(push::v1::PRIORITY_HIGH);
    const auto sent = provider_.Send(request);
    EXPECT_TRUE(sent.ok()) << sent.status();
    return sent.ok() ? sent->message_id() : "";
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
};

TEST_P(ReceiptsTest, AWatcherSeesTheWholeLifeOfAMessage) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  // The word of an app that is quick may overtake that of its agent, which is then not waited for:
  // the registry learns when the message was sent with the latter.
  absl::Notification agent_acked;
  App app(phone.socket_path(), kMail,
          [&](const std::string&) { agent_acked.WaitForNotification(); });
  const std::string token = app.WaitForToken();
  Watch watch(*fleet_, provider_, "");
  WatchReceiptsResponse response;
  ASSERT_TRUE(watch.Next(&response));  // From here on.
  ASSERT_FALSE(response.cursor().empty());
  const std::string message_id = Send(token, "hello");
  std::string cursor;
  EXPECT_THAT(
      watch.StepsOf(message_id, push::v1::AGENT_ACKED, &cursor),
      ElementsAre(push::v1::ACCEPTED, push::v1::STORED, push::v1::SENT, push::v1::AGENT_ACKED));
  agent_acked.Notify();
  EXPECT_THAT(watch.StepsOf(message_id, push::v1::APP_ACKED, &cursor),
              ElementsAre(push::v1::APP_ACKED));
  // The other gateway, from the same place: the same feed.
  Watch again(*fleet_, provider_, response.cursor(), 1);
  WatchReceiptsResponse first;
  ASSERT_TRUE(again.Next(&first));
  EXPECT_EQ(first.message_id(), message_id);
  EXPECT_EQ(first.token(), token);
  EXPECT_EQ(first.app_id(), kMail);
  EXPECT_EQ(first.receipt().step(), push::v1::ACCEPTED);
}

// Tokens had 98 digits once; backends keep them for years.
TEST_P(ReceiptsTest, ATokenOfBeforeAndTheTokenOfNowNameTheSameMessages) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail, [](const std::string&) {});
  const std::string token = app.WaitForToken();
  const auto sealer = TokenSealer::FromFile(fleet_->data_dir() + "/token.keys");
  ASSERT_TRUE(sealer.ok()) << sealer.status();
  const auto contents = (*sealer)->Open(token);
  ASSERT_TRUE(contents.has_value());
  const std::string old_token = (*sealer)->SealShort(*contents);
  EXPECT_EQ(token.size(), 160u);
  EXPECT_EQ(old_token.size(), 98u);

  push::v1::SendRequest request;
  request.set_token(old_token);
  request.set_payload("hello");
  request.set_message_id("123e4567-e89b-42d3-a456-426614174000");
  auto sent = provider_.Send(request);
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_FALSE(sent->duplicate());
  request.set_token(token);
  sent = provider_.Send(request, 1);
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_TRUE(sent->duplicate());

  Watch watch(*fleet_, provider_, "");
  request.set_token(old_token);
  request.clear_message_id();
  sent = provider_.Send(request);
  ASSERT_TRUE(sent.ok()) << sent.status();
  WatchReceiptsResponse response;
  while (response.message_id() != sent->message_id()) ASSERT_TRUE(watch.Next(&response));
  EXPECT_EQ(response.token(), token) << "backends learn their new token from their receipts too";
}

TEST_P(ReceiptsTest, FromItsCursorAWatcherMissesNothingThoughEverythingDied) {
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  std::string cursor;
  {
    Watch watch(*fleet_, provider_, "");
    WatchReceiptsResponse response;
    ASSERT_TRUE(watch.Next(&response));
    cursor = response.cursor();
  }
  // Killed at once: what the relay has not moved by then it moves after the restart.
  std::vector<std::string> message_ids;
  for (int i = 0; i < 20; ++i) message_ids.push_back(Send(token, absl::StrCat("message ", i)));
  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(app.WaitForTaken(20));
  Watch watch(*fleet_, provider_, cursor);
  std::vector<std::string> accepted;
  WatchReceiptsResponse response;
  size_t app_acked = 0;
  while (app_acked < message_ids.size() && watch.Next(&response)) {
    if (response.receipt().step() == push::v1::ACCEPTED) accepted.push_back(response.message_id());
    if (response.receipt().step() == push::v1::APP_ACKED) ++app_acked;
  }
  EXPECT_EQ(app_acked, message_ids.size());
  EXPECT_EQ(accepted, message_ids);
}

INSTANTIATE_TEST_SUITE_P(Deployments, ReceiptsTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
