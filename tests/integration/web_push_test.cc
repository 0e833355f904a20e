// Web Push from a backend to a device, over real processes, in both deployments: curl sends over
// HTTP/2 as docs/reference/web_push.md says, and a device spoken by hand
// (docs/reference/wire_protocol.md) receives.

#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/clock.h"
#include "common/limits.h"
#include "crypto/p256.h"
#include "gateway/testing/jwt_for_testing.h"
#include "gtest/gtest.h"
#include "tests/support/encrypted_body.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

using device::v1::AppRegistered;
using Strings = std::vector<std::string>;

constexpr char kPublicUrl[] = "https://push.example.com";
constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

struct Answer {
  int status = 0;
  // Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
};

// An application server's key and its VAPID credential.
class Backend {
 public:
  Backend() : key_(*GenerateP256Key()) {}
  std::string public_key() const {
    return PublicKeyDer(key_.get()).substr(kP256PublicKeyBytes - 65);
  }
  std::string Authorization(const std::string& audience = kPublicUrl) const {
    std::string key;
    absl::WebSafeBase64Escape(public_key(), &key);
    const std::string claims =
        absl::StrCat(R"({"aud":")", audience, R"(","exp":)",
                     absl::ToUnixSeconds(RealClock()->WallNow() + absl::Hours(12)), "}");
    return absl::StrCat(
        "authorization: vapid t=",
        gateway::SignJwtForTesting({.extra_claims_json = claims}, PrivateKeyPem(key_.get())),
        ", k=", key);
  }

 private:
  const EvpPkeyPtr key_;
};

class WebPushTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    const Strings public_url = {"--public_url", kPublicUrl};
    Fleet::Options options;
    options.more_connector_arguments = public_url;
    options.more_gateway_arguments = public_url;
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    key_ = *DeviceKey::Generate();
    Login();
  }

  void Login() {
    auto device = RawDevice::Login(fleet_->device_address(0), fleet_->ca_file(), *key_, ++logins_);
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = std::move(*device);
  }

  // The next frame that is no Push; pushes go to `pushes_`.
  device::v1::ConnectorFrame Next() {
    while (true) {
      auto frame = device_->Next();
      EXPECT_TRUE(frame.ok()) << frame.status();
      if (!frame.ok()) return {};
      if (!frame->has_push()) return *std::move(frame);
      pushes_.push_back(std::move(*frame->mutable_push()));
    }
  }
  device::v1::Push NextPush() {
    if (pushes_.empty()) {
      auto frame = device_->Next();
      EXPECT_TRUE(frame.ok() && frame->has_push()) << frame.status();
      return frame.ok() ? frame->push() : device::v1::Push();
    }
    const device::v1::Push push = pushes_.front();
    pushes_.erase(pushes_.begin());
    return push;
  }

  AppRegistered Subscribe(const std::string& instance, const std::string& vapid_key,
                          bool receipts = false) {
    device::v1::AgentFrame frame;
    frame.mutable_register_app()->set_request_id(7);
    device::v1::Subscription* wanted = frame.mutable_register_app()->mutable_subscription();
    wanted->set_instance(instance);
    wanted->set_owner("origin");
    wanted->set_vapid_key(vapid_key);
    wanted->set_receipts(receipts);
    device_->Send(frame);
    return Next().app_registered();
  }
  void Acknowledge(const device::v1::Push& push, bool by_the_app) {
    device::v1::AgentFrame frame;
    device::v1::SeqRange* range = frame.mutable_ack()->add_ranges();
    range->set_first(push.seq());
    range->set_last(push.seq());
    device_->Send(frame);
    if (!by_the_app) return;
    device::v1::AppAck::Item* item = frame.mutable_app_ack()->add_items();
    item->set_message_id(push.message_id());
    item->set_registration_id(push.registration_id());
    device_->Send(frame);
  }

  // What curl answers to a request for a URL below kPublicUrl, at gateway `i`.
  Answer Curl(const std::string& method, const std::string& url, const Strings& headers,
              const std::string& body = "", int i = 0) {
    absl::string_view path = url;
    EXPECT_TRUE(absl::ConsumePrefix(&path, kPublicUrl)) << url;
    const std::string body_file = fleet_->path("body");
    std::ofstream(body_file, std::ios::binary) << body;
    std::string command = absl::StrCat("curl -s -S --http2 --max-time 60 -D - -X ", method,
                                       " --cacert ", fleet_->ca_file());
    if (!body.empty()) {
      absl::StrAppend(&command, " --data-binary @", body_file, " -H content-type:");
    }
    for (const std::string& header : headers) absl::StrAppend(&command, " -H '", header, "'");
    absl::StrAppend(&command, " https://", fleet_->provider_address(i), path);
    FILE* const pipe = popen(command.c_str(), "r");
    std::string output;
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, n);
    pclose(pipe);
    const size_t end = output.find("\r\n\r\n");
    Answer answer;
    if (end == std::string::npos) return answer;
    answer.body = output.substr(end + 4);
    const Strings lines = absl::StrSplit(output.substr(0, end), "\r\n");
    // "HTTP/2 201"
    EXPECT_TRUE(absl::SimpleAtoi(absl::StripAsciiWhitespace(lines[0].substr(7)), &answer.status))
        << lines[0];
    for (const std::string& line : lines) {
      const size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      answer.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
          std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
    return answer;
  }
  Answer Push(const std::string& endpoint, absl::string_view text, Strings headers, int i = 0,
              int ttl_seconds = 3600) {
    headers.push_back(absl::StrCat("ttl: ", ttl_seconds));
    headers.push_back("content-encoding: aes128gcm");
    return Curl("POST", endpoint, headers, Encrypted(text), i);
  }

  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<DeviceKey> key_;
  std::unique_ptr<RawDevice> device_;
  std::vector<device::v1::Push> pushes_;
  uint64_t logins_ = 0;
  const Backend backend_;
};

