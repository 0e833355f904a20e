// Topics on the wire: an app subscribes, and the device hears what became of it.

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "common/limits.h"
#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::TopicChanged;
using S = ConnectionState;
using H = ConnectionHarness;

TEST(TopicsTest, AChangeGoesToTheRegistryAndItsAnswerToTheDevice) {
  H h;
  h.BringTo(S::kActive);
  h.host.frames.clear();
  h.ReceiveTopicChange(3, 99, "news");
  h.ReceiveTopicChange(4, 99, "sport", false);
  ASSERT_EQ(h.host.topic_changes.size(), 2u);
  EXPECT_TRUE(h.host.frames.empty());
  const internal::v1::ChangeSubscriptionRequest& request = h.host.topic_changes[0].second;
  EXPECT_EQ(request.device_id(), h.device_id.bytes());
  EXPECT_EQ(request.registration_id(), 99u);
  EXPECT_EQ(request.team_id(), "") << "the device itself asks";
  EXPECT_EQ(request.topic(), "news");
  EXPECT_TRUE(request.subscribed());
  EXPECT_FALSE(h.host.topic_changes[1].second.subscribed());
  h.connection.OnTopicChanged(3, absl::OkStatus());
  ASSERT_EQ(h.host.frames.size(), 1u);
  EXPECT_EQ(h.host.frames[0].topic_changed().request_id(), 3u);
  EXPECT_EQ(h.host.frames[0].topic_changed().outcome(), TopicChanged::OK);
}

TEST(TopicsTest, ErrorsHaveOutcomes) {
  const auto outcome_of = [](absl::StatusCode code, absl::string_view reason) {
    H h;
    h.BringTo(S::kActive);
    h.ReceiveTopicChange(1, 99, "news");
    h.connection.OnTopicChanged(1, MakeError(code, reason, ""));
    return h.host.frames.back().topic_changed().outcome();
  };
  EXPECT_EQ(outcome_of(absl::StatusCode::kNotFound, "UNREGISTERED"), TopicChanged::UNREGISTERED);
  EXPECT_EQ(outcome_of(absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM"),
            TopicChanged::UNREGISTERED);
  EXPECT_EQ(outcome_of(absl::StatusCode::kInvalidArgument, "BAD_TOPIC"), TopicChanged::BAD_TOPIC);
  EXPECT_EQ(outcome_of(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED"),
            TopicChanged::LIMIT_REACHED);
  EXPECT_EQ(outcome_of(absl::StatusCode::kResourceExhausted, "OVERLOADED"),
            TopicChanged::UNAVAILABLE);
  EXPECT_EQ(outcome_of(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE"),
            TopicChanged::UNAVAILABLE);
  // A registry of the version before.
  EXPECT_EQ(outcome_of(absl::StatusCode::kUnimplemented, ""), TopicChanged::UNAVAILABLE);
}

TEST(TopicsTest, BadNamesAndNobodysRegistrationNeverReachTheRegistry) {
  H h;
  h.BringTo(S::kActive);
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("/topics/a"),
        std::string(kMaxTopicNameChars + 1, 'a'), std::string("a\0b", 3)}) {
    h.ReceiveTopicChange(1, 99, bad);
    EXPECT_EQ(h.host.frames.back().topic_changed().outcome(), TopicChanged::BAD_TOPIC) << bad;
  }
  h.ReceiveTopicChange(2, 0, "news");
  EXPECT_EQ(h.host.frames.back().topic_changed().outcome(), TopicChanged::UNREGISTERED);
  EXPECT_TRUE(h.host.topic_changes.empty());
  h.ReceiveTopicChange(3, 99, std::string(kMaxTopicNameChars, 'a'));
  EXPECT_EQ(h.host.topic_changes.size(), 1u);
}

TEST(TopicsTest, ChangesAreBoundedTogetherWithRequestsForApps) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveRegisterApp(1, "com.example.mail");
  for (size_t i = 1; i < kMaxPendingAppRequests; ++i) h.ReceiveTopicChange(1, 99, "news");
  EXPECT_EQ(h.host.topic_changes.size(), kMaxPendingAppRequests - 1);
  h.ReceiveTopicChange(2, 99, "news");
  EXPECT_EQ(h.host.frames.back().topic_changed().outcome(), TopicChanged::UNAVAILABLE);
  EXPECT_EQ(h.host.frames.back().topic_changed().request_id(), 2u);
  h.connection.OnTopicChanged(1, absl::OkStatus());
  h.ReceiveTopicChange(3, 99, "news");
  EXPECT_EQ(h.host.topic_changes.size(), kMaxPendingAppRequests);
}

TEST(TopicsTest, ADrainWaitsForTheAnswerAndTakesNoMore) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveTopicChange(1, 99, "news");
  h.connection.Drain();
  h.ReceiveTopicChange(2, 99, "news");
  EXPECT_EQ(h.host.frames.back().topic_changed().outcome(), TopicChanged::UNAVAILABLE);
  EXPECT_EQ(h.host.topic_changes.size(), 1u);
  h.connection.OnTopicChanged(1, absl::OkStatus());
  EXPECT_EQ(h.host.frames.back().topic_changed().outcome(), TopicChanged::OK);
}

}  // namespace
}  // namespace bellwire::connector
