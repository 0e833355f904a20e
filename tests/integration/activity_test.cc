// What priorities do while nobody uses the phone, over real processes, in both deployments.

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "crypto/device_key.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAre;

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";

class ActivityTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = *std::move(fleet);
    auto provider = Provider::Create(*fleet_, {kMail, kChat});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = *std::move(provider);
  }

  // Answers the message id.
  std::string Send(const std::string& token, const std::string& payload,
                   push::v1::Priority priority) {
    push::v1::SendRequest request;
    request.set_token(token);
    request.set_payload(payload);
    request.set_priority(priority);
    const auto sent = provider_.Send(request);
    EXPECT_TRUE(sent.ok()) << sent.status();
    return sent.ok() ? sent->message_id() : "";
  }
  push::v1::Step StateOf(const std::string& token, const std::string& message_id) {
    const auto found = provider_.GetMessage(token, message_id);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? found->state() : push::v1::STEP_UNSPECIFIED;
  }
  // As the phone's power manager would.
  void SetActivity(const Phone& phone, const std::string& activity) {
    auto command = Process::Start(absl::StrCat("activity_", activity, ++commands_), "cli/bellwire",
                                  {"agent", "activity", activity, "--socket", phone.socket_path()});
    ASSERT_TRUE(command.ok()) << command.status();
    const auto code = (*command)->Wait();
    ASSERT_TRUE(code.ok()) << code.status();
    ASSERT_EQ(*code, 0) << (*command)->Log();
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  int commands_ = 0;
};

TEST_P(ActivityTest, AnIdlePhoneGetsHighAtOnceNormalWithItAndLowWhenItIsUsed) {
  Phone phone(*fleet_, "phone");
  // No heartbeat during the test: it would bring the NORMAL message as well.
  phone.SetMoreArguments({"--heartbeat_seconds", "1800"});
  ASSERT_TRUE(phone.Start().ok());
  App mail(phone.socket_path(), kMail);
  const std::string token = mail.WaitForToken();
  ASSERT_FALSE(token.empty());
  SetActivity(phone, "idle");
  // Its answer says that the server has heard what was said before.
  App chat(phone.socket_path(), kChat);
  ASSERT_FALSE(chat.WaitForToken().empty());

  const std::string low = Send(token, "low", push::v1::PRIORITY_LOW);
  const std::string normal = Send(token, "normal", push::v1::PRIORITY_NORMAL);
  Send(chat.WaitForToken(), "first", push::v1::PRIORITY_HIGH);
  ASSERT_TRUE(chat.WaitForTaken(1));
  ASSERT_TRUE(mail.WaitForTaken(1));
  Send(token, "high", push::v1::PRIORITY_HIGH);
  ASSERT_TRUE(mail.WaitForTaken(2));
  EXPECT_THAT(mail.taken(), ElementsAre("normal", "high"));
  EXPECT_EQ(StateOf(token, low), push::v1::STORED);

  Send(token, "low too", push::v1::PRIORITY_LOW);
  SetActivity(phone, "active");
  ASSERT_TRUE(mail.WaitForTaken(4));
  EXPECT_THAT(mail.taken(), ElementsAre("normal", "high", "low", "low too"));
  for (const std::string& id : {low, normal}) {
    EXPECT_TRUE(WaitUntil([&] { return StateOf(token, id) == push::v1::APP_ACKED; }));
  }
  // And at once from now on.
  Send(token, "third", push::v1::PRIORITY_LOW);
  ASSERT_TRUE(mail.WaitForTaken(5));
}

TEST_P(ActivityTest, AHeartbeatBringsNormal) {
  const std::unique_ptr<DeviceKey> key = *DeviceKey::Generate();
  auto device = RawDevice::Login(fleet_->device_address(), fleet_->ca_file(), *key, 1);
  ASSERT_TRUE(device.ok()) << device.status();
  const auto token = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  device::v1::AgentFrame idle;
  idle.mutable_activity_change()->set_activity(device::v1::IDLE);
  (*device)->Send(idle);
  const auto other = (*device)->RegisterApp(kChat);
  ASSERT_TRUE(other.ok()) << other.status();

  const std::string low = Send(*token, "low", push::v1::PRIORITY_LOW);
  Send(*token, "normal 1", push::v1::PRIORITY_NORMAL);
  Send(*token, "normal 2", push::v1::PRIORITY_NORMAL);
  EXPECT_EQ((*device)->Next(absl::Milliseconds(300)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  (*device)->SendHeartbeat();
  for (const char* payload : {"normal 1", "normal 2"}) {
    const auto push = (*device)->Next();
    ASSERT_TRUE(push.ok()) << push.status();
    EXPECT_EQ(push->push().payload(), payload);
  }
  EXPECT_EQ((*device)->heartbeats_received(), 1);
  EXPECT_EQ(StateOf(*token, low), push::v1::STORED);

  // A ttl of zero does not wait for anything, whatever the priority.
  push::v1::SendRequest now;
  now.set_token(*token);
  now.set_payload("now or never");
  now.set_priority(push::v1::PRIORITY_LOW);
  now.mutable_ttl()->set_seconds(0);
  std::thread sender([&] {
    const auto sent = provider_.Send(now);
    EXPECT_TRUE(sent.ok()) << sent.status();
    EXPECT_EQ(sent->outcome(), push::v1::SendResponse::DELIVERED);
  });
  const auto push = (*device)->Next();
  EXPECT_TRUE(push.ok()) << push.status();
  if (push.ok()) {
    EXPECT_EQ(push->push().payload(), "now or never");
    device::v1::AgentFrame ack;
    ack.mutable_ack()->add_ranges()->set_first(push->push().seq());
    ack.mutable_ack()->mutable_ranges(0)->set_last(push->push().seq());
    (*device)->Send(ack);
  }
  sender.join();
}

INSTANTIATE_TEST_SUITE_P(Deployments, ActivityTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& test) { return DeploymentName(test.param); });

}  // namespace
}  // namespace bellwire::tests
