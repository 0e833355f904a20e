#include "registry/server/topic_decoder.h"

#include <functional>
#include <string>

#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

using internal::v1::AdvanceRequest;
using internal::v1::ClaimRequest;
using internal::v1::ListTopicsRequest;
using internal::v1::PageSubscribersRequest;
using internal::v1::PublishTopicRequest;
using internal::v1::PutTopicRequest;

const std::string k16(16, 'x');

// What the check says of `request` once `change` was made to it: the field, or the reason where
// none is named.
template <typename Request>
std::string Says(absl::Status (*check)(const Request&), Request request,
                 const std::function<void(Request&)>& change) {
  EXPECT_TRUE(check(request).ok()) << check(request);
  change(request);
  const absl::Status status = check(request);
  if (status.ok()) return "ok";
  return ErrorField(status).value_or(ErrorReason(status));
}

TEST(TopicDecoderTest, ATokenNamesADeviceAndARegistration) {
  EXPECT_TRUE(CheckTopicToken(k16, 1, "team").ok());
  EXPECT_TRUE(CheckTopicToken(k16, 1, "").ok()) << "the device itself";
  EXPECT_EQ(ErrorField(CheckTopicToken("short", 1, "")), "device_id");
  EXPECT_EQ(ErrorField(CheckTopicToken(k16, 0, "")), "registration_id");
  EXPECT_EQ(ErrorReason(CheckTopicToken(k16, 1, "no team")), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(CheckTopicName("a b")), "BAD_TOPIC");
}

TEST(TopicDecoderTest, PagesOfSubscribers) {
  PageSubscribersRequest good;
  good.set_team_id("team");
  good.add_topics("a");
  good.set_max_subscribers(10);
  const auto says = [&](const std::function<void(PageSubscribersRequest&)>& change) {
    return Says<PageSubscribersRequest>(CheckPageSubscribers, good, change);
  };
  EXPECT_EQ(says([](auto& r) { r.clear_topics(); }), "topics");
  EXPECT_EQ(says([](auto& r) {
              for (size_t i = 0; i < kMaxConditionTopics; ++i)
                r.add_topics(std::string(i + 2, 'a'));
            }),
            "topics");
  EXPECT_EQ(says([](auto& r) { r.add_topics("a"); }), "topics") << "twice";
  EXPECT_EQ(says([](auto& r) { r.add_topics("a/b"); }), "topic");
  EXPECT_EQ(says([](auto& r) { r.set_max_subscribers(0); }), "max_subscribers");
  EXPECT_EQ(says([](auto& r) { r.mutable_after()->set_device_id("short"); }), "after");
  EXPECT_EQ(says([](auto& r) { r.mutable_after()->set_device_id(k16); }), "ok");
  EXPECT_EQ(says([](auto& r) { r.set_app_id("nodots"); }), "app_id");
  EXPECT_EQ(says([](auto& r) { r.set_app_id("com.example.mail"); }), "ok");
}

TEST(TopicDecoderTest, ListsAndKeptTopics) {
  ListTopicsRequest list;
  list.set_team_id("team");
  list.set_max_topics(1);
  EXPECT_EQ(Says<ListTopicsRequest>(CheckListTopics, list, [](auto& r) { r.set_after("a b"); }),
            "topic");
  EXPECT_EQ(Says<ListTopicsRequest>(CheckListTopics, list, [](auto& r) { r.set_max_topics(0); }),
            "max_topics");
  PutTopicRequest put;
  put.mutable_topic()->set_team_id("team");
  put.mutable_topic()->set_name("a");
  const auto says = [&](const std::function<void(PutTopicRequest&)>& change) {
    return Says<PutTopicRequest>(CheckPutTopic, put, change);
  };
  EXPECT_EQ(says([](auto& r) { r.mutable_topic()->set_name(""); }), "topic");
  EXPECT_EQ(says([](auto& r) { r.mutable_topic()->set_app_id("nodots"); }), "app_id");
  EXPECT_EQ(says([](auto& r) { r.mutable_topic()->set_note(std::string(256, 'n')); }), "ok");
  EXPECT_EQ(says([](auto& r) { r.mutable_topic()->set_note(std::string(257, 'n')); }),
            "topic.note");
  EXPECT_EQ(says([](auto& r) { r.set_change(static_cast<PutTopicRequest::Change>(9)); }), "change");
}

