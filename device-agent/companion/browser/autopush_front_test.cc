#include "device-agent/companion/browser/autopush_front.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/simulated_clock.h"
#include "device-agent/companion/testing/fake_hub.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::companion {
namespace {

using nlohmann::json;

std::string KeyOf(char fill) {
  std::string key(kVapidKeyBytes, fill);
  key[0] = '\x04';
  return absl::WebSafeBase64Escape(key);
}

// A browser, as far as its connection goes.
class Browser final : public AutopushPeer {
 public:
  explicit Browser(AutopushFront* front) : front_(front), session_(front->Open(this)) {}

  void Send(std::string text) override { received.push_back(json::parse(text)); }
  void Close(uint16_t code, absl::string_view) override { close_code = code; }

  void Say(const json& message) { front_->OnText(session_, message.dump()); }
  // Answers the uaid that it was given.
  std::string Hello(const std::string& uaid = "") {
    json hello = {{"messageType", "hello"}, {"broadcasts", json::object()}, {"use_webpush", true}};
    if (!uaid.empty()) hello["uaid"] = uaid;
    Say(hello);
    if (received.empty() || received.front()["messageType"] != "hello") return "";
    const json answer = Next();
    EXPECT_EQ(answer["status"], 200);
    EXPECT_EQ(answer["use_webpush"], true);
    return answer["uaid"];
  }
  void Register(const std::string& channel, char key = 'k') {
    Say({{"messageType", "register"}, {"channelID", channel}, {"key", KeyOf(key)}});
  }
  void Ack(const json& notification, int code = 100) {
    Say({{"messageType", "ack"},
         {"updates",
          {{{"channelID", notification["channelID"]},
            {"version", notification["version"]},
            {"code", code}}}}});
  }
  void Leave() { front_->OnClosed(session_); }

  json Next() {
    EXPECT_FALSE(received.empty());
    if (received.empty()) return json::object();
    json first = received.front();
    received.erase(received.begin());
    return first;
  }

  std::vector<json> received;
  uint16_t close_code = 0;

 private:
  AutopushFront* const front_;
  const AutopushFront::Session session_;
};

class AutopushFrontTest : public testing::Test {
 protected:
  AutopushFrontTest() { Start(); }

  // The companion, for the first time or anew: the hub is the disk.
  void Start() {
    front_.reset();
    front_ = std::make_unique<AutopushFront>(&hub_, &clock_, [this](size_t bytes) {
      return absl::StrCat(std::string(2 * bytes - 4, 'a'), absl::Dec(++ids_, absl::kZeroPad4));
    });
    hub_.Run();
  }

  // A channel of the browser with an endpoint.
  json Subscribe(Browser* browser, const std::string& channel, char key = 'k') {
    browser->Register(channel, key);
    hub_.Run();
    return browser->Next();
  }

  std::string InstanceOf(const std::string& channel) {
    for (const Subscription& known : hub_.List(kBrowserInstancePrefix)) {
      if (absl::StrContains(known.instance, absl::StrCat(":", channel, ":"))) return known.instance;
    }
    return "";
  }

  uint64_t Deliver(const std::string& channel, const std::string& id) {
    const uint64_t delivery = hub_.Deliver({.instance = InstanceOf(channel),
                                            .message_id = id,
                                            .payload = "secret",
                                            .encoding = "aes128gcm"});
    hub_.Run();
    return delivery;
  }

  SimulatedClock clock_;
  FakeHub hub_;
  int ids_ = 0;
  std::unique_ptr<AutopushFront> front_;
};

TEST_F(AutopushFrontTest, SubscribesAndDelivers) {
  Browser browser(front_.get());
  const std::string uaid = browser.Hello();
  EXPECT_EQ(uaid.size(), 32u);
  const json answer = Subscribe(&browser, "c1");
  EXPECT_EQ(answer["messageType"], "register");
  EXPECT_EQ(answer["channelID"], "c1");
  EXPECT_EQ(answer["status"], 200);
  EXPECT_EQ(answer["pushEndpoint"], "https://push.example.com/wpush/1");
  const Subscription* known = hub_.Find(InstanceOf("c1"));
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->owner, "browser " + uaid);
  EXPECT_EQ(known->vapid_key.size(), kVapidKeyBytes);

