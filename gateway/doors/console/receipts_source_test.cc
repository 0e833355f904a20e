#include "gateway/doors/console/receipts_source.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/http/call_count.h"
#include "gateway/doors/http/testing/test_call_thread.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using nlohmann::json;

constexpr char kTeam[] = "teamteam22";

// The service is the test.
class ReceiptsSourceTest : public ::testing::Test {
 protected:
  ReceiptsSourceTest() {
    methods_.Add("/bellwire.admin.v1.SupportService/WatchReceipts",
                 {.start = [this](std::shared_ptr<RpcCall> call) {
                   call_ = std::move(call);
                   call_->OnCancel([this] { ++cancelled_; });
                   call_->Read(&request_, [](bool ok) { EXPECT_TRUE(ok); });
                 }});
  }

  std::unique_ptr<ReceiptsSource> Source(const std::string& cursor = "") {
    return std::make_unique<ReceiptsSource>(
        ReceiptsSource::Options{.team_id = kTeam,
                                .cursor = cursor,
                                .peer = "192.0.2.1:1234",
                                .thread = thread_,
                                .methods = &methods_,
                                .clock = &clock_,
                                .still_logged_in = [this] { return login_; },
                                .counted = count_.Take()});
  }
  // The service tells one more receipt.
  void Write(absl::Duration age = absl::ZeroDuration()) {
    response_.set_message_id(absl::StrCat("message ", ++written_));
    response_.set_cursor(absl::StrCat("cursor ", written_));
    response_.mutable_receipt()->set_step(push::v1::SENT);
    *response_.mutable_receipt()->mutable_time() =
        google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
            absl::ToUnixNanos(clock_.WallNow() - age));
    may_go_on_ = false;
    call_->Write(&response_, [this](bool ok) { may_go_on_ = ok; });
  }
  // What the page is told.
  absl::StatusOr<LiveSource::Answer> Ask(ReceiptsSource* source) {
    absl::StatusOr<LiveSource::Answer> got = absl::UnknownError("no answer");
    source->Ask([&got](absl::StatusOr<LiveSource::Answer> answer) { got = std::move(answer); });
    return got;
  }
  json Told(ReceiptsSource* source) {
    const absl::StatusOr<LiveSource::Answer> answer = Ask(source);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? json::parse(answer->data, nullptr, false) : json();
  }

  SimulatedClock clock_;
  http::CallCount count_;
  const std::shared_ptr<http::TestCallThread> thread_ = std::make_shared<http::TestCallThread>();
  MethodTable methods_;
  absl::StatusOr<std::string> login_ = std::string("the token");
  std::shared_ptr<RpcCall> call_;
  admin::v1::WatchTeamReceiptsRequest request_;
  push::v1::WatchReceiptsResponse response_;
  int written_ = 0;
  int cancelled_ = 0;
  bool may_go_on_ = false;
};

TEST_F(ReceiptsSourceTest, TellsWhatCameSinceTheLastTimeTogether) {
  const auto source = Source("from here");
  EXPECT_EQ(Ask(source.get())->data, "");
  EXPECT_EQ(request_.team_id(), kTeam);
  EXPECT_EQ(request_.cursor(), "from here");
  ASSERT_EQ(call_->metadata().size(), 1u);
  EXPECT_EQ(call_->metadata()[0].value, "Bearer the token");
  Write();
  EXPECT_TRUE(may_go_on_);
  Write();
  const json told = Told(source.get());
  ASSERT_EQ(told["receipts"].size(), 2u);
  EXPECT_EQ(told["receipts"][0]["messageId"], "message 1");
  EXPECT_EQ(told["receipts"][1]["messageId"], "message 2");
  EXPECT_EQ(told["cursor"], "cursor 2");
  EXPECT_FALSE(told.contains("left_out"));
  EXPECT_EQ(Ask(source.get())->data, "");
  call_.reset();
}

TEST_F(ReceiptsSourceTest, TheServiceWaitsWhileThePageHasEnough) {
  const auto source = Source();
  Ask(source.get()).IgnoreError();
  for (size_t i = 1; i < kMaxReceiptsAtOnce; ++i) {
    Write();
    ASSERT_TRUE(may_go_on_);
  }
  Write();
  EXPECT_FALSE(may_go_on_);
  const json told = Told(source.get());
  EXPECT_EQ(told["receipts"].size(), kMaxReceiptsAtOnce);
  EXPECT_FALSE(told.contains("left_out")) << "they are of this moment";
  EXPECT_TRUE(may_go_on_);
  call_.reset();
}

// A service that has a few receipts at a time would read from the registry without rest.
TEST_F(ReceiptsSourceTest, TheServiceTakesFewTurns) {
  const auto source = Source();
  Ask(source.get()).IgnoreError();
  int turns = 0;
  for (int i = 0; i < kReceiptTurnsAtOnce + 1; ++i) call_->InTurn([&turns] { ++turns; });
  thread_->RunPosted();
  EXPECT_EQ(turns, kReceiptTurnsAtOnce);
  Ask(source.get()).IgnoreError();
  thread_->RunPosted();
  EXPECT_EQ(turns, kReceiptTurnsAtOnce + 1);
  call_.reset();
}

TEST_F(ReceiptsSourceTest, WhoIsBehindGoesOnFromNowAndIsToldSo) {
  const auto source = Source("long ago");
  Ask(source.get()).IgnoreError();
  for (size_t i = 0; i < kMaxReceiptsAtOnce; ++i) Write(kMaxReceiptsLag + absl::Seconds(1));
  const std::shared_ptr<RpcCall> before = call_;
  EXPECT_EQ(Told(source.get())["left_out"], true);
  EXPECT_EQ(cancelled_, 1);
  EXPECT_EQ(Ask(source.get())->data, "");
  EXPECT_NE(call_, before);
  EXPECT_EQ(request_.cursor(), "");
  // A few old ones are no backlog.
  Write(kMaxReceiptsLag + absl::Seconds(1));
  EXPECT_FALSE(Told(source.get()).contains("left_out"));
  call_.reset();
}

TEST_F(ReceiptsSourceTest, EndsAsTheServiceDoesAfterWhatItSaid) {
  const auto source = Source();
  Ask(source.get()).IgnoreError();
  Write();
  call_->Finish(MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "goes"));
  EXPECT_EQ(Told(source.get())["receipts"].size(), 1u);
  EXPECT_EQ(ErrorReason(Ask(source.get()).status()), "SHUTTING_DOWN");
  EXPECT_EQ(cancelled_, 0);
  Write();
  EXPECT_FALSE(may_go_on_);
  call_.reset();
}

TEST_F(ReceiptsSourceTest, EndsWithTheLogin) {
  const auto source = Source();
  Ask(source.get()).IgnoreError();
  login_ = MakeError(absl::StatusCode::kUnauthenticated, "NO_SESSION", "log in");
  EXPECT_EQ(ErrorReason(Ask(source.get()).status()), "NO_SESSION");
  call_.reset();
}

TEST_F(ReceiptsSourceTest, APageThatGoesEndsTheCall) {
  auto source = Source();
  Ask(source.get()).IgnoreError();
  for (size_t i = 0; i < kMaxReceiptsAtOnce; ++i) Write();
  source.reset();
  EXPECT_EQ(cancelled_, 1);
  Write();
  EXPECT_FALSE(may_go_on_) << "who writes on is told that nobody is there";
  // The call is counted for as long as the service has it: the fixture waits for that.
  call_.reset();
}

}  // namespace
}  // namespace bellwire::gateway
