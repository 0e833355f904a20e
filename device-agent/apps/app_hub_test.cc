// The hub alone: what it says to streams that take as much as the test lets them.

#include "device-agent/apps/app_hub.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/testing/pushes.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"

namespace bellwire::agent {
namespace {

using Strings = std::vector<std::string>;

constexpr char kMail[] = "com.example.mail";
constexpr uid_t kUser = 1000;
// What it is called inside.
constexpr char kMailKey[] = "app:1000::com.example.mail";
constexpr size_t kNoEnd = 1'000'000;

// The hub's end of a connection. Frames beyond `room` count as not read by the app.
class Stream final : public net::Stream {
 public:
  void SetDelegate(Delegate* delegate) override { delegate_ = delegate; }
  void Write(absl::string_view data) override {
    const absl::Status status = decoder_.Feed(data, [this](absl::string_view body) {
      said.emplace_back().ParseFromString(std::string(body));
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  size_t buffered_bytes() const override { return said.size() < room ? 0 : 1; }
  void Close() override { delegate_ = nullptr; }
  void PauseReading() override {}
  void ResumeReading() override {}
  std::string peer_name() const override { return "app"; }

  void Hear(const v1::AppFrame& frame) {
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    delegate_->OnData(bytes);
  }
  // The app reads so many frames more.
  void MakeRoom(size_t frames) {
    room = said.size() + frames;
    delegate_->OnDrained();
  }
  // What was said since the last call, such as "hello_ok", "endpoint a", "a: message 1", "message
  // 1".
  Strings Said() {
    Strings result;
    for (; told_ < said.size(); ++told_) result.push_back(Text(said[told_]));
    return result;
  }

  size_t room = kNoEnd;
  std::vector<v1::AgentFrame> said;

 private:
  static std::string Text(const v1::AgentFrame& frame) {
    if (frame.has_hello_ok()) return "hello_ok";
    if (frame.has_registered()) return "token";
    if (frame.has_topic_changed()) {
      return absl::StrCat(frame.topic_changed().subscribed() ? "+" : "-",
                          frame.topic_changed().topic(), " ",
                          v1::TopicChanged::Outcome_Name(frame.topic_changed().outcome()));
    }
    if (frame.has_subscribed()) return absl::StrCat("endpoint ", frame.subscribed().instance());
    if (frame.has_error()) {
      return absl::StrCat("error ", frame.error().instance(), " ",
                          v1::Error::Code_Name(frame.error().code()));
    }
    const std::string& instance = frame.delivery().instance();
    return absl::StrCat(instance, instance.empty() ? "" : ": ", frame.delivery().payload());
  }

  Delegate* delegate_ = nullptr;
  net::FrameDecoder decoder_{kMaxFrameBytes};
  size_t told_ = 0;
};

class AppHubTest : public testing::Test, private AppHub::Owner {
 protected:
  ~AppHubTest() override {
    hub_.CloseAll();
    loop_.RunUntilIdle();
  }

  Stream* Connect() {
    auto owned = std::make_unique<Stream>();
    Stream* const stream = owned.get();
    hub_.Accept(std::move(owned), kUser);
    return stream;
  }
  Stream* ConnectApp() {
    Stream* const stream = Connect();
    v1::AppFrame frame;
    frame.mutable_hello()->set_app_id(kMail);
    stream->Hear(frame);
    frame.mutable_register_();
    stream->Hear(frame);
    return stream;
  }
  Stream* ConnectCompanion() {
    Stream* const stream = Connect();
    v1::AppFrame frame;
    frame.mutable_hello()->set_companion(true);
    stream->Hear(frame);
    return stream;
  }
  static void Subscribe(Stream* stream, const std::string& instance) {
    v1::AppFrame frame;
    frame.mutable_subscribe()->set_instance(instance);
    frame.mutable_subscribe()->set_owner("o");
    stream->Hear(frame);
  }

  static void ChangeTopic(Stream* stream, const std::string& topic, bool subscribed = true) {
    v1::AppFrame frame;
    frame.mutable_change_topic()->set_topic(topic);
    frame.mutable_change_topic()->set_subscribed(subscribed);
    stream->Hear(frame);
  }

  void Register(const std::string& app_id, uint64_t registration_id) {
    std::optional<Subscription> subscription;
    if (IsSubscriptionKey(app_id)) subscription = Subscription{.owner = "o"};
    ASSERT_TRUE(inbox_->Register(app_id, {kUser, registration_id, "t", subscription}).ok());
  }
  void Receive(const device::v1::Push& push) {
    InboxBatch batch;
    batch.incoming.push_back(push);
    const auto applied = inbox_->Apply(batch);
    ASSERT_TRUE(applied.ok()) << applied.status();
    for (const std::string& app_id : applied->apps_with_news) hub_.Deliver(app_id);
  }

  SimulatedClock clock_;
  net::SimulatedLoop loop_{&clock_};
  TempDir dir_;
  std::unique_ptr<Inbox> inbox_ = *Inbox::Open(dir_.path("inbox.db"), &clock_);
  AppHub hub_{&loop_, inbox_.get(), /*agent_uid=*/900, this};
  Strings wanted_;
  // Changes of topics that the hub told, and apps of which it said that nobody waits.
  std::vector<v1::ChangeTopic> changes_;
  Strings forgotten_;

 private:
  void WantToken(const std::string& app_id, const AppOwner&, std::optional<Subscription>) override {
    wanted_.push_back(app_id);
  }
  void UnwantToken(const std::string&) override {}
  void OnAppConnected(const std::string&) override {}
  void OnAppLeft(const std::string&) override {}
  int StartsOf(const std::string&) override { return 0; }
  absl::Status Unregister(const std::string& app_id) override { return inbox_->Unregister(app_id); }
  void OnTaken(const std::string&, std::vector<uint64_t>) override {}
  void ChangeTopic(const std::string& app_id, const AppOwner& owner, uint64_t registration_id,
                   const v1::ChangeTopic& change) override {
    EXPECT_EQ(app_id, kMailKey);
    EXPECT_EQ(owner, kUser);
    EXPECT_EQ(registration_id, 1u);
    changes_.push_back(change);
  }
  void ForgetTopicChanges(const std::string& app_id) override { forgotten_.push_back(app_id); }
  void SetActivity(v1::Activity) override {}
  absl::Status SetNetwork(const v1::SetNetwork&) override { return absl::OkStatus(); }
  absl::StatusOr<bool> Enroll(const std::string&) override { return false; }
  void FillStatus(v1::Status*) override {}
};

// It had expired when its turn came, and nobody had noticed yet; then the server said that it is
// earlier.
TEST_F(AppHubTest, WhatHadExpiredIsPassedOverForGood) {
  Register(kMailKey, 1);
  device::v1::Push brief = TestPush(1, 1, clock_);
  brief.set_expires_at_ms(brief.accepted_at_ms() + 1000);
  Receive(brief);
  Receive(TestPush(2, 1, clock_));
  const absl::Time before = inbox_->ServerNow();
  clock_.Advance(absl::Seconds(2));
  Stream* const app = ConnectApp();
  EXPECT_EQ(app->Said(), (Strings{"hello_ok", "token", "message 2"}));
  ASSERT_TRUE(inbox_->SetServerTime(before).ok());
  Stream* const again = ConnectApp();
  EXPECT_EQ(again->Said(), (Strings{"hello_ok", "token", "message 2"}));
}

TEST_F(AppHubTest, NewsWaitForRoomAndComeBeforeMessages) {
  Stream* const companion = ConnectCompanion();
  Subscribe(companion, "a");
  EXPECT_EQ(wanted_, Strings{"sub:1000:a"});
  EXPECT_EQ(companion->Said(), Strings{"hello_ok"});
  companion->room = 0;
  Register("sub:1000:a", 1);
  hub_.OnRegistered("sub:1000:a");
  Receive(TestPush(1, 1, clock_));
  // The server gave another one meanwhile: that one counts.
  hub_.OnRegistered("sub:1000:a");
  EXPECT_EQ(companion->Said(), Strings{});
  companion->MakeRoom(1);
  EXPECT_EQ(companion->Said(), Strings{"endpoint a"});
  companion->MakeRoom(1);
  EXPECT_EQ(companion->Said(), Strings{"a: message 1"});
  companion->room = 0;
  hub_.OnRefused("sub:1000:a", v1::Error::SUBSCRIPTIONS_OFF, "");
  EXPECT_EQ(companion->Said(), Strings{});
  companion->MakeRoom(1);
  EXPECT_EQ(companion->Said(), Strings{"error a SUBSCRIPTIONS_OFF"});
}

TEST_F(AppHubTest, AChangeOfATopicIsPassedOnAndAnswered) {
  Register(kMailKey, 1);
  Stream* const app = ConnectApp();
  AppHubTest::ChangeTopic(app, "news");
  AppHubTest::ChangeTopic(app, "news", false);
  ASSERT_EQ(changes_.size(), 2u);
  EXPECT_EQ(app->Said(), (Strings{"hello_ok", "token"}));
  hub_.OnTopicChanged(kMailKey, changes_[0], v1::TopicChanged::OK);
  hub_.OnTopicChanged(kMailKey, changes_[1], v1::TopicChanged::NOT_CONNECTED);
  EXPECT_EQ(app->Said(), (Strings{"+news OK", "-news NOT_CONNECTED"}));
  EXPECT_EQ(forgotten_, Strings{});
  Stream* const newer = ConnectApp();
  EXPECT_EQ(forgotten_, Strings{kMailKey}) << "who asked has gone";
  EXPECT_EQ(newer->Said(), (Strings{"hello_ok", "token"}));
}

TEST_F(AppHubTest, OnlyAnAppThatHasItsTokenHasTopics) {
  Stream* const app = ConnectApp();
  AppHubTest::ChangeTopic(app, "news");
  EXPECT_EQ(app->Said(), (Strings{"hello_ok", "+news UNREGISTERED"}));
  Stream* const companion = ConnectCompanion();
  AppHubTest::ChangeTopic(companion, "news");
  EXPECT_EQ(companion->Said(), (Strings{"hello_ok", "error  PROTOCOL_ERROR"}));
  EXPECT_TRUE(changes_.empty());
}

TEST_F(AppHubTest, OneConnectionHasSoManyOpenChanges) {
  Register(kMailKey, 1);
  Stream* const app = ConnectApp();
  for (size_t i = 0; i <= kMaxOpenTopicChanges; ++i) AppHubTest::ChangeTopic(app, "news");
  EXPECT_EQ(changes_.size(), kMaxOpenTopicChanges);
  EXPECT_EQ(app->Said(), (Strings{"hello_ok", "token", "+news LIMIT_REACHED"}));
  // An answer that the app has not read yet still counts.
  app->room = 0;
  hub_.OnTopicChanged(kMailKey, changes_[0], v1::TopicChanged::OK);
  EXPECT_EQ(app->Said(), Strings{});
  app->MakeRoom(1);
  EXPECT_EQ(app->Said(), Strings{"+news OK"});
  app->MakeRoom(kNoEnd / 2);
  AppHubTest::ChangeTopic(app, "mail");
  EXPECT_EQ(changes_.back().topic(), "mail");
}

TEST_F(AppHubTest, APolicyHoldsForWhoIsConnectedAlready) {
  Register(kMailKey, 1);
  Stream* const app = ConnectApp();
  Stream* const companion = ConnectCompanion();
  hub_.SetPolicy(*AppPolicy::Parse("com.example.mail uid=1000"));
  EXPECT_EQ(app->Said(), (Strings{"hello_ok", "token"})) << "it may";
  hub_.SetPolicy(*AppPolicy::Parse("com.example.mail uid=1001"));
  EXPECT_EQ(app->Said(), (Strings{"error  PERMISSION_DENIED"}));
  EXPECT_FALSE(hub_.IsConnected(kMailKey));
  hub_.SetPolicy(*AppPolicy::Parse("* nobody"));
  EXPECT_EQ(companion->Said(), Strings{"hello_ok"}) << "a companion has no app id";
  hub_.SetPolicy(AppPolicy());
  EXPECT_EQ(ConnectApp()->Said(), (Strings{"hello_ok", "token"}));
}

TEST_F(AppHubTest, WhatAProgramIsCountsWhereThePolicySaysSo) {
  hub_.SetPolicy(*AppPolicy::Parse("com.example.mail executable=/usr/bin/mail"));
  const auto says_hello = [this](const std::string& executable) {
    auto owned = std::make_unique<Stream>();
    Stream* const stream = owned.get();
    hub_.Accept(std::move(owned), kUser, executable);
    v1::AppFrame frame;
    frame.mutable_hello()->set_app_id(kMail);
    stream->Hear(frame);
    return stream->Said();
  };
  EXPECT_EQ(says_hello("/usr/bin/mail"), Strings{"hello_ok"});
  EXPECT_EQ(says_hello("/tmp/mail"), Strings{"error  PERMISSION_DENIED"});
  EXPECT_EQ(says_hello(""), Strings{"error  PERMISSION_DENIED"})
      << "what is not known is not right";
}

TEST_F(AppHubTest, SubscriptionsTakeTurns) {
  Stream* const companion = ConnectCompanion();
  for (const char* name : {"a", "b"}) {
    Register(absl::StrCat("sub:1000:", name), *name);
    Subscribe(companion, name);
  }
  EXPECT_EQ(companion->Said(), (Strings{"hello_ok", "endpoint a", "endpoint b"}));
  companion->room = 0;
  for (uint64_t seq = 1; seq <= 10; ++seq) Receive(TestPush(seq, 'a', clock_));
  for (uint64_t seq = 11; seq <= 12; ++seq) Receive(TestPush(seq, 'b', clock_));
  Strings said;
  for (int i = 0; i < 12; ++i) {
    companion->MakeRoom(1);
    for (std::string& text : companion->Said()) said.push_back(std::move(text));
  }
  ASSERT_EQ(said.size(), 12u);
  // The one that has many does not hold up the other, however little fits at a time.
  EXPECT_EQ(
      Strings(said.begin(), said.begin() + 5),
      (Strings{"a: message 1", "b: message 11", "a: message 2", "b: message 12", "a: message 3"}));
}

TEST_F(AppHubTest, WhatIsUnsubscribedWhileItHasNewsIsNotSpokenOf) {
  Stream* const companion = ConnectCompanion();
  for (const char* name : {"a", "b"}) Register(absl::StrCat("sub:1000:", name), *name);
  Subscribe(companion, "a");
  Subscribe(companion, "b");
  companion->Said();
  companion->room = 0;
  Receive(TestPush(1, 'a', clock_));
  Receive(TestPush(2, 'b', clock_));
  companion->MakeRoom(1);
  EXPECT_EQ(companion->Said(), Strings{"a: message 1"});
  v1::AppFrame frame;
  frame.mutable_unsubscribe()->set_instance("b");
  companion->Hear(frame);
  companion->MakeRoom(kNoEnd);
  for (const v1::AgentFrame& said : companion->said) {
    EXPECT_NE(said.delivery().instance(), "b") << "it was taken away before its turn came";
  }
  EXPECT_TRUE(companion->said.back().has_unsubscribed());
}

}  // namespace
}  // namespace bellwire::agent
