#ifndef BELLWIRE_REGISTRY_TESTING_TOPICS_CONTRACT_H_
#define BELLWIRE_REGISTRY_TESTING_TOPICS_CONTRACT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/error.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {

// What every Store promises of topics (topics_contract.cc). To be instantiated as StoreContractTest
// is.
class TopicsContractTest : public StoreContractTest {
 protected:
  using AdvanceRequest = internal::v1::AdvanceRequest;
  using ClaimResponse = internal::v1::ClaimResponse;
  using PublishTopicRequest = internal::v1::PublishTopicRequest;

  // 16 bytes each.
  static constexpr char kGateway[] = "gatewayAAAAAAAAA";
  static constexpr char kOtherGateway[] = "gatewayBBBBBBBBB";
  static constexpr absl::Duration kLease = absl::Seconds(10);

  absl::StatusOr<SubscriptionChange> Change(const TokenRef& token, const std::string& topic,
                                            bool subscribed = true) {
    const auto change = store().ChangeSubscription(token.device, token.registration_id,
                                                   token.team_id, topic, subscribed);
    Commit();
    return change;
  }
  void MustSubscribe(const TokenRef& token, const std::string& topic) {
    const auto change = Change(token, topic);
    ASSERT_TRUE(change.ok()) << change.status();
  }
  // "a b": of the token.
  std::string TopicsOf(const TokenRef& token) {
    const auto topics =
        store().ListSubscriptions(token.device, token.registration_id, token.team_id);
    if (!topics.ok()) return ErrorReason(topics.status());
    std::vector<std::string> names;
    for (const TopicOfToken& topic : *topics) names.push_back(topic.topic);
    return absl::StrJoin(names, " ");
  }
  // "a 2, b 1": of the team.
  std::string TeamTopics(bool kept_only = false) {
    const auto topics = store().ListTopics(kTeam, "", 1000, kept_only);
    EXPECT_TRUE(topics.ok()) << topics.status();
    Commit();
    std::vector<std::string> names;
    for (const auto& topic : topics->topics()) {
      names.push_back(absl::StrCat(topic.name(), " ", topic.subscribers()));
    }
    return absl::StrJoin(names, ", ");
  }
  std::vector<SubscriberPage::Subscriber> Subscribers(const std::vector<std::string>& topics) {
    const auto page = store().PageSubscribers(kTeam, topics, std::nullopt, 1000, "");
    EXPECT_TRUE(page.ok()) << page.status();
    EXPECT_FALSE(page->more);
    return page->subscribers;
  }
  static internal::v1::Subscriber At(uint8_t device) {
    internal::v1::Subscriber subscriber;
    subscriber.set_device_id(std::string(Device(device).bytes()));
    subscriber.set_registration_id(1);
    return subscriber;
  }

  PublishTopicRequest ToTopic(uint32_t id, const std::string& team = kTeam) {
    PublishTopicRequest request;
    request.set_team_id(team);
    request.set_message_id(std::string(Id(id).bytes()));
    request.set_topic("news");
    request.add_topics("news");
    Envelope message = Message(id);
    message.clear_message_id();
    *request.mutable_message() = std::move(message);
    return request;
  }
  void MustPublish(const PublishTopicRequest& request) {
    const auto published = store().Publish(request);
    ASSERT_TRUE(published.ok()) << published.status();
    EXPECT_FALSE(*published);
    Commit();
  }
  std::optional<ClaimResponse> Claim(const std::string& gateway = kGateway) {
    const auto claimed = store().Claim(gateway, kLease);
    EXPECT_TRUE(claimed.ok()) << claimed.status();
    Commit();
    return claimed.value_or(std::nullopt);
  }
  static AdvanceRequest Advance(uint32_t id) {
    AdvanceRequest request;
    request.set_team_id(kTeam);
    request.set_message_id(std::string(Id(id).bytes()));
    request.set_gateway(kGateway);
    request.set_lease_ms(absl::ToInt64Milliseconds(kLease));
    return request;
  }
  static AdvanceRequest Advance(uint32_t id, uint8_t after, int64_t sent) {
    AdvanceRequest request = Advance(id);
    *request.mutable_after() = At(after);
    request.set_sent(sent);
    return request;
  }
  static AdvanceRequest Done(uint32_t id) {
    AdvanceRequest request = Advance(id);
    request.set_done(true);
    return request;
  }
  // "ok", "recall", or the reason of the error.
  std::string Send(const AdvanceRequest& request) {
    const auto recall = store().Advance(request);
    Commit();
    if (!recall.ok()) return ErrorReason(recall.status());
    return *recall ? "recall" : "ok";
  }
  std::string State(uint32_t id) {
    const auto message = store().GetTopicMessage(kTeam, Id(id));
    if (!message.ok()) return ErrorReason(message.status());
    Commit();
    return absl::StrCat(push::v1::TopicMessage::State_Name(message->state()), " ", message->sent(),
                        "+", message->passed_over());
  }
  std::string TopicSteps(uint32_t id) {
    const auto message = store().GetTopicMessage(kTeam, Id(id));
    if (!message.ok()) return ErrorReason(message.status());
    Commit();
    std::vector<std::string> steps;
    for (const auto& step : message->steps()) {
      steps.push_back(absl::StrCat(push::v1::Step_Name(step.step()), " ", step.messages()));
    }
    return absl::StrJoin(steps, ", ");
  }
  // A message of topic message `topic_message`.
  AppendResult AppendOf(uint32_t topic_message, const TokenRef& token, uint32_t id) {
    Envelope message = Message(id);
    message.set_topic_message_id(std::string(Id(topic_message).bytes()));
    return Append(token, message);
  }
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_TOPICS_CONTRACT_H_