TEST_P(WebPushTest, ABackendReachesThePage) {
  const AppRegistered page = Subscribe("page", backend_.public_key());
  ASSERT_EQ(page.outcome(), AppRegistered::OK);
  EXPECT_EQ(page.instance(), "page");
  EXPECT_EQ(page.endpoint(), absl::StrCat(kPublicUrl, "/wpush/", page.token()));

  const Answer answer = Push(page.endpoint(), "hello", {backend_.Authorization(), "urgency: high"});
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.headers.at("ttl"), "3600");
  const device::v1::Push push = NextPush();
  EXPECT_EQ(push.payload(), Encrypted("hello"));
  EXPECT_EQ(push.registration_id(), page.registration_id());
  EXPECT_EQ(push.content().door(), device::v1::Content::WEB_PUSH);
  EXPECT_EQ(push.content().encoding(), "aes128gcm");
  Acknowledge(push, true);

  // The key binds; the two gateways agree.
  const Backend stranger;
  EXPECT_EQ(Push(page.endpoint(), "no", {stranger.Authorization()}, 1).status, 403);
  EXPECT_EQ(Push(page.endpoint(), "no", {}, 1).status, 401);
  EXPECT_EQ(
      Push(page.endpoint(), "no", {backend_.Authorization("https://elsewhere.example")}, 1).status,
      401);
  EXPECT_EQ(Curl("POST", page.endpoint(), {backend_.Authorization()}).status, 400);

  device::v1::AgentFrame remove;
  remove.mutable_remove_app()->set_request_id(8);
  remove.mutable_remove_app()->set_instance("page");
  device_->Send(remove);
  EXPECT_TRUE(Next().app_removed().ok());
  const Answer gone = Push(page.endpoint(), "too late", {backend_.Authorization()});
  EXPECT_EQ(gone.status, 410);
  EXPECT_TRUE(absl::StrContains(gone.body, "\"errno\":106")) << gone.body;
}

TEST_P(WebPushTest, WhatComesWhileThePhoneIsAwayIsThereInOrderOnce) {
  const AppRegistered page = Subscribe("page", backend_.public_key());
  const std::string authorization = backend_.Authorization();
  device_.reset();
  EXPECT_EQ(Push(page.endpoint(), "1", {authorization}).status, 201);
  EXPECT_EQ(Push(page.endpoint(), "old news", {authorization, "topic: news"}).status, 201);
  // A retry through the other gateway, encrypted anew.
  const std::string id = absl::StrCat("idempotency-key: ", kUuid);
  const Answer first = Push(page.endpoint(), "2", {authorization, id});
  EXPECT_EQ(first.status, 201);
  const Answer again = Push(page.endpoint(), "2 again", {authorization, id}, 1);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.headers.at("location"), first.headers.at("location"));
  EXPECT_EQ(Push(page.endpoint(), "news", {authorization, "topic: news"}, 1).status, 201);
  const Answer withdrawn = Push(page.endpoint(), "never mind", {authorization});
  EXPECT_EQ(Curl("DELETE", withdrawn.headers.at("location"), {}).status, 204);
  // All of it is on the disk.
  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  EXPECT_EQ(Push(page.endpoint(), "3", {authorization}).status, 201);
  Login();
  Strings got;
  for (const char* text : {"1", "2", "news", "3"}) {
    const device::v1::Push push = NextPush();
    got.push_back(std::string(absl::StripPrefix(push.payload(), Encrypted(""))));
    EXPECT_EQ(got.back(), text);
    Acknowledge(push, true);
  }
  // It is the same subscription still.
  EXPECT_EQ(Subscribe("page", backend_.public_key()).endpoint(), page.endpoint());
}

