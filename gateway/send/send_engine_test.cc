#include "gateway/send/send_engine.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/simulated_clock.h"
#include "common/trace_context.h"
#include "gateway/testing/fake_registry.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using internal::v1::AppendRequest;
using internal::v1::AppendResponse;
using push::v1::SendRequest;
using push::v1::SendResponse;

constexpr char kTeam[] = "teamteam22";
constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

class SendEngineTest : public ::testing::Test {
 protected:
  SendEngineTest() : sealer_(TokenSealer::ForTesting()) {
    contents_.device_id = *DeviceId::FromBytes("0123456789abcdef");
    contents_.registration_id = 42;
    appended_.set_seq(7);
    appended_.set_state(push::v1::STORED);
    registry_.append = [this](const AppendRequest& request) -> absl::StatusOr<AppendResponse> {
      appends_.push_back(request);
      if (!append_error_.ok()) return append_error_;
      return appended_;
    };
    options_.sealer = sealer_.get();
    options_.mailboxes = &registry_;
    options_.clock = &clock_;
  }

  SendRequest Request() {
    SendRequest request;
    request.set_token(sealer_->Seal(contents_));
    request.set_payload("hello");
    return request;
  }

  SendRequest NowOrNever() {
    SendRequest request = Request();
    request.mutable_ttl();
    return request;
  }

