#include "device-agent/companion/agent_hub.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

using agent::v1::Error;

// A client whose agent is the test: notes what it is told.
class FakeClient final : public agent::CompanionClient {
 public:
  FakeClient(std::vector<std::string>* said, agent::CompanionCallbacks callbacks)
      : callbacks_(std::move(callbacks)), said_(said) {}

  void Subscribe(const agent::v1::Subscribe& subscription) override {
    said_->push_back(absl::StrCat("subscribe ", subscription.instance(), " for ",
                                  subscription.owner(), " key ", subscription.vapid_key().size(),
                                  subscription.receipts() ? " with receipts" : ""));
  }
  void Unsubscribe(absl::string_view instance) override {
    said_->push_back(absl::StrCat("unsubscribe ", instance));
  }
  void Ack(absl::string_view instance, uint64_t delivery_id) override {
    said_->push_back(absl::StrCat("ack ", instance, " ", delivery_id));
  }
  int fd() const override { return -1; }
  absl::Status Dispatch(absl::Duration) override { return absl::OkStatus(); }
  absl::Status Run() override { return absl::OkStatus(); }
  void Stop() override {}

  const agent::CompanionCallbacks& callbacks() const { return callbacks_; }

 private:
  const agent::CompanionCallbacks callbacks_;
  std::vector<std::string>* const said_;
};

class Front final : public SubscriptionFront {
 public:
  void OnEndpoint(const std::string& instance, const std::string& endpoint) override {
    heard.push_back(absl::StrCat("endpoint ", instance, " ", endpoint));
  }
  void OnUnsubscribed(const std::string& instance) override {
    heard.push_back(absl::StrCat("unsubscribed ", instance));
  }
  void OnMessage(const Message& message) override {
    messages.push_back(message);
    heard.push_back(absl::StrCat("message ", message.instance, " ", message.delivery_id));
  }
  void OnGap(const std::string& instance, uint32_t dropped, uint64_t delivery_id) override {
    heard.push_back(absl::StrCat("gap ", instance, " ", dropped, " ", delivery_id));
  }
  void OnError(const std::string& instance, Error::Code code, const std::string&) override {
    heard.push_back(absl::StrCat("error ", instance, " ", Error::Code_Name(code)));
  }
  void OnAgent(bool connected) override { heard.push_back(connected ? "agent" : "no agent"); }

  std::vector<std::string> heard;
  std::vector<Message> messages;
};

class AgentHubTest : public ::testing::Test {
 protected:
  AgentHubTest() { StartHub(); }

  void StartHub(bool receipts = false) {
    hub_.reset();
    said_.clear();
    front_.heard.clear();
    auto store = SubscriptionStore::Open(dir_.path("subscriptions.db"));
    ASSERT_TRUE(store.ok()) << store.status();
    auto hub = AgentHub::Create(
        std::move(*store),
        [this](agent::CompanionCallbacks callbacks)
            -> absl::StatusOr<std::unique_ptr<agent::CompanionClient>> {
          auto client = std::make_unique<FakeClient>(&said_, std::move(callbacks));
          client_ = client.get();
          return client;
        },
        [this](std::function<void()> work) { posted_.push_back(std::move(work)); }, receipts);
    ASSERT_TRUE(hub.ok()) << hub.status();
    hub_ = std::move(*hub);
    hub_->Attach("up:", &front_);
  }
  static Subscription Sound(const std::string& instance) {
    Subscription subscription;
    subscription.instance = instance;
    subscription.owner = "app";
    subscription.note = "note";
    return subscription;
  }
  std::vector<std::string> TakeSaid() { return std::exchange(said_, {}); }
  std::vector<std::string> TakeHeard() {
    while (!posted_.empty()) {
      auto work = std::move(posted_.front());
      posted_.pop_front();
      work();
    }
    return std::exchange(front_.heard, {});
  }
  const agent::CompanionCallbacks& agent() { return client_->callbacks(); }