  const uint64_t delivery = Deliver("c1", "m1");
  const json notification = browser.Next();
  EXPECT_EQ(notification["messageType"], "notification");
  EXPECT_EQ(notification["channelID"], "c1");
  EXPECT_EQ(notification["version"], "m1");
  EXPECT_EQ(notification["data"], absl::WebSafeBase64Escape("secret"));
  EXPECT_TRUE(hub_.acks().empty());
  browser.Ack(notification);
  ASSERT_EQ(hub_.acks().size(), 1u);
  EXPECT_EQ(hub_.acks()[0], std::make_pair(InstanceOf("c1"), delivery));
}

TEST_F(AutopushFrontTest, HelloIsTheFirstMessageAndOnlyThat) {
  Browser early(front_.get());
  early.Say(json::object());
  EXPECT_EQ(early.close_code, kCloseProtocolError);
  Browser twice(front_.get());
  twice.Hello();
  twice.Hello();
  EXPECT_EQ(twice.close_code, kCloseProtocolError);
  Browser silent(front_.get());
  clock_.Advance(kHelloPatience);
  ASSERT_TRUE(front_->NextDeadline().has_value());
  EXPECT_LE(*front_->NextDeadline(), clock_.Monotonic());
  front_->OnDeadline();
  EXPECT_EQ(silent.close_code, kCloseProtocolError);
  EXPECT_FALSE(front_->NextDeadline().has_value());
}

TEST_F(AutopushFrontTest, AKnownBrowserKeepsItsIdAndAStrangerGetsANewOne) {
  std::string uaid;
  {
    Browser browser(front_.get());
    uaid = browser.Hello();
    Subscribe(&browser, "c1");
    browser.Leave();
  }
  Start();
  Browser again(front_.get());
  EXPECT_EQ(again.Hello(uaid), uaid);
  Browser stranger(front_.get());
  const std::string other = stranger.Hello(std::string(32, 'f'));
  EXPECT_NE(other, std::string(32, 'f'));
  EXPECT_NE(other, uaid);
  // Without a subscription there is nothing to come back to.
  stranger.Leave();
  Browser later(front_.get());
  EXPECT_NE(later.Hello(other), other);
}

TEST_F(AutopushFrontTest, TheNewestConnectionOfAProfileWins) {
  Browser older(front_.get());
  const std::string uaid = older.Hello();
  Subscribe(&older, "c1");
  Deliver("c1", "m1");
  Browser newer(front_.get());
  EXPECT_EQ(newer.Hello(uaid), uaid);
  EXPECT_EQ(older.close_code, kCloseReplaced);
  // What the older one did not acknowledge comes again.
  const json first = newer.Next();
  EXPECT_EQ(first["version"], "m1");
  newer.Ack(first);
  older.Leave();
  Deliver("c1", "m2");
  EXPECT_EQ(newer.Next()["version"], "m2");
}

TEST_F(AutopushFrontTest, SeveralBrowsersGetTheirOwn) {
  Browser one(front_.get());
  Browser two(front_.get());
  EXPECT_NE(one.Hello(), two.Hello());
  Subscribe(&one, "c1");
  Subscribe(&two, "c2");
  Deliver("c2", "m");
  EXPECT_TRUE(one.received.empty());
  EXPECT_EQ(two.Next()["channelID"], "c2");
  // Nor can one of them acknowledge or end what the other has.
  one.Say({{"messageType", "ack"}, {"updates", {{{"channelID", "c2"}, {"version", "m"}}}}});
  one.Say({{"messageType", "unregister"}, {"channelID", "c2"}});
  EXPECT_TRUE(hub_.acks().empty());
  EXPECT_NE(InstanceOf("c2"), "");
}

