#include "gateway/admin/support_service.h"

#include <memory>
#include <string>

#include "bellwire/admin/v1/support.grpc.pb.h"
#include "common/error.h"
#include "common/ids.h"
#include "crypto/file_util.h"
#include "gateway/admin/administrators.h"
#include "gateway/testing/test_gateway.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

class SupportServiceTest : public ::testing::Test {
 protected:
  SupportServiceTest() { SetReader(true); }

  // Whether "reader", whose token is "a token", may read.
  void SetReader(bool is_there) {
    std::vector<AdministratorEntry> entries;
    if (is_there) {
      entries.push_back({{"reader", AdminRole::kReadOnly}, DigestOfToken("a token")});
    }
    ASSERT_TRUE(ReplaceFileAtomically(gateway_.administrators_path(), RenderAdministrators(entries),
                                      FileAccess::kPrivate)
                    .ok());
  }

  TestGateway gateway_;
  std::unique_ptr<admin::v1::SupportService::Stub> support_ =
      admin::v1::SupportService::NewStub(gateway_.NewChannel());
};

TEST_F(SupportServiceTest, SendsInThePlaceOfTheTeam) {
  internal::v1::AppendRequest appended;
  gateway_.registry.append = [&](const internal::v1::AppendRequest& request) {
    appended = request;
    internal::v1::AppendResponse response;
    response.set_seq(1);
    response.set_state(push::v1::STORED);
    return response;
  };
  admin::v1::SendTestRequest request;
  request.set_team_id(TestGateway::kTeam);
  *request.mutable_message() = gateway_.Message();
  push::v1::SendResponse response;
  ASSERT_TRUE(support_->SendTest(gateway_.AdminContext().get(), request, &response).ok());
  EXPECT_EQ(response.outcome(), push::v1::SendResponse::ACCEPTED);
  EXPECT_EQ(appended.team_id(), TestGateway::kTeam);
  EXPECT_EQ(appended.message().payload(), gateway_.Message().payload());
  // To a subscription there is no team; whose key it wants the registry knows.
  request.clear_team_id();
  ASSERT_TRUE(support_->SendTest(gateway_.AdminContext().get(), request, &response).ok());
  EXPECT_TRUE(appended.team_id().empty());
  EXPECT_TRUE(appended.has_subscription());
}

TEST_F(SupportServiceTest, LooksUpTheMessageOfATeam) {
  gateway_.registry.get_message = [](const internal::v1::GetMessageRequest& request)
      -> absl::StatusOr<internal::v1::GetMessageResponse> {
    EXPECT_EQ(request.team_id(), TestGateway::kTeam);
    internal::v1::GetMessageResponse response;
    response.mutable_message()->set_message_id(kUuid);
    response.mutable_message()->set_priority(push::v1::PRIORITY_LOW);
    return response;
  };
  admin::v1::GetTeamMessageRequest request;
  request.set_team_id(TestGateway::kTeam);
  request.set_token(gateway_.Token());
  request.set_message_id(kUuid);
  push::v1::GetMessageResponse response;
  ASSERT_TRUE(support_->GetMessage(gateway_.ContextWith("a token").get(), request, &response).ok());
  EXPECT_EQ(response.priority(), push::v1::PRIORITY_LOW);
  request.set_token("00");
  EXPECT_EQ(ErrorReason(FromGrpcStatus(
                support_->GetMessage(gateway_.ContextWith("a token").get(), request, &response))),
            "BAD_DEVICE_TOKEN");
}

TEST_F(SupportServiceTest, AStreamOfReceiptsEndsWithItsAdministrator) {
  gateway_.registry.read_receipts = [this](const internal::v1::ReadReceiptsRequest& request)
      -> absl::StatusOr<internal::v1::ReadReceiptsResponse> {
    EXPECT_EQ(request.team_id(), TestGateway::kTeam);
    // The credential is looked at again before the registry waits longer than it is good for.
    EXPECT_LE(absl::Milliseconds(request.wait_ms()), kAdminRecheck);
    gateway_.clock.Advance(kAdminRecheck);
    internal::v1::ReadReceiptsResponse response;
    response.set_next_position(request.after_position() + 1);
    if (request.from_now()) return response;
    SetReader(false);
    internal::v1::FeedReceipt* const receipt = response.add_receipts();
    receipt->set_position(response.next_position());
    receipt->set_device_id("0123456789abcdef");
    receipt->set_registration_id(42);
    receipt->set_app_id("com.example.mail");
    receipt->set_message_id(std::string(ParseUuid(kUuid)->bytes()));
    receipt->mutable_receipt()->set_step(push::v1::SENT);
    return response;
  };
  admin::v1::WatchTeamReceiptsRequest request;
  request.set_team_id(TestGateway::kTeam);
  const auto context = gateway_.ContextWith("a token");
  const auto stream = support_->WatchReceipts(context.get(), request);
  push::v1::WatchReceiptsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_FALSE(response.has_receipt());
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.message_id(), kUuid);
  EXPECT_FALSE(stream->Read(&response)) << response.DebugString();
  EXPECT_EQ(ErrorReason(FromGrpcStatus(stream->Finish())), "BAD_CREDENTIAL");
}

TEST_F(SupportServiceTest, WantsATeamWhereThereMustBeOne) {
  const auto context = gateway_.AdminContext();
  const auto stream = support_->WatchReceipts(context.get(), {});
  push::v1::WatchReceiptsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ErrorReason(FromGrpcStatus(stream->Finish())), "TEAM_NOT_FOUND");
  push::v1::ListTopicsResponse topics;
  EXPECT_EQ(
      ErrorReason(FromGrpcStatus(support_->ListTopics(gateway_.AdminContext().get(), {}, &topics))),
      "TEAM_NOT_FOUND");
}

}  // namespace
}  // namespace bellwire::gateway