TEST_P(WebPushTest, ReceiptsWhereTheUserAllowedThem) {
  const AppRegistered closed = Subscribe("closed", "");
  EXPECT_EQ(Push(closed.endpoint(), "1", {"prefer: respond-async"}).status, 201);
  Acknowledge(NextPush(), false);
  const AppRegistered open = Subscribe("open", "", /*receipts=*/true);
  const Answer answer = Push(open.endpoint(), "2", {"prefer: respond-async"});
  EXPECT_EQ(answer.status, 202);
  const std::string link = answer.headers.at("link");
  EXPECT_TRUE(absl::StrContains(link, "rel=\"urn:ietf:params:push:receipt\"")) << link;
  const std::string receipt = link.substr(1, link.find('>') - 1);
  EXPECT_EQ(Curl("GET", receipt, {}).status, 202);
  Acknowledge(NextPush(), true);
  // Ends when the message has.
  const Answer events = Curl("GET", receipt, {"accept: text/event-stream"});
  EXPECT_EQ(events.status, 200);
  EXPECT_TRUE(absl::StrContains(events.body, "\"step\":\"APP_ACKED\"")) << events.body;
  EXPECT_TRUE(absl::StrContains(events.body, "\"status\":204")) << events.body;
  EXPECT_EQ(Curl("GET", receipt, {}).status, 204);
}

// TTL 0 is for who is there, or comes within kNowOrNeverWait. The answer doesn't tell which.
TEST_P(WebPushTest, TtlZeroIsForWhoIsThereOrComesSoon) {
  const AppRegistered page = Subscribe("page", "", /*receipts=*/true);
  const auto push_now = [&](absl::string_view text, const Strings& headers = {}) {
    return Push(page.endpoint(), text, headers, /*i=*/0, /*ttl_seconds=*/0);
  };
  const auto expect_next = [&](absl::string_view text) {
    const device::v1::Push push = NextPush();
    EXPECT_EQ(push.payload(), Encrypted(text));
    Acknowledge(push, true);
  };
  const Answer there = push_now("there");
  EXPECT_EQ(there.status, 201) << there.body;
  EXPECT_EQ(there.headers.at("ttl"), "0");
  expect_next("there");

  device_.reset();
  const Answer soon = push_now("soon");
  EXPECT_EQ(soon.status, 201) << soon.body;
  EXPECT_EQ(soon.headers.at("ttl"), "0");
  Login();
  expect_next("soon");

  device_.reset();
  const Answer away = push_now("away");
  EXPECT_EQ(away.status, 201) << away.body;
  EXPECT_EQ(away.headers.at("ttl"), "0");
  // The same, with a receipt that tells when it is over.
  const MonotonicTime began = RealClock()->Monotonic();
  const Answer told = push_now("away", {"prefer: respond-async"});
  ASSERT_EQ(told.status, 202) << told.body;
  const std::string link = told.headers.at("link");
  const std::string receipt = link.substr(1, link.find('>') - 1);
  EXPECT_TRUE(WaitUntil([&] { return Curl("GET", receipt, {}).status == 410; }));
  // The wall clock, by which it ends, may be set meanwhile.
  EXPECT_GE(RealClock()->Monotonic() - began, kNowOrNeverWait - absl::Milliseconds(100));
  Login();
  EXPECT_EQ(Push(page.endpoint(), "later", {}).status, 201);
  expect_next("later");
}

TEST_P(WebPushTest, AFullMailboxTellsItsSenderAndNobodyElse) {
  const AppRegistered page = Subscribe("page", "");
  const AppRegistered other = Subscribe("other", "");
  device_.reset();
  int accepted = 0;
  Answer answer;
  while ((answer = Push(page.endpoint(), "x", {})).status == 201 && accepted < 200) ++accepted;
  EXPECT_EQ(accepted, 100);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.headers.at("retry-after"), "60");
  EXPECT_EQ(Push(other.endpoint(), "x", {}).status, 201);
}

INSTANTIATE_TEST_SUITE_P(Deployments, WebPushTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