  // Sends and waits for the answer.
  absl::StatusOr<SendResponse> Send(SendRequest request) {
    SendEngine engine(options_);
    absl::Notification done;
    absl::StatusOr<SendResponse> result = absl::UnknownError("no answer");
    engine.Send(kTeam, std::move(request), [&](absl::StatusOr<SendResponse> response) {
      result = std::move(response);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  SendResponse::Outcome Outcome(SendRequest request) {
    const absl::StatusOr<SendResponse> response = Send(std::move(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->outcome() : SendResponse::OUTCOME_UNSPECIFIED;
  }

  const std::unique_ptr<TokenSealer> sealer_;
  SimulatedClock clock_;
  FakeRegistry registry_;
  TokenContents contents_;
  AppendResponse appended_;
  absl::Status append_error_;
  std::vector<AppendRequest> appends_;
  SendEngine::Options options_;
};

TEST_F(SendEngineTest, AppendsTheWholeMessage) {
  SendRequest request = Request();
  request.set_message_id(kUuid);
  request.set_collapse_key("inbox");
  request.mutable_ttl()->set_seconds(60);
  request.set_priority(push::v1::PRIORITY_HIGH);
  request.set_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const absl::StatusOr<SendResponse> response = Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->message_id(), kUuid);
  EXPECT_EQ(response->outcome(), SendResponse::ACCEPTED);
  EXPECT_FALSE(response->duplicate());

  ASSERT_EQ(appends_.size(), 1u);
  const AppendRequest& append = appends_[0];
  EXPECT_EQ(append.device_id(), "0123456789abcdef");
  EXPECT_EQ(append.registration_id(), 42u);
  EXPECT_EQ(append.team_id(), kTeam);
  EXPECT_FALSE(append.validate_only());
  EXPECT_FALSE(append.message_id_is_new()) << "the caller may have sent it before";
  EXPECT_EQ(append.message().seq(), 0u);
  EXPECT_EQ(append.message().message_id(), std::string(ParseUuid(kUuid)->bytes()));
  EXPECT_EQ(append.message().registration_id(), 42u);
  EXPECT_EQ(append.message().payload(), "hello");
  EXPECT_EQ(append.message().collapse_key(), "inbox");
  EXPECT_EQ(append.message().priority(), push::v1::PRIORITY_HIGH);
  const int64_t now_ms = absl::ToUnixMillis(clock_.WallNow());
  EXPECT_EQ(append.message().accepted_at_ms(), now_ms);
  EXPECT_EQ(append.message().expires_at_ms(), now_ms + 60'000);
  EXPECT_EQ(append.message().deliver_at_ms(), 0);
  EXPECT_EQ(FormatTraceparent(append.message().trace_context()), request.traceparent());
}

TEST_F(SendEngineTest, TheLogNamesTheTraceOfAMessage) {
  SetLogLevel(LogLevel::kDebug);
  SendRequest request = Request();
  request.set_message_id(kUuid);
  request.set_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  testing::internal::CaptureStderr();
  ASSERT_TRUE(Send(request).ok());
  request.set_token("00");
  ASSERT_FALSE(Send(request).ok());
  request.clear_traceparent();
  request.set_token(Request().token());
  ASSERT_TRUE(Send(request).ok());
  const std::string log = testing::internal::GetCapturedStderr();
  SetLogLevel(LogLevel::kInfo);
  const std::string trace = "event=message_answered trace=4bf92f3577b34da6a3ce929d0e0e4736 ";
  const size_t first = log.find(trace);
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_NE(log.find(absl::StrCat("message=", kUuid, " door=grpc answer=accepted"), first),
            std::string::npos)
      << log;
  // What is refused is traced too; what has no trace is not logged at all.
  const size_t second = log.find(trace, first + 1);
  ASSERT_NE(second, std::string::npos) << log;
  EXPECT_NE(log.find("answer=bad_token", second), std::string::npos) << log;
  EXPECT_EQ(log.find("message_answered", second + trace.size()), std::string::npos) << log;
}

TEST_F(SendEngineTest, ATeamBeyondItsQuotaDoesNotCostTheRegistryACallEach) {
  append_error_ = WithRetryAfter(
      WithMetadata(WithMetadata(MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED",
                                          "100 messages a second"),
                                "quota_of", "team"),
                   "quota", "messages_per_second"),
      absl::Milliseconds(100));
  SendEngine engine(options_);
  const auto reason = [&](absl::string_view team) {
    absl::StatusOr<SendResponse> result = absl::UnknownError("no answer");
    engine.Send(team, Request(),
                [&](absl::StatusOr<SendResponse> response) { result = std::move(response); });
    return ErrorReason(result.status());
  };
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(reason(kTeam), "QUOTA_EXCEEDED");
  EXPECT_EQ(appends_.size(), 1u);
  append_error_ = absl::OkStatus();
  EXPECT_EQ(reason("otherteam2"), "");
  EXPECT_EQ(reason(kTeam), "QUOTA_EXCEEDED");
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(reason(kTeam), "");
}

TEST_F(SendEngineTest, NothingIsAnsweredBeforeTheCommit) {
  registry_.HoldAnswers();
  SendEngine engine(options_);
  bool answered = false;
  engine.Send(kTeam, Request(), [&](absl::StatusOr<SendResponse>) { answered = true; });
  EXPECT_FALSE(answered);
  registry_.ReleaseAnswers();
  EXPECT_TRUE(answered);
}

TEST_F(SendEngineTest, AMessageMayWaitForItsTime) {
  appended_.set_seq(0);
  SendRequest request = Request();
  request.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(clock_.WallNow()) + 3600);
  EXPECT_EQ(Outcome(request), SendResponse::ACCEPTED);
  EXPECT_EQ(appends_[0].message().deliver_at_ms(),
            absl::ToUnixMillis(clock_.WallNow()) + 3'600'000);
}

TEST_F(SendEngineTest, MakesAMessageIdWhereThereIsNone) {
  const auto first = Send(Request());
  const auto second = Send(Request());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(ParseUuid(first->message_id()).has_value());
  EXPECT_NE(first->message_id(), second->message_id());
  ASSERT_EQ(appends_.size(), 2u);
  EXPECT_TRUE(appends_[0].message_id_is_new());
}

TEST_F(SendEngineTest, ARetryIsSaidToBeOne) {
  appended_.set_duplicate(true);
  for (const push::v1::Step state : {push::v1::STORED, push::v1::AGENT_ACKED}) {
    appended_.set_state(state);
    const auto response = Send(Request());
    ASSERT_TRUE(response.ok());
    EXPECT_TRUE(response->duplicate());
    EXPECT_EQ(response->outcome(), SendResponse::ACCEPTED);
  }
}

TEST_F(SendEngineTest, ValidateOnlyStoresAndSendsNothing) {
  SendRequest request = Request();
  request.set_validate_only(true);
  const auto response = Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outcome(), SendResponse::VALID);
  EXPECT_EQ(response->message_id(), "");
  ASSERT_EQ(appends_.size(), 1u);
  EXPECT_TRUE(appends_[0].validate_only());

  request.set_message_id(kUuid);
  EXPECT_EQ(Send(request)->message_id(), kUuid);
}

TEST_F(SendEngineTest, WhatIsInvalidReachesNoStorage) {
  SendRequest request = Request();
  request.set_token("abc");
  EXPECT_EQ(ErrorReason(Send(request).status()), "BAD_DEVICE_TOKEN");
  request = Request();
  request.set_payload(std::string(kMaxPayloadBytes + 1, 'x'));
  EXPECT_EQ(ErrorReason(Send(request).status()), "PAYLOAD_TOO_LARGE");
  EXPECT_TRUE(appends_.empty());
}

TEST_F(SendEngineTest, RegistryErrorsPass) {
  append_error_ = MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "gone");
  EXPECT_EQ(ErrorReason(Send(Request()).status()), "UNREGISTERED");
  append_error_ = absl::UnavailableError("down");
  EXPECT_EQ(ErrorReason(Send(Request()).status()), "REGISTRY_UNAVAILABLE");
}

TEST_F(SendEngineTest, NowOrNeverIsAnsweredAsItEnded) {
  for (const bool duplicate : {false, true}) {
    appended_.set_duplicate(duplicate);
    for (const push::v1::Step state : {push::v1::AGENT_ACKED, push::v1::APP_ACKED}) {
      appended_.set_state(state);
      EXPECT_EQ(Outcome(NowOrNever()), SendResponse::DELIVERED);
    }
    for (const push::v1::Step state : {push::v1::NOT_CONNECTED, push::v1::UNREGISTERED}) {
      appended_.set_state(state);
      EXPECT_EQ(Outcome(NowOrNever()), SendResponse::NOT_CONNECTED);
    }
  }
  for (const AppendRequest& append : appends_) {
    EXPECT_EQ(append.message().expires_at_ms(), append.message().accepted_at_ms());
    EXPECT_NE(append.waiter(), 0u) << "the registry is to wait for the device";
  }
}

TEST_F(SendEngineTest, OnlyNowOrNeverWaitsForTheDevice) {
  EXPECT_EQ(Outcome(Request()), SendResponse::ACCEPTED);
  EXPECT_EQ(appends_[0].waiter(), 0u);
}

TEST_F(SendEngineTest, NowOrNeverThatTheRegistryDoesNotAnswerIsNotAnsweredOk) {
  append_error_ = absl::UnavailableError("down");
  EXPECT_EQ(ErrorReason(Send(NowOrNever()).status()), "REGISTRY_UNAVAILABLE");
}

TEST_F(SendEngineTest, ADrainEndsTheWaitsOfThisGateway) {
  registry_.HoldAnswers();
  appended_.set_state(push::v1::NOT_CONNECTED);
  SendEngine engine(options_);
  SendEngine another(options_);
  int answered = 0;
  engine.Send(kTeam, NowOrNever(),
              [&](absl::StatusOr<SendResponse> response) { answered += response.ok(); });
  another.Send(kTeam, NowOrNever(), [](absl::StatusOr<SendResponse>) {});
  EXPECT_NE(appends_[0].waiter(), appends_[1].waiter());
  EXPECT_EQ(answered, 0);
  engine.EndWaits();
  EXPECT_EQ(answered, 1);
}

TEST_F(SendEngineTest, RefusesWhatItHasNoRoomFor) {
  options_.max_calls = 4;
  registry_.HoldAnswers();
  SendEngine engine(options_);
  int accepted = 0;
  int overloaded = 0;
  for (int i = 0; i < 3; ++i) {
    engine.Send(kTeam, Request(), [&](absl::StatusOr<SendResponse> response) {
      accepted += response.ok();
      overloaded += ErrorReason(response.status()) == "OVERLOADED" &&
                    RetryAfter(response.status()).has_value();
    });
  }
  EXPECT_EQ(overloaded, 1);
  registry_.ReleaseAnswers();
  EXPECT_EQ(accepted, 2);
  engine.Send(kTeam, Request(),
              [&](absl::StatusOr<SendResponse> response) { accepted += response.ok(); });
  EXPECT_EQ(accepted, 3);
}

TEST_F(SendEngineTest, OneTeamsFloodRefusesNobodyElsesSends) {
  registry_.HoldAnswers();
  SendEngine engine(options_);
  int refused = 0;
  const auto send = [&](const char* team) {
    engine.Send(team, Request(),
                [&](absl::StatusOr<SendResponse> response) { refused += !response.ok(); });
  };
  for (size_t i = 0; i < 2 * kMaxGatewaySends; ++i) send("noisy");
  EXPECT_GT(refused, 0);
  refused = 0;
  for (size_t i = 0; i < kMaxBatchMessages; ++i) send("quiet");
  EXPECT_EQ(refused, 0);
  registry_.ReleaseAnswers();
}

TEST_F(SendEngineTest, RefusesWhatTheRegistryCantServeInTime) {
  options_.call_limit.min = 2;
  registry_.HoldAnswers();
  SendEngine engine(options_);
  int accepted = 0;
  int overloaded = 0;
  const auto send = [&](const char* team) {
    engine.Send(team, Request(), [&](absl::StatusOr<SendResponse> response) {
      accepted += response.ok();
      overloaded += ErrorReason(response.status()) == "OVERLOADED" &&
                    RetryAfter(response.status()).has_value();
    });
  };
  // The team always has one under way. Two windows, in each of which one is served, and far too
  // late.
  const std::optional<TeamPlaces::Ticket> kept = engine.calls()->TryTake(kTeam);
  for (int i = 0; i < 4; ++i) {
    send(kTeam);
    clock_.Advance(10 * kAppendLatencyTarget);
    registry_.ReleaseAnswers();
    registry_.HoldAnswers();
  }
  EXPECT_EQ(accepted, 4);
  send(kTeam);
  send(kTeam);
  EXPECT_EQ(overloaded, 1);
  // Who has no part in it is not refused for it.
  send("another");
  send("another");
  EXPECT_EQ(overloaded, 1);
  registry_.ReleaseAnswers();
  EXPECT_EQ(accepted, 7);
}

TEST_F(SendEngineTest, SilentDevicesDontTakeTheWholeGateway) {
  options_.max_now_or_never_sends = 4;
  options_.max_calls = 2;
  registry_.HoldAnswers();
  SendEngine engine(options_);
  int answered = 0;
  const auto count = [&](absl::StatusOr<SendResponse> response) { answered += response.ok(); };
  engine.Send(kTeam, NowOrNever(), count);
  engine.Send(kTeam, NowOrNever(), count);
  absl::Status refused;
  engine.Send(kTeam, NowOrNever(),
              [&](absl::StatusOr<SendResponse> response) { refused = response.status(); });
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_TRUE(RetryAfter(refused).has_value());
  EXPECT_EQ(appends_.size(), 2u);
  engine.Send("another", NowOrNever(), count);
  EXPECT_EQ(appends_.size(), 3u) << "another team has a share of its own";
  engine.Send(kTeam, Request(), count);
  EXPECT_EQ(appends_.size(), 4u) << "those that wait for devices take no place of the others";
  registry_.ReleaseAnswers();
  EXPECT_EQ(answered, 4);
}

// --- Subscriptions. ---

TEST_F(SendEngineTest, ASubscriptionsSenderIsNamedByItsKey) {
  SendEngine engine(options_);
  internal::v1::Content content;
  content.set_door(internal::v1::Content::WEB_PUSH);
  content.set_encoding("aes128gcm");
  absl::StatusOr<SendResponse> result = absl::UnknownError("no answer");
  engine.Send(Sender::ToSubscription("key", "endpoint"), Request(), content,
              [&](absl::StatusOr<SendResponse> response) { result = std::move(response); });
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(appends_.size(), 1u);
  EXPECT_EQ(appends_[0].team_id(), "");
  EXPECT_EQ(appends_[0].subscription().vapid_key(), "key");
  EXPECT_EQ(appends_[0].message().content().encoding(), "aes128gcm");
}

TEST_F(SendEngineTest, ASubscriptionsSenderIsNotToldWhetherTheDeviceIsThere) {
  SendEngine engine(options_);
  absl::StatusOr<SendResponse> result = absl::UnknownError("no answer");
  engine.Send(Sender::ToSubscription("", "endpoint"), NowOrNever(), {},
              [&](absl::StatusOr<SendResponse> response) { result = std::move(response); });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcome(), SendResponse::ACCEPTED);
  ASSERT_EQ(appends_.size(), 1u);
  EXPECT_EQ(appends_[0].waiter(), 0u);
  EXPECT_EQ(appends_[0].message().expires_at_ms(),
            appends_[0].message().accepted_at_ms() + absl::ToInt64Milliseconds(kNowOrNeverWait));
}

TEST_F(SendEngineTest, SubscriptionsSendersShareATeamsPartAmongThemselves) {
  options_.max_calls = 16;
  registry_.HoldAnswers();
  SendEngine engine(options_);
  const auto send = [&](const Sender& sender) {
    // The answer may come after this.
    const auto refused = std::make_shared<bool>(false);
    engine.Send(sender, Request(), {}, [refused](const absl::StatusOr<SendResponse>& response) {
      *refused = !response.ok();
    });
    return !*refused;
  };
  int greedy = 0;
  while (send(Sender::ToSubscription("", "greedy"))) ++greedy;
  // Half of the quarter that all of them have.
  EXPECT_EQ(greedy, 2);
  EXPECT_TRUE(send(Sender::ToSubscription("", "modest")));
  EXPECT_FALSE(send(Sender::ToSubscription("", "modest")));
  EXPECT_TRUE(send(Sender::Team(kTeam)));
  registry_.ReleaseAnswers();
  EXPECT_TRUE(send(Sender::ToSubscription("", "greedy")));
}

}  // namespace
}  // namespace bellwire::gateway
