#include "gateway/send/message_calls.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/simulated_clock.h"
#include "gateway/testing/fake_registry.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

constexpr char kTeam[] = "abcdefghij";
constexpr char kId[] = "11111111-2222-4333-8444-555555555555";

class MessageCallsTest : public testing::Test {
 protected:
  MessageCallsTest()
      : sealer_(TokenSealer::ForTesting()), calls_(sealer_.get(), &registry_, &places_, &clock_) {}

  push::v1::RecallRequest RecallOf(const std::string& token) {
    push::v1::RecallRequest request;
    request.set_token(token);
    request.set_message_id(kId);
    return request;
  }
  std::string Token() { return sealer_->Seal({.registration_id = 7}); }
  absl::StatusOr<push::v1::RecallResponse> Recall(const push::v1::RecallRequest& request) {
    std::optional<absl::StatusOr<push::v1::RecallResponse>> answer;
    calls_.Recall(kTeam, request, [&answer](auto result) { answer = std::move(result); });
    return *answer;
  }

  const std::unique_ptr<TokenSealer> sealer_;
  FakeRegistry registry_;
  SimulatedClock clock_;
  TeamPlaces places_{{.places = 2}};
  MessageCalls calls_;
};

TEST_F(MessageCallsTest, RecallPassesOnWhatTheRegistrySays) {
  for (const auto outcome :
       {push::v1::RecallResponse::REQUESTED, push::v1::RecallResponse::RECALLED}) {
    registry_.recall = [outcome](const internal::v1::RecallRequest& request) {
      EXPECT_EQ(request.team_id(), kTeam);
      EXPECT_EQ(request.registration_id(), 7u);
      internal::v1::RecallResponse response;
      response.set_outcome(outcome);
      return response;
    };
    EXPECT_EQ(Recall(RecallOf(Token()))->outcome(), outcome);
  }
}

TEST_F(MessageCallsTest, WhatIsMalformedReachesNobody) {
  registry_.recall = [](const internal::v1::RecallRequest&) {
    ADD_FAILURE();
    return internal::v1::RecallResponse();
  };
  EXPECT_EQ(ErrorReason(Recall(RecallOf("00")).status()), "BAD_DEVICE_TOKEN");
  push::v1::RecallRequest request = RecallOf(Token());
  request.set_message_id("one");
  EXPECT_EQ(ErrorReason(Recall(request).status()), "BAD_MESSAGE_ID");
}

TEST_F(MessageCallsTest, GetMessagePassesOnWhatTheRegistrySays) {
  registry_.get_message = [](const internal::v1::GetMessageRequest& request)
      -> absl::StatusOr<internal::v1::GetMessageResponse> {
    EXPECT_EQ(request.team_id(), kTeam);
    return MakeError(absl::StatusCode::kNotFound, "MESSAGE_NOT_FOUND", "no such message");
  };
  push::v1::GetMessageRequest request;
  request.set_token(Token());
  request.set_message_id(kId);
  absl::Status status;
  calls_.GetMessage(kTeam, request, [&status](auto result) { status = result.status(); });
  EXPECT_EQ(ErrorReason(status), "MESSAGE_NOT_FOUND");
}

// A flood of queries is refused as one of Sends is: they wait for the same registry.
TEST_F(MessageCallsTest, TakesAPlaceOfItsTeamUntilTheRegistryAnswers) {
  registry_.get_message = [](const internal::v1::GetMessageRequest&) {
    return internal::v1::GetMessageResponse();
  };
  push::v1::GetMessageRequest request;
  request.set_token(Token());
  request.set_message_id(kId);
  std::vector<std::string> answers;
  const auto get = [&](const char* team) {
    calls_.GetMessage(team, request, [&answers, team](auto got) {
      answers.push_back(absl::StrCat(team, " ", got.ok() ? "OK" : ErrorReason(got.status())));
    });
  };
  registry_.HoldAnswers();
  get(kTeam);
  get(kTeam);
  get("another");
  EXPECT_EQ(answers, (std::vector<std::string>{"abcdefghij OVERLOADED"}));
  registry_.ReleaseAnswers();
  EXPECT_EQ(answers[1], "abcdefghij OK");
  EXPECT_EQ(answers[2], "another OK");
  EXPECT_EQ(places_.taken(), 0u);
  EXPECT_EQ(ErrorReason(Recall(RecallOf("abc")).status()), "BAD_DEVICE_TOKEN");
  EXPECT_EQ(places_.taken(), 0u);
}

}  // namespace
}  // namespace bellwire::gateway
