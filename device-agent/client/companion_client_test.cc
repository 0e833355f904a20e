// The companion's client against an agent that is played frame by frame; subscriptions_test.cc of
// //device-agent/apps has a real one.

#include "device-agent/client/companion_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/limits.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {
namespace {

constexpr int kPatienceMs = 60'000;

// The agent's end: says and hears what the test says. Single-threaded.
class FakeAgent {
 public:
  explicit FakeAgent(const std::string& path) {
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
  }
  ~FakeAgent() {
    Drop();
    close(listener_);
  }

  // Takes the next connection, hears Hello, and answers it.
  void Accept(const std::string& inbox_id = "inbox") {
    pollfd ready{listener_, POLLIN, 0};
    ASSERT_EQ(poll(&ready, 1, kPatienceMs), 1) << "nobody connects";
    fd_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    decoder_ = net::FrameDecoder(kMaxFrameBytes);
    heard_.clear();
    const v1::AppFrame hello = Hear();
    EXPECT_TRUE(hello.hello().companion());
    EXPECT_EQ(hello.hello().app_id(), "");
    v1::AgentFrame answer;
    answer.mutable_hello_ok()->set_inbox_id(inbox_id);
    Say(answer);
  }
  void Drop() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  void Say(const v1::AgentFrame& frame) {
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    ASSERT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void SayEndpoint(const std::string& instance, const std::string& endpoint) {
    v1::AgentFrame frame;
    frame.mutable_subscribed()->set_instance(instance);
    frame.mutable_subscribed()->set_endpoint(endpoint);
    Say(frame);
  }
  void SayUnsubscribed(const std::string& instance) {
    v1::AgentFrame frame;
    frame.mutable_unsubscribed()->set_instance(instance);
    Say(frame);
  }
  void SayDelivery(const std::string& instance, uint64_t id, const std::string& payload) {
    v1::AgentFrame frame;
    frame.mutable_delivery()->set_instance(instance);
    frame.mutable_delivery()->set_delivery_id(id);
    frame.mutable_delivery()->set_message_id(absl::StrCat("uuid of ", payload));
    frame.mutable_delivery()->set_payload(payload);
    Say(frame);
  }
  void SayError(const std::string& instance, v1::Error::Code code) {
    v1::AgentFrame frame;
    frame.mutable_error()->set_instance(instance);
    frame.mutable_error()->set_code(code);
    Say(frame);
  }

  // The next frame.
  v1::AppFrame Hear() {
    char buffer[4096];
    while (heard_.empty()) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, kPatienceMs) != 1) break;
      const ssize_t n = read(fd_, buffer, sizeof(buffer));
      if (n <= 0) break;
      EXPECT_TRUE(decoder_
                      .Feed(absl::string_view(buffer, static_cast<size_t>(n)),
                            [this](absl::string_view body) {
                              heard_.emplace_back().ParseFromString(std::string(body));
                              return true;
                            })
                      .ok());
    }
    if (heard_.empty()) {
      ADD_FAILURE() << "nothing more is said";
      return v1::AppFrame();
    }
    v1::AppFrame frame = heard_.front();
    heard_.pop_front();
    return frame;
  }
  // The next frame, as "subscribe a", "unsubscribe a" or "ack a 1 2".
  std::string HearText() {
    const v1::AppFrame frame = Hear();
    if (frame.has_subscribe()) return absl::StrCat("subscribe ", frame.subscribe().instance());
    if (frame.has_unsubscribe()) {
      return absl::StrCat("unsubscribe ", frame.unsubscribe().instance());
    }
    std::string text = absl::StrCat("ack ", frame.ack().instance());
    for (const uint64_t id : frame.ack().delivery_ids()) absl::StrAppend(&text, " ", id);
    return text;
  }

 private:
  int listener_ = -1;
  int fd_ = -1;
  net::FrameDecoder decoder_{kMaxFrameBytes};
  std::deque<v1::AppFrame> heard_;
};

v1::Subscribe Wish(const std::string& instance) {
  v1::Subscribe wish;
  wish.set_instance(instance);
  wish.set_owner("org.example.App");
  return wish;
}