TEST_F(AutopushFrontTest, MessagesWaitForTheBrowserInOrder) {
  Browser browser(front_.get());
  const std::string uaid = browser.Hello();
  Subscribe(&browser, "c1");
  Subscribe(&browser, "c2");
  Deliver("c1", "m1");
  browser.Ack(browser.Next());
  Deliver("c1", "m2");
  browser.Leave();
  Deliver("c2", "m3");
  Deliver("c1", "m4");
  Browser back(front_.get());
  back.Hello(uaid);
  const json second = back.Next();
  EXPECT_EQ(second["version"], "m2");
  EXPECT_EQ(back.Next()["version"], "m3");
  EXPECT_TRUE(back.received.empty());
  back.Ack(second);
  EXPECT_EQ(back.Next()["version"], "m4");
}

// Firefox decrypts two messages of one channel in any order.
TEST_F(AutopushFrontTest, OneOfEachChannelIsInFlight) {
  Browser browser(front_.get());
  browser.Hello();
  Subscribe(&browser, "c1");
  Subscribe(&browser, "c2");
  Deliver("c1", "m1");
  Deliver("c1", "m2");
  Deliver("c2", "m3");
  const json first = browser.Next();
  EXPECT_EQ(first["version"], "m1");
  const json of_the_other = browser.Next();
  EXPECT_EQ(of_the_other["version"], "m3");
  EXPECT_TRUE(browser.received.empty());
  // What was not sent yet can't be acknowledged.
  browser.Ack({{"channelID", "c1"}, {"version", "m2"}});
  EXPECT_TRUE(hub_.acks().empty());
  browser.Ack(of_the_other);
  EXPECT_TRUE(browser.received.empty());
  browser.Ack(first);
  EXPECT_EQ(browser.Next()["version"], "m2");
}

TEST_F(AutopushFrontTest, NotificationsInFlightAreBounded) {
  Browser browser(front_.get());
  browser.Hello();
  const size_t all = kMaxNotificationsInFlight + 5;
  for (size_t i = 0; i < all; ++i) Subscribe(&browser, absl::StrCat("c", i));
  for (size_t i = 0; i < all; ++i) Deliver(absl::StrCat("c", i), absl::StrCat("m", i));
  EXPECT_EQ(browser.received.size(), kMaxNotificationsInFlight);
  // Out of order, as service workers answer.
  browser.Ack(browser.received[3]);
  EXPECT_EQ(browser.received.size(), kMaxNotificationsInFlight + 1);
  for (size_t i = 0; i < browser.received.size(); ++i) {
    if (i != 3) browser.Ack(browser.received[i]);
  }
  EXPECT_EQ(browser.received.size(), all);
  EXPECT_EQ(hub_.acks().size(), all);
}

// 101: it can't decrypt the message, and never will.
TEST_F(AutopushFrontTest, WhatTheBrowserCanNotUseIsDone) {
  Browser browser(front_.get());
  browser.Hello();
  Subscribe(&browser, "c1");
  Deliver("c1", "m1");
  browser.Ack(browser.Next(), 101);
  EXPECT_EQ(hub_.acks().size(), 1u);
  browser.Say({{"messageType", "nack"}, {"version", "m1"}, {"code", 301}});
  EXPECT_EQ(browser.close_code, 0);
}

TEST_F(AutopushFrontTest, UnregisterEndsTheSubscriptionAndItsMessages) {
  Browser browser(front_.get());
  browser.Hello();
  Subscribe(&browser, "c1");
  Subscribe(&browser, "c2");
  Deliver("c1", "m1");
  Deliver("c2", "m2");
  browser.Next();
  const json kept = browser.Next();
  const std::string first_life = InstanceOf("c1");
  browser.Say({{"messageType", "unregister"}, {"channelID", "c1"}, {"code", 200}});
  const json answer = browser.Next();
  EXPECT_EQ(answer["messageType"], "unregister");
  EXPECT_EQ(answer["status"], 200);
  EXPECT_EQ(InstanceOf("c1"), "");
  hub_.Run();
  EXPECT_EQ(browser.close_code, 0);
  browser.Ack(kept);
  EXPECT_EQ(hub_.acks().size(), 1u);
  // A name is not used twice, even if the browser uses its own.
  Subscribe(&browser, "c1", 'z');
  EXPECT_NE(InstanceOf("c1"), first_life);
}