  using Lines = std::vector<std::string>;
  TempDir dir_;
  std::deque<std::function<void()>> posted_;
  std::vector<std::string> said_;
  Front front_;
  FakeClient* client_ = nullptr;
  std::unique_ptr<AgentHub> hub_;
};

TEST_F(AgentHubTest, AsksTheAgentAndKeepsItsAnswer) {
  Subscription subscription = Sound("up:1");
  subscription.vapid_key = "\x04" + std::string(64, 'k');
  ASSERT_TRUE(hub_->Subscribe(subscription).ok());
  EXPECT_EQ(TakeSaid(), Lines{"subscribe up:1 for app key 65"});
  EXPECT_EQ(TakeHeard(), Lines{});
  agent().on_endpoint("up:1", "https://e/1");
  EXPECT_EQ(TakeHeard(), Lines{"endpoint up:1 https://e/1"});
  ASSERT_NE(hub_->Find("up:1"), nullptr);
  EXPECT_EQ(hub_->Find("up:1")->endpoint, "https://e/1");

  StartHub();
  EXPECT_EQ(TakeSaid(), Lines{"subscribe up:1 for app key 65"});
  ASSERT_NE(hub_->Find("up:1"), nullptr);
  EXPECT_EQ(hub_->Find("up:1")->endpoint, "https://e/1");
  EXPECT_EQ(hub_->Find("up:1")->note, "note");
}

TEST_F(AgentHubTest, AKnownEndpointIsToldWithoutTheAgentAndInATurnOfItsOwn) {
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  agent().on_endpoint("up:1", "https://e/1");
  TakeSaid();
  TakeHeard();
  Subscription again = Sound("up:1");
  again.note = "another note";
  ASSERT_TRUE(hub_->Subscribe(again).ok());
  EXPECT_EQ(front_.heard, Lines{});
  EXPECT_EQ(TakeHeard(), Lines{"endpoint up:1 https://e/1"});
  EXPECT_EQ(TakeSaid(), Lines{});
  StartHub();
  EXPECT_EQ(hub_->Find("up:1")->note, "another note");
  EXPECT_EQ(hub_->Find("up:1")->endpoint, "https://e/1");
}

TEST_F(AgentHubTest, ADeadOneStaysDeadUntilTheAgentHasNotedIt) {
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  agent().on_endpoint("up:1", "https://e/1");
  ASSERT_TRUE(hub_->Unsubscribe("up:1").ok());
  EXPECT_EQ(hub_->Find("up:1"), nullptr);
  EXPECT_TRUE(hub_->List("").empty());
  EXPECT_TRUE(absl::IsInvalidArgument(hub_->Subscribe(Sound("up:1"))));

  StartHub();
  EXPECT_EQ(TakeSaid(), Lines{"unsubscribe up:1"});
  EXPECT_EQ(hub_->Find("up:1"), nullptr);
  agent().on_unsubscribed("up:1");
  EXPECT_EQ(TakeHeard(), Lines{"unsubscribed up:1"});
  StartHub();
  EXPECT_EQ(TakeSaid(), Lines{});
  EXPECT_TRUE(hub_->Unsubscribe("up:1").ok());
  EXPECT_EQ(TakeSaid(), Lines{});
}

TEST_F(AgentHubTest, TheUserDecidesWhetherSendersLearnWhatBecameOfTheirs) {
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  EXPECT_EQ(TakeSaid(), Lines{"subscribe up:1 for app key 0"});
  // Also of those that live already.
  StartHub(/*receipts=*/true);
  EXPECT_EQ(TakeSaid(), Lines{"subscribe up:1 for app key 0 with receipts"});
  ASSERT_TRUE(hub_->Subscribe(Sound("up:2")).ok());
  EXPECT_EQ(TakeSaid(), Lines{"subscribe up:2 for app key 0 with receipts"});
  StartHub();
  EXPECT_EQ(TakeSaid(),
            (Lines{"subscribe up:1 for app key 0", "subscribe up:2 for app key 0"}));
}