class CompanionClientTest : public testing::Test {
 protected:
  CompanionClientTest() {
    CompanionCallbacks callbacks;
    callbacks.on_connected = [this](const std::string& inbox) { Note("connected ", inbox); };
    callbacks.on_disconnected = [this] { Note("disconnected"); };
    callbacks.on_endpoint = [this](const std::string& instance, const std::string& endpoint) {
      Note("endpoint ", instance, " ", endpoint);
    };
    callbacks.on_unsubscribed = [this](const std::string& instance) {
      Note("unsubscribed ", instance);
    };
    callbacks.on_delivery = [this](const v1::Delivery& delivery) {
      Note("delivery ", delivery.instance(), " ", delivery.payload());
      if (takes_all_) client_->Ack(delivery.instance(), delivery.delivery_id());
    };
    callbacks.on_gap = [this](const v1::Gap& gap) {
      Note("gap ", gap.instance(), " ", gap.dropped());
    };
    callbacks.on_error = [this](const std::string& instance, v1::Error::Code code,
                                const std::string&) {
      Note("error ", instance, " ", v1::Error::Code_Name(code));
    };
    client_ = *CompanionClient::Create({.socket_path = dir_.path("agent.sock")}, callbacks);
    thread_ = std::thread([this] { end_ = client_->Run(); });
  }
  ~CompanionClientTest() override {
    client_->Stop();
    if (thread_.joinable()) thread_.join();
  }

  template <typename... Args>
  void Note(const Args&... args) {
    absl::MutexLock lock(&mutex_);
    told_.push_back(absl::StrCat(args...));
  }
  // What the client told next.
  std::string Told() {
    absl::MutexLock lock(&mutex_);
    const auto there = [this] { return !told_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Milliseconds(kPatienceMs));
    if (told_.empty()) return "nothing";
    const std::string text = told_.front();
    told_.pop_front();
    return text;
  }

  TempDir dir_;
  std::unique_ptr<CompanionClient> client_;
  absl::Mutex mutex_;
  std::deque<std::string> told_;
  std::atomic<bool> takes_all_{false};
  absl::Status end_;
  std::thread thread_;
};

TEST_F(CompanionClientTest, ChecksItsOptions) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      CompanionClient::Create({.socket_path = std::string(200, 'x')}, {}).status()));
}

TEST_F(CompanionClientTest, SaysEachSubscriptionOnEachConnection) {
  v1::Subscribe mail = Wish("mail");
  mail.set_vapid_key(std::string(65, '\4'));
  mail.set_receipts(true);
  client_->Subscribe(mail);
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept("i1");
  EXPECT_EQ(Told(), "connected i1");
  const v1::AppFrame said = agent.Hear();
  EXPECT_EQ(said.subscribe().SerializeAsString(), mail.SerializeAsString());
  client_->Subscribe(Wish("chat"));
  EXPECT_EQ(agent.HearText(), "subscribe chat");
  agent.SayEndpoint("mail", "https://push.example/1");
  EXPECT_EQ(Told(), "endpoint mail https://push.example/1");

  agent.Drop();
  EXPECT_EQ(Told(), "disconnected");
  agent.Accept("i1");
  EXPECT_EQ(Told(), "connected i1");
  EXPECT_EQ(agent.HearText(), "subscribe chat");
  EXPECT_EQ(agent.HearText(), "subscribe mail");
  agent.SayEndpoint("mail", "https://push.example/1");
  agent.SayEndpoint("mail", "https://push.example/2");
  EXPECT_EQ(Told(), "endpoint mail https://push.example/2") << "the same one is no news";

  client_->Subscribe(Wish("mail"));
  EXPECT_EQ(agent.HearText(), "subscribe mail");
  agent.SayEndpoint("mail", "https://push.example/2");
  EXPECT_EQ(Told(), "endpoint mail https://push.example/2") << "it was asked for";
}

TEST_F(CompanionClientTest, DeliversAndAcknowledgesByInstance) {
  client_->Subscribe(Wish("mail"));
  client_->Subscribe(Wish("chat"));
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept();
  agent.HearText();
  agent.HearText();
  EXPECT_EQ(Told(), "connected inbox");
  agent.SayDelivery("mail", 1, "a");
  agent.SayDelivery("chat", 1, "b");
  v1::AgentFrame gap;
  gap.mutable_gap()->set_instance("chat");
  gap.mutable_gap()->set_delivery_id(2);
  gap.mutable_gap()->set_dropped(7);
  agent.Say(gap);
  EXPECT_EQ(Told(), "delivery mail a");
  EXPECT_EQ(Told(), "delivery chat b");
  EXPECT_EQ(Told(), "gap chat 7");
  client_->Ack("chat", 2);
  EXPECT_EQ(agent.HearText(), "ack chat 2");
  client_->Ack("mail", 1);
  EXPECT_EQ(agent.HearText(), "ack mail 1");
}