TEST_F(AutopushFrontTest, RegisteringAgainAnswersTheSame) {
  Browser browser(front_.get());
  browser.Hello();
  const json first = Subscribe(&browser, "c1");
  EXPECT_EQ(Subscribe(&browser, "c1"), first);
  browser.Register("c1", 'x');
  EXPECT_EQ(browser.Next()["status"], 409);
  hub_.SetAnswers(false);
  browser.Register("c2");
  browser.Register("c2");
  browser.Register("c2", 'x');
  EXPECT_EQ(browser.Next()["status"], 409);
  hub_.GiveEndpoint(InstanceOf("c2"), "https://push.example.com/wpush/c2");
  hub_.Run();
  EXPECT_EQ(browser.Next()["status"], 200);
  EXPECT_TRUE(browser.received.empty());
}

TEST_F(AutopushFrontTest, ABrowserNeedsAKey) {
  Browser browser(front_.get());
  browser.Hello();
  browser.Say({{"messageType", "register"}, {"channelID", "c1"}});
  const json answer = browser.Next();
  EXPECT_EQ(answer["status"], 400);
  EXPECT_TRUE(absl::StartsWith(std::string(answer["reason"]), "VAPID_REQUIRED"));
}

TEST_F(AutopushFrontTest, RefusalsAreAnswers) {
  Browser browser(front_.get());
  browser.Hello();
  hub_.RefuseWith(agent::v1::Error::LIMIT_REACHED);
  EXPECT_EQ(Subscribe(&browser, "c1")["status"], 429);
  hub_.RefuseWith(agent::v1::Error::SUBSCRIPTIONS_OFF);
  EXPECT_EQ(Subscribe(&browser, "c1")["status"], 403);
  hub_.RefuseWith(agent::v1::Error::CODE_UNSPECIFIED);
  hub_.FailNextSubscribe(absl::UnavailableError("disk"));
  browser.Register("c1");
  EXPECT_EQ(browser.Next()["status"], 500);
  EXPECT_EQ(Subscribe(&browser, "c1")["status"], 200);
}

// Firefox waits for 10 s. An endpoint that comes later would be nobody's.
TEST_F(AutopushFrontTest, WithoutAnEndpointInTimeTheRegistrationEnds) {
  hub_.SetAnswers(false);
  Browser browser(front_.get());
  browser.Hello();
  browser.Register("c1");
  const std::string instance = InstanceOf("c1");
  EXPECT_NE(instance, "");
  clock_.Advance(kBrowserRegisterPatience);
  front_->OnDeadline();
  EXPECT_EQ(browser.Next()["status"], 503);
  EXPECT_EQ(InstanceOf("c1"), "");
  hub_.Run();
  EXPECT_EQ(browser.close_code, 0);
  EXPECT_TRUE(browser.received.empty());
}

TEST_F(AutopushFrontTest, ALeavingBrowserTakesItsRegistrationsAlong) {
  hub_.SetAnswers(false);
  Browser browser(front_.get());
  browser.Hello();
  browser.Register("c1");
  browser.Leave();
  EXPECT_TRUE(hub_.List(kBrowserInstancePrefix).empty());
}

TEST_F(AutopushFrontTest, RegistrationsThatWaitAreBounded) {
  hub_.SetAnswers(false);
  Browser browser(front_.get());
  browser.Hello();
  for (size_t i = 0; i < kMaxRegistering; ++i) browser.Register(absl::StrCat("c", i));
  EXPECT_TRUE(browser.received.empty());
  browser.Register("more");
  EXPECT_EQ(browser.Next()["status"], 429);
}