TEST_F(AgentHubTest, HandsOnWhatIsOfALivingSubscription) {
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  agent().on_endpoint("up:1", "https://e/1");
  TakeSaid();
  TakeHeard();
  agent::v1::Delivery delivery;
  delivery.set_instance("up:1");
  delivery.set_delivery_id(7);
  delivery.set_message_id("id");
  delivery.set_payload("payload");
  delivery.mutable_content()->set_door(agent::v1::Content::WEB_PUSH);
  delivery.mutable_content()->set_encoding("aesgcm");
  delivery.mutable_content()->set_encryption("salt=s");
  delivery.mutable_content()->set_crypto_key("dh=d");
  delivery.set_priority(agent::v1::HIGH);
  delivery.set_redelivered(true);
  agent().on_delivery(delivery);
  agent::v1::Gap gap;
  gap.set_instance("up:1");
  gap.set_dropped(3);
  gap.set_delivery_id(8);
  agent().on_gap(gap);
  EXPECT_EQ(TakeHeard(), (Lines{"message up:1 7", "gap up:1 3 8"}));
  const Message& message = front_.messages.at(0);
  EXPECT_EQ(message.message_id, "id");
  EXPECT_EQ(message.payload, "payload");
  EXPECT_EQ(message.door, agent::v1::Content::WEB_PUSH);
  EXPECT_EQ(message.encoding, "aesgcm");
  EXPECT_EQ(message.encryption, "salt=s");
  EXPECT_EQ(message.crypto_key, "dh=d");
  EXPECT_EQ(message.priority, agent::v1::HIGH);
  EXPECT_TRUE(message.redelivered);
  hub_->Ack("up:1", 7);
  EXPECT_EQ(TakeSaid(), Lines{"ack up:1 7"});

  ASSERT_TRUE(hub_->Unsubscribe("up:1").ok());
  TakeSaid();
  agent().on_delivery(delivery);
  agent().on_gap(gap);
  hub_->Ack("up:1", 8);
  EXPECT_EQ(TakeHeard(), Lines{});
  EXPECT_EQ(TakeSaid(), Lines{});
}

TEST_F(AgentHubTest, CountsWhatItCarries) {
  const auto report = [this] {
    metrics::Samples samples;
    hub_->Report(&samples);
    std::map<std::string, double> values;
    for (const prometheus::MetricFamily& family : samples.Take()) {
      for (const prometheus::ClientMetric& metric : family.metric) {
        std::string name = family.name;
        for (const auto& label : metric.label) absl::StrAppend(&name, " ", label.value);
        values[name] = metric.counter.value + metric.gauge.value;
      }
    }
    return values;
  };
  EXPECT_EQ(report()["bellwire_companion_connected"], 0);
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  ASSERT_TRUE(hub_->Subscribe(Sound("up:2")).ok());
  ASSERT_TRUE(hub_->Subscribe(Sound("ff:1")).ok());
  agent().on_connected("");
  agent::v1::Delivery delivery;
  delivery.set_instance("up:1");
  delivery.set_delivery_id(7);
  agent().on_delivery(delivery);
  agent::v1::Gap gap;
  gap.set_instance("up:1");
  gap.set_dropped(3);
  agent().on_gap(gap);
  std::map<std::string, double> values = report();
  EXPECT_EQ(values["bellwire_companion_connected"], 1);
  EXPECT_EQ(values["bellwire_companion_subscriptions unifiedpush"], 2);
  EXPECT_EQ(values["bellwire_companion_subscriptions browser"], 1);
  EXPECT_EQ(values["bellwire_companion_messages_total unifiedpush received"], 1);
  EXPECT_EQ(values["bellwire_companion_messages_total unifiedpush taken"], 0);
  EXPECT_EQ(values["bellwire_companion_messages_total unifiedpush dropped"], 3);
  hub_->Ack("up:1", 7);
  ASSERT_TRUE(hub_->Unsubscribe("up:2").ok());
  agent().on_disconnected();
  values = report();
  EXPECT_EQ(values["bellwire_companion_connected"], 0);
  EXPECT_EQ(values["bellwire_companion_subscriptions unifiedpush"], 1);
  EXPECT_EQ(values["bellwire_companion_messages_total unifiedpush taken"], 1);
  EXPECT_EQ(values["bellwire_companion_messages_total browser received"], 0);
  // What is of a subscription that has ended is nobody's.
  hub_->Ack("up:2", 8);
  EXPECT_EQ(report()["bellwire_companion_messages_total unifiedpush taken"], 1);
}