TEST(TopicDecoderTest, TopicMessages) {
  PublishTopicRequest good;
  good.set_team_id("team");
  good.set_message_id(k16);
  good.set_topic("a");
  good.add_topics("a");
  good.mutable_message()->set_accepted_at_ms(1000);
  good.mutable_message()->set_expires_at_ms(2000);
  const auto says = [&](const std::function<void(PublishTopicRequest&)>& change) {
    return Says<PublishTopicRequest>(CheckPublish, good, change);
  };
  EXPECT_EQ(says([](auto& r) { r.set_message_id("short"); }), "message_id");
  EXPECT_EQ(says([](auto& r) { r.clear_topic(); }), "topic") << "neither";
  EXPECT_EQ(says([](auto& r) { r.set_condition("'a' in topics"); }), "topic") << "both";
  EXPECT_EQ(says([](auto& r) { r.set_topics(0, "b"); }), "topics") << "of another topic";
  EXPECT_EQ(says([](auto& r) {
              r.clear_topic();
              r.set_condition("'a' in topics && 'b' in topics");
              r.add_topics("b");
            }),
            "ok");
  EXPECT_EQ(says([](auto& r) {
              r.clear_topic();
              r.set_condition(std::string(9000, 'c'));
            }),
            "condition");
  EXPECT_EQ(says([](auto& r) { r.set_app_id("nodots"); }), "app_id");
  EXPECT_EQ(says([](auto& r) { r.mutable_message()->set_message_id(k16); }), "message");
  EXPECT_EQ(says([](auto& r) { r.mutable_message()->set_registration_id(1); }), "message");
  EXPECT_EQ(says([](auto& r) { r.mutable_message()->set_expires_at_ms(1); }),
            "message.expires_at_ms");
  EXPECT_EQ(says([](auto& r) { r.mutable_message()->set_topic_message_id("short"); }),
            "message_id");
}

TEST(TopicDecoderTest, ClaimsAndHowFarTheyAre) {
  ClaimRequest claim;
  claim.set_gateway(k16);
  claim.set_lease_ms(1);
  const auto claim_says = [&](const std::function<void(ClaimRequest&)>& change) {
    return Says<ClaimRequest>(CheckClaim, claim, change);
  };
  EXPECT_EQ(claim_says([](auto& r) { r.set_gateway("short"); }), "gateway");
  EXPECT_EQ(claim_says([](auto& r) { r.set_lease_ms(0); }), "lease_ms");
  EXPECT_EQ(claim_says([](auto& r) { r.set_wait_ms(-1); }), "wait_ms");
  AdvanceRequest advance;
  advance.set_team_id("team");
  advance.set_message_id(k16);
  advance.set_gateway(k16);
  advance.set_lease_ms(1);
  const auto says = [&](const std::function<void(AdvanceRequest&)>& change) {
    return Says<AdvanceRequest>(CheckAdvance, advance, change);
  };
  EXPECT_EQ(says([](auto& r) { r.set_gateway(""); }), "gateway");
  EXPECT_EQ(says([](auto& r) { r.mutable_after()->set_device_id(""); }), "after");
  EXPECT_EQ(says([](auto& r) { r.set_sent(-1); }), "sent");
  EXPECT_EQ(says([](auto& r) { r.set_passed_over(INT64_MAX); }), "sent");
  EXPECT_EQ(says([](auto& r) { r.set_lease_ms(0); }), "lease_ms");
  EXPECT_EQ(says([](auto& r) { r.set_lease_ms(0), r.set_release(true); }), "ok");
  EXPECT_EQ(says([](auto& r) { r.set_lease_ms(0), r.set_done(true); }), "ok");
}

}  // namespace
}  // namespace bellwire::registry