// There is no word for "this endpoint is another one now": the browser starts anew.
TEST_F(AutopushFrontTest, AChangedEndpointEndsTheProfile) {
  Browser browser(front_.get());
  const std::string uaid = browser.Hello();
  Subscribe(&browser, "c1");
  Subscribe(&browser, "c2");
  hub_.GiveEndpoint(InstanceOf("c1"), "https://other.example/wpush/1");
  hub_.Run();
  EXPECT_EQ(browser.close_code, kCloseGoingAway);
  browser.Leave();
  EXPECT_TRUE(hub_.List(kBrowserInstancePrefix).empty());
  Browser back(front_.get());
  EXPECT_NE(back.Hello(uaid), uaid);
}

TEST_F(AutopushFrontTest, WhatTheAgentSaysTwiceIsSaidOnce) {
  Browser browser(front_.get());
  browser.Hello();
  Subscribe(&browser, "c1");
  Message message{.instance = InstanceOf("c1"), .delivery_id = 7, .message_id = "m1"};
  front_->OnMessage(message);
  front_->OnMessage(message);
  EXPECT_EQ(browser.Next()["version"], "m1");
  EXPECT_TRUE(browser.received.empty());
  // An agent that lost its inbox gives the number to another message: the first can't be
  // acknowledged.
  message.message_id = "m2";
  front_->OnMessage(message);
  const json second = browser.Next();
  EXPECT_EQ(second["version"], "m2");
  browser.Ack({{"channelID", "c1"}, {"version", "m1"}});
  EXPECT_TRUE(hub_.acks().empty());
  browser.Ack(second);
  EXPECT_EQ(hub_.acks().size(), 1u);
}

TEST_F(AutopushFrontTest, AnUnansweredRegistrationDoesNotOutliveTheCompanion) {
  hub_.SetAnswers(false);
  Browser browser(front_.get());
  browser.Hello();
  browser.Register("c1");
  // As after a crash: the disk has it, and nobody was told.
  FakeHub disk = hub_;
  const AutopushFront anew(&disk, &clock_, [](size_t) { return std::string("x"); });
  EXPECT_TRUE(disk.List(kBrowserInstancePrefix).empty());
}

TEST_F(AutopushFrontTest, AGapIsAcknowledged) {
  Browser browser(front_.get());
  browser.Hello();
  Subscribe(&browser, "c1");
  const uint64_t delivery = hub_.DeliverGap(InstanceOf("c1"), 3);
  hub_.Run();
  ASSERT_EQ(hub_.acks().size(), 1u);
  EXPECT_EQ(hub_.acks()[0].second, delivery);
  EXPECT_TRUE(browser.received.empty());
}

TEST_F(AutopushFrontTest, ProfilesThatAreNotSeenForLongEnd) {
  std::string seen;
  {
    Browser gone(front_.get());
    gone.Hello();
    Subscribe(&gone, "gone");
    gone.Leave();
    Browser browser(front_.get());
    seen = browser.Hello();
    Subscribe(&browser, "seen");
    browser.Leave();
  }
  clock_.Advance(kProfileLife / 2);
  {
    Browser browser(front_.get());
    EXPECT_EQ(browser.Hello(seen), seen);
    browser.Leave();
  }
  clock_.Advance(kProfileLife / 2 + absl::Hours(48));
  Start();
  EXPECT_EQ(InstanceOf("gone"), "");
  EXPECT_NE(InstanceOf("seen"), "");
}

TEST_F(AutopushFrontTest, PingsAndUnknownMessages) {
  Browser browser(front_.get());
  browser.Hello();
  browser.Say(json::object());
  EXPECT_EQ(browser.Next(), json::object());
  browser.Say({{"messageType", "broadcast_subscribe"}, {"broadcasts", {{"a/b", "1"}}}});
  browser.Say({{"messageType", "invented later"}});
  EXPECT_TRUE(browser.received.empty());
  EXPECT_EQ(browser.close_code, 0);
}

}  // namespace
}  // namespace bellwire::companion