TEST_F(AgentHubTest, OneThatIsRefusedAtFirstIsForgotten) {
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  TakeSaid();
  agent().on_error("up:1", Error::VAPID_REQUIRED, "give a key");
  EXPECT_EQ(TakeHeard(), Lines{"error up:1 VAPID_REQUIRED"});
  EXPECT_EQ(TakeSaid(), Lines{"unsubscribe up:1"});
  EXPECT_EQ(hub_->Find("up:1"), nullptr);
  // Subscribed anew before the agent has answered that.
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  agent().on_unsubscribed("up:1");
  EXPECT_NE(hub_->Find("up:1"), nullptr);
  EXPECT_EQ(TakeHeard(), Lines{});
}

TEST_F(AgentHubTest, OneThatHasAnEndpointOutlivesAnError) {
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  agent().on_endpoint("up:1", "https://e/1");
  TakeHeard();
  agent().on_error("up:1", Error::SUBSCRIPTIONS_OFF, "off");
  EXPECT_EQ(TakeHeard(), Lines{"error up:1 SUBSCRIPTIONS_OFF"});
  EXPECT_NE(hub_->Find("up:1"), nullptr);
}

TEST_F(AgentHubTest, FrontsHearOfTheirOwnPrefixOnly) {
  Front browsers;
  hub_->Attach("push:", &browsers);
  ASSERT_TRUE(hub_->Subscribe(Sound("push:1")).ok());
  agent().on_endpoint("push:1", "https://e/1");
  EXPECT_EQ(TakeHeard(), Lines{});
  EXPECT_EQ(std::exchange(browsers.heard, {}), Lines{"endpoint push:1 https://e/1"});
  agent().on_connected("inbox");
  agent().on_disconnected();
  EXPECT_EQ(TakeHeard(), (Lines{"agent", "no agent"}));
  EXPECT_EQ(browsers.heard, (Lines{"agent", "no agent"}));

  // What nobody attached to is not asked for: its messages wait in the agent.
  StartHub();
  EXPECT_EQ(TakeSaid(), Lines{});
  hub_->Attach("push:", &browsers);
  EXPECT_EQ(TakeSaid(), Lines{"subscribe push:1 for app key 0"});
}

TEST_F(AgentHubTest, TheKeyAndTheOwnerAreForLife) {
  ASSERT_TRUE(hub_->Subscribe(Sound("up:1")).ok());
  Subscription other = Sound("up:1");
  other.owner = "other";
  EXPECT_TRUE(absl::IsInvalidArgument(hub_->Subscribe(other)));
  other = Sound("up:1");
  other.vapid_key = "\x04" + std::string(64, 'k');
  EXPECT_TRUE(absl::IsInvalidArgument(hub_->Subscribe(other)));
}

TEST_F(AgentHubTest, AnOwnerIsBoundedTheDeadIncluded) {
  for (size_t i = 0; i < kMaxSubscriptionsPerOwner; ++i) {
    const std::string instance = absl::StrCat("up:", i);
    ASSERT_TRUE(hub_->Subscribe(Sound(instance)).ok());
    ASSERT_TRUE(hub_->Unsubscribe(instance).ok());
  }
  EXPECT_EQ(ErrorReason(hub_->Subscribe(Sound("up:more"))), "TOO_MANY_SUBSCRIPTIONS");
  Subscription other = Sound("up:other");
  other.owner = "other";
  EXPECT_TRUE(hub_->Subscribe(other).ok());
  agent().on_unsubscribed("up:0");
  EXPECT_TRUE(hub_->Subscribe(Sound("up:more")).ok());
}

}  // namespace
}  // namespace bellwire::companion
