// docs/reference/agent_protocol.md is true: the frames of its conversations are the bytes that it
// says.

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {
namespace {

constexpr char kMessageId[] = "4f0c1f3e-8a52-4a39-9be2-3d1f4b8f2c11";
constexpr int64_t kAcceptedAtMs = 1767225600000;
constexpr char kInstance[] = "7c1f";

struct Example {
  bool is_agents = false;
  // "subscribe { … }", and its bytes.
  std::string text;
  std::string bytes;
};

// The rows "| app → | `text` | `hex` |" of the tables of this page.
std::vector<Example> Examples() {
  std::ifstream file("docs/reference/agent_protocol.md");
  std::stringstream page;
  page << file.rdbuf();
  std::vector<Example> examples;
  for (absl::string_view line : absl::StrSplit(page.str(), '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    if (cells.size() != 3) continue;
    const bool is_agents = cells[0] == "| ← agent";
    if (!is_agents && cells[0] != "| app →" && cells[0] != "| companion →") continue;
    std::string hex(absl::StripSuffix(absl::StripPrefix(cells[2], "`"), "` |"));
    examples.push_back({is_agents, absl::StrReplaceAll(cells[1], {{"`", ""}}),
                        absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}))});
  }
  return examples;
}

template <typename Frame>
std::string Bytes(const Frame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  return bytes;
}

// What the page says, in its order. `expected` of a text that is said twice is the same.
std::string Expected(const std::string& text) {
  v1::AppFrame app;
  v1::AgentFrame agent;
  if (text == "hello { app_id: \"com.example.mail\" }") {
    app.mutable_hello()->set_app_id("com.example.mail");
  } else if (text == "hello { companion: true }") {
    app.mutable_hello()->set_companion(true);
  } else if (text == "hello_ok { agent_version: \"bellwire-agent/0.1.0\" inbox_id: … }") {
    agent.mutable_hello_ok()->set_agent_version("bellwire-agent/0.1.0");
    agent.mutable_hello_ok()->set_inbox_id(
        absl::HexStringToBytes("000102030405060708090a0b0c0d0e0f"));
  } else if (text == "register {}") {
    app.mutable_register_();
  } else if (text == "registered { token: \"00c0ffee\" }") {
    agent.mutable_registered()->set_token("00c0ffee");
  } else if (text == absl::StrCat("delivery { delivery_id: 1 message_id: \"", kMessageId,
                                  "\" payload: \"Hi\" accepted_at_ms: ", kAcceptedAtMs, " }")) {
    agent.mutable_delivery()->set_delivery_id(1);
    agent.mutable_delivery()->set_message_id(kMessageId);
    agent.mutable_delivery()->set_payload("Hi");
    agent.mutable_delivery()->set_accepted_at_ms(kAcceptedAtMs);
  } else if (text == "change_topic { topic: \"news\" subscribed: true }") {
    app.mutable_change_topic()->set_topic("news");
    app.mutable_change_topic()->set_subscribed(true);
  } else if (text == "topic_changed { topic: \"news\" subscribed: true outcome: OK }") {
    agent.mutable_topic_changed()->set_topic("news");
    agent.mutable_topic_changed()->set_subscribed(true);
    agent.mutable_topic_changed()->set_outcome(v1::TopicChanged::OK);
  } else if (text == "change_topic { topic: \"news\" }") {
    app.mutable_change_topic()->set_topic("news");
  } else if (text == "topic_changed { topic: \"news\" outcome: NOT_CONNECTED }") {
    agent.mutable_topic_changed()->set_topic("news");
    agent.mutable_topic_changed()->set_outcome(v1::TopicChanged::NOT_CONNECTED);
  } else if (text == "ack { delivery_ids: 1 }") {
    app.mutable_ack()->add_delivery_ids(1);
  } else if (text ==
             "subscribe { instance: \"7c1f\" owner: \"firefox https://a.example\" receipts: "
             "true }") {
    app.mutable_subscribe()->set_instance(kInstance);
    app.mutable_subscribe()->set_owner("firefox https://a.example");
    app.mutable_subscribe()->set_receipts(true);
  } else if (text ==
             "subscribed { instance: \"7c1f\" endpoint: "
             "\"https://push.example.com/wpush/00c0ffee\" }") {
    agent.mutable_subscribed()->set_instance(kInstance);
    agent.mutable_subscribed()->set_endpoint("https://push.example.com/wpush/00c0ffee");
  } else if (text == absl::StrCat("delivery { delivery_id: 1 message_id: \"", kMessageId,
                                  "\" payload: \"**\" accepted_at_ms: ", kAcceptedAtMs,
                                  " instance: \"7c1f\" content { door: WEB_PUSH encoding: "
                                  "\"aes128gcm\" } priority: HIGH }")) {
    v1::Delivery* delivery = agent.mutable_delivery();
    delivery->set_delivery_id(1);
    delivery->set_message_id(kMessageId);
    delivery->set_payload("**");
    delivery->set_accepted_at_ms(kAcceptedAtMs);
    delivery->set_instance(kInstance);
    delivery->mutable_content()->set_door(v1::Content::WEB_PUSH);
    delivery->mutable_content()->set_encoding("aes128gcm");
    delivery->set_priority(v1::HIGH);
  } else if (text == "ack { delivery_ids: 1 instance: \"7c1f\" }") {
    app.mutable_ack()->add_delivery_ids(1);
    app.mutable_ack()->set_instance(kInstance);
  } else if (text == "gap { dropped: 3 delivery_id: 2 instance: \"7c1f\" }") {
    agent.mutable_gap()->set_dropped(3);
    agent.mutable_gap()->set_delivery_id(2);
    agent.mutable_gap()->set_instance(kInstance);
  } else if (text == "unsubscribe { instance: \"7c1f\" }") {
    app.mutable_unsubscribe()->set_instance(kInstance);
  } else if (text == "unsubscribed { instance: \"7c1f\" }") {
    agent.mutable_unsubscribed()->set_instance(kInstance);
  } else if (text ==
             "error { code: VAPID_REQUIRED message: \"the server wants a VAPID key for "
             "every subscription\" instance: \"7c1f\" }") {
    agent.mutable_error()->set_code(v1::Error::VAPID_REQUIRED);
    agent.mutable_error()->set_message("the server wants a VAPID key for every subscription");
    agent.mutable_error()->set_instance(kInstance);
  } else {
    ADD_FAILURE() << "nobody checks this example: " << text;
  }
  return app.body_case() != v1::AppFrame::BODY_NOT_SET ? Bytes(app) : Bytes(agent);
}

TEST(AgentProtocolTest, TheExamplesAreTheBytesThatThePageSays) {
  const std::vector<Example> examples = Examples();
  // Six of the app's conversation, four of topics, ten of the companion's.
  ASSERT_EQ(examples.size(), 20u);
  for (const Example& example : examples) {
    EXPECT_EQ(absl::BytesToHexString(example.bytes), absl::BytesToHexString(Expected(example.text)))
        << example.text;
  }
}

}  // namespace
}  // namespace bellwire::agent