TEST_F(CompanionClientTest, WhatWasHandledIsAcknowledgedAgainAndNotToldTwice) {
  client_->Subscribe(Wish("mail"));
  client_->Subscribe(Wish("chat"));
  takes_all_ = true;
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept();
  agent.HearText();
  agent.HearText();
  Told();
  agent.SayDelivery("mail", 1, "a");
  EXPECT_EQ(Told(), "delivery mail a");
  EXPECT_EQ(agent.HearText(), "ack mail 1");
  agent.Drop();
  Told();
  agent.Accept();
  agent.HearText();
  agent.HearText();
  Told();
  agent.SayDelivery("mail", 1, "a");
  EXPECT_EQ(agent.HearText(), "ack mail 1");
  // Ids are each instance's own, and another message under the same id is another message.
  agent.SayDelivery("chat", 1, "c");
  EXPECT_EQ(Told(), "delivery chat c");
  EXPECT_EQ(agent.HearText(), "ack chat 1");
  agent.SayDelivery("mail", 1, "other");
  EXPECT_EQ(Told(), "delivery mail other");
}

TEST_F(CompanionClientTest, UnsubscribesUntilItIsAnswered) {
  client_->Unsubscribe("old");
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept();
  EXPECT_EQ(agent.HearText(), "unsubscribe old");
  agent.Drop();
  agent.Accept();
  EXPECT_EQ(agent.HearText(), "unsubscribe old");
  for (const char* told : {"connected inbox", "disconnected", "connected inbox"}) {
    EXPECT_EQ(Told(), told);
  }
  agent.SayUnsubscribed("old");
  EXPECT_EQ(Told(), "unsubscribed old");
  agent.Drop();
  agent.Accept();
  client_->Subscribe(Wish("new"));
  EXPECT_EQ(agent.HearText(), "subscribe new") << "and not unsubscribe old";
}

TEST_F(CompanionClientTest, WhatIsOfAFormerLifeIsNotTold) {
  client_->Subscribe(Wish("mail"));
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept();
  EXPECT_EQ(Told(), "connected inbox");
  EXPECT_EQ(agent.HearText(), "subscribe mail");
  client_->Unsubscribe("mail");
  client_->Subscribe(Wish("mail"));
  EXPECT_EQ(agent.HearText(), "unsubscribe mail");
  EXPECT_EQ(agent.HearText(), "subscribe mail");
  agent.SayEndpoint("mail", "https://push.example/dead");
  agent.SayDelivery("mail", 1, "dead");
  agent.SayError("mail", v1::Error::LIMIT_REACHED);
  agent.SayUnsubscribed("mail");
  agent.SayEndpoint("mail", "https://push.example/new");
  agent.SayDelivery("mail", 2, "new");
  EXPECT_EQ(Told(), "unsubscribed mail");
  EXPECT_EQ(Told(), "endpoint mail https://push.example/new");
  EXPECT_EQ(Told(), "delivery mail new");
}

TEST_F(CompanionClientTest, ARefusalNamesItsSubscription) {
  client_->Subscribe(Wish("mail"));
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept();
  EXPECT_EQ(Told(), "connected inbox");
  agent.HearText();
  agent.SayError("mail", v1::Error::VAPID_REQUIRED);
  agent.SayError("", v1::Error::INTERNAL);
  EXPECT_EQ(Told(), "error mail VAPID_REQUIRED");
  EXPECT_EQ(Told(), "error  INTERNAL");
}

TEST_F(CompanionClientTest, StaysAwayOnceItIsReplaced) {
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept();
  EXPECT_EQ(Told(), "connected inbox");
  agent.SayError("", v1::Error::SESSION_REPLACED);
  EXPECT_EQ(Told(), "error  SESSION_REPLACED");
  EXPECT_EQ(Told(), "disconnected");
  thread_.join();
  EXPECT_TRUE(absl::IsFailedPrecondition(end_)) << end_;
}

// Many threads at a time, as the sanitizers see it.
TEST_F(CompanionClientTest, AnyThreadMaySubscribeAndAcknowledge) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  FakeAgent agent(dir_.path("agent.sock"));
  agent.Accept();
  EXPECT_EQ(Told(), "connected inbox");
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string name = absl::StrCat(t, ".", i);
        client_->Subscribe(Wish(name));
        client_->Ack(name, 1);
        client_->Unsubscribe(name);
      }
    });
  }
  int subscribes = 0;
  int acks = 0;
  int unsubscribes = 0;
  while (subscribes + acks + unsubscribes < 3 * kThreads * kEach) {
    const v1::AppFrame frame = agent.Hear();
    ASSERT_NE(frame.body_case(), v1::AppFrame::BODY_NOT_SET);
    subscribes += frame.has_subscribe();
    acks += frame.has_ack();
    unsubscribes += frame.has_unsubscribe();
  }
  EXPECT_EQ(subscribes, kThreads * kEach);
  EXPECT_EQ(unsubscribes, kThreads * kEach);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace bellwire::agent
