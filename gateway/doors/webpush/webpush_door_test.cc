#include "gateway/doors/webpush/webpush_door.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "common/trace_context.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/doors/webpush/encrypted_body.h"
#include "gateway/testing/fake_registry.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::webpush {
namespace {

using google::protobuf::util::TimeUtil;
using http::Fields;
using http::H2TestClient;
using internal::v1::AppendRequest;
using internal::v1::AppendResponse;

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";
constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
// RFC 8292, 2.4: by this key, until 2016-01-23T04:36:08Z, for https://push.example.net.
constexpr char kRfcAuthorization[] =
    "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJl"
    "eHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HL"
    "GkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, "
    "k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";

// One record of aes128gcm of this size.
std::string Encrypted(size_t bytes = kAes128gcmOverhead) {
  return std::string(16, 's') + std::string("\0\0\x10\0\x41\x04", 6) + std::string(bytes - 22, 'x');
}

class WebPushDoorTest : public ::testing::Test {
 protected:
  WebPushDoorTest()
      : sealer_(TokenSealer::ForTesting()),
        engine_({.sealer = sealer_.get(), .mailboxes = &registry_, .clock = &clock_}),
        calls_(sealer_.get(), &registry_, engine_.calls(), &clock_) {
    clock_.JumpWall(absl::FromUnixSeconds(1453523768) - absl::Hours(1) - clock_.WallNow());
    contents_.device_id = *DeviceId::FromBytes("0123456789abcdef");
    contents_.registration_id = 42;
    token_ = sealer_->Seal(contents_);
    registry_.append = [this](const AppendRequest& request) -> absl::StatusOr<AppendResponse> {
      appends_.push_back(request);
      if (!append_error_.ok()) return append_error_;
      AppendResponse response;
      response.set_seq(appends_.size());
      response.set_state(push::v1::STORED);
      return response;
    };
    registry_.recall = [this](const internal::v1::RecallRequest& request)
        -> absl::StatusOr<internal::v1::RecallResponse> {
      recalls_.push_back(request);
      if (!recall_error_.ok()) return recall_error_;
      internal::v1::RecallResponse response;
      response.set_outcome(push::v1::RecallResponse::REQUESTED);
      return response;
    };
    registry_.get_message = [this](const internal::v1::GetMessageRequest& request)
        -> absl::StatusOr<internal::v1::GetMessageResponse> {
      questions_.push_back(request);
      if (!message_.has_value()) {
        return MakeError(absl::StatusCode::kPermissionDenied, "RECEIPTS_OFF", "off");
      }
      internal::v1::GetMessageResponse response;
      *response.mutable_message() = *message_;
      return response;
    };
    door_.emplace(WebPushDoor::Options{.engine = &engine_,
                                       .calls = &calls_,
                                       .sealer = sealer_.get(),
                                       .clock = &clock_,
                                       .urls = *PublicUrls::Parse({"https://push.example.net"}),
                                       .receipts = {.first_interval = absl::Milliseconds(1)}});
    harness_.emplace(std::vector<http::Door*>{&*door_});
  }
  ~WebPushDoorTest() override {
    harness_.reset();
    door_.reset();
  }

  const H2TestClient::Response& Send(const Fields& fields, absl::string_view body = "") {
    const int32_t stream = harness_->client.Request(fields, body);
    harness_->Run();
    harness_->thread->RunPosted();
    harness_->Run();
    return harness_->client.response(stream);
  }
  const H2TestClient::Response& Push(const Fields& more = {}, absl::string_view body = "") {
    return Send(http::PostFields("/wpush/" + token_, WithTtl(more)), body);
  }
  static Fields WithTtl(Fields fields) {
    fields.emplace_back("ttl", "60");
    return fields;
  }
  static Fields Method(absl::string_view method, absl::string_view path, const Fields& more = {}) {
    Fields fields = http::GetFields(path, more);
    for (auto& [name, value] : fields) {
      if (name == ":method") value = std::string(method);
    }
    return fields;
  }
  static std::string PathOf(absl::string_view url) {
    EXPECT_TRUE(absl::ConsumePrefix(&url, "https://push.example.net"));
    return std::string(url);
  }
  void SetSteps(const std::vector<push::v1::Step>& steps, bool terminal) {
    message_.emplace();
    message_->set_message_id(kUuid);
    for (const push::v1::Step step : steps) {
      message_->add_receipts()->set_step(step);
      *message_->mutable_receipts()->rbegin()->mutable_time() =
          TimeUtil::MillisecondsToTimestamp(1'453'523'768'123);
    }
    message_->set_state(steps.back());
    message_->set_terminal(terminal);
  }

  SimulatedClock clock_;
  const std::unique_ptr<TokenSealer> sealer_;
  gateway::FakeRegistry registry_;
  gateway::SendEngine engine_;
  gateway::MessageCalls calls_;
  TokenContents contents_;
  std::string token_;
  std::vector<AppendRequest> appends_;
  std::vector<internal::v1::RecallRequest> recalls_;
  std::vector<internal::v1::GetMessageRequest> questions_;
  absl::Status append_error_;
  absl::Status recall_error_;
  // Unset: the subscription does not tell.
  std::optional<push::v1::GetMessageResponse> message_;
  std::optional<WebPushDoor> door_;
  std::optional<http::H2Harness> harness_;
};

TEST_F(WebPushDoorTest, APushIsStoredAndHasAResource) {
  const std::string body = Encrypted(4096);
  const auto& response = Push({{"content-encoding", "aes128gcm"},
                               {"urgency", "high"},
                               {"topic", "news"},
                               {"traceparent", kTrace},
                               {"authorization", kRfcAuthorization}},
                              body);
  EXPECT_EQ(response.Get(":status"), "201");
  EXPECT_EQ(response.Get("ttl"), "60");
  EXPECT_EQ(response.Get("access-control-allow-origin"), "*");
  EXPECT_EQ(response.body, "");
  ASSERT_EQ(appends_.size(), 1u);
  const internal::v1::Envelope& message = appends_[0].message();
  EXPECT_EQ(message.payload(), body);
  EXPECT_EQ(message.content().door(), internal::v1::Content::WEB_PUSH);
  EXPECT_EQ(message.content().encoding(), "aes128gcm");
  EXPECT_EQ(message.priority(), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(message.collapse_key(), "news");
  EXPECT_EQ(FormatTraceparent(message.trace_context()), kTrace);
  EXPECT_EQ(message.expires_at_ms() - message.accepted_at_ms(), 60'000);
  EXPECT_EQ(appends_[0].registration_id(), 42u);
  EXPECT_EQ(appends_[0].team_id(), "");
  EXPECT_EQ(appends_[0].subscription().vapid_key().size(), 65u);
  EXPECT_TRUE(appends_[0].message_id_is_new());
  const std::optional<MessageName> name =
      sealer_->OpenMessage(absl::StripPrefix(PathOf(response.Get("location")), "/wpush/m/"));
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->message_id.bytes(), message.message_id());
}

TEST_F(WebPushDoorTest, PathsOfMozillasServiceLeadToTheSame) {
  for (const char* version : {"v1/", "v2/", ""}) {
    const auto& response =
        Send(http::PostFields(absl::StrCat("/wpush/", version, token_), {{"ttl", "0"}}));
    EXPECT_EQ(response.Get(":status"), "201") << version;
  }
  EXPECT_EQ(appends_.size(), 3u);
  EXPECT_EQ(appends_[0].subscription().vapid_key(), "");
}

TEST_F(WebPushDoorTest, AnIdempotencyKeyMakesTheId) {
  const std::string first = Push({{"idempotency-key", kUuid}}).Get("location");
  ASSERT_EQ(appends_.size(), 1u);
  EXPECT_EQ(appends_[0].message().message_id(), ParseUuid(kUuid)->bytes());
  EXPECT_FALSE(appends_[0].message_id_is_new());
  EXPECT_EQ(Push({{"idempotency-key", kUuid}}).Get("location"), first);
}

// Each: what the registry or the request does, and how the sender is told.
TEST_F(WebPushDoorTest, ErrorsAreThoseThatSendersKnow) {
  const auto expect = [](const H2TestClient::Response& response, const char* status, int number) {
    EXPECT_EQ(response.Get(":status"), status) << response.body;
    const nlohmann::json body = nlohmann::json::parse(response.body, nullptr, false);
    ASSERT_TRUE(body.is_object()) << response.body;
    EXPECT_EQ(absl::StrCat(body["code"].get<int>()), status);
    EXPECT_EQ(body.value("errno", 0), number) << response.body;
    EXPECT_EQ(response.Get("access-control-allow-origin"), "*");
  };
  expect(Send(http::PostFields("/wpush/" + token_)), "400", 111);
  expect(Send(http::PostFields("/wpush/" + token_, {{"ttl", "-1"}})), "400", 114);
  expect(Push({{"topic", "a b"}}), "400", 113);
  expect(Push({}, "plain"), "400", 110);
  expect(Push({{"content-encoding", "aes128gcm"}}, Encrypted(4097)), "413", 104);
  expect(Push({{"authorization", "vapid t=a.b.c, k=d"}}), "401", 109);
  expect(Send(http::PostFields("/wpush/" + std::string(98, '0'), {{"ttl", "0"}})), "404", 102);
  // An app's token is no endpoint.
  TokenContents app = contents_;
  app.app_tag = AppTag("com.example.mail");
  expect(Send(http::PostFields("/wpush/" + sealer_->Seal(app), {{"ttl", "0"}})), "404", 102);
  EXPECT_TRUE(appends_.empty());

  append_error_ = MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "gone");
  expect(Push(), "410", 106);
  EXPECT_EQ(Push().Get("cache-control"), "max-age=86400");
  append_error_ = MakeError(absl::StatusCode::kPermissionDenied, "VAPID_KEY_MISMATCH", "other");
  expect(Push({{"authorization", kRfcAuthorization}}), "403", 109);
  expect(Push(), "401", 109);
  EXPECT_EQ(Push().Get("www-authenticate"), "vapid");
  append_error_ = WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL", "full"), absl::Seconds(60));
  expect(Push(), "429", 0);
  EXPECT_EQ(Push().Get("retry-after"), "60");
  append_error_ = MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED", "full");
  expect(Push(), "429", 0);
  append_error_ = MakeError(absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED", "used");
  expect(Push(), "409", 0);
}

TEST_F(WebPushDoorTest, WhatPassesIsNeverTheSendersFault) {
  for (const absl::Status& error :
       {absl::UnavailableError("away"), absl::DeadlineExceededError("slow"),
        absl::ResourceExhaustedError("queue"), absl::InternalError("bug"), absl::UnknownError("?"),
        MakeError(absl::StatusCode::kUnavailable, "SUBSCRIPTIONS_OFF", "off"),
        MakeError(absl::StatusCode::kDataLoss, "STORE_CORRUPT", "damaged")}) {
    append_error_ = error;
    const std::string status = Push().Get(":status");
    EXPECT_EQ(status[0], '5') << error;
    if (status == "503") {
      EXPECT_NE(Push().Get("retry-after"), "") << error;
    }
  }
}

TEST_F(WebPushDoorTest, ACredentialThatHasEndedIsRefused) {
  EXPECT_EQ(Push({{"authorization", kRfcAuthorization}}).Get(":status"), "201");
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(Push({{"authorization", kRfcAuthorization}}).Get(":status"), "401");
}

TEST_F(WebPushDoorTest, AReceiptIsGivenWhereTheSubscriptionTells) {
  const auto& untold = Push({{"prefer", "respond-async"}});
  EXPECT_EQ(untold.Get(":status"), "201");
  EXPECT_EQ(untold.Get("link"), "");
  SetSteps({push::v1::ACCEPTED, push::v1::STORED}, false);
  EXPECT_EQ(Push().Get(":status"), "201");
  const auto& told = Push({{"prefer", "respond-async"}});
  EXPECT_EQ(told.Get(":status"), "202");
  EXPECT_NE(told.Get("location"), "");
  const std::string link = told.Get("link");
  EXPECT_TRUE(absl::EndsWith(link, ">; rel=\"urn:ietf:params:push:receipt\"")) << link;
  const std::string receipt = PathOf(link.substr(1, link.find('>') - 1));
  EXPECT_EQ(Send(http::GetFields(receipt)).Get(":status"), "202");
  SetSteps({push::v1::ACCEPTED, push::v1::STORED, push::v1::AGENT_ACKED, push::v1::APP_ACKED},
           true);
  EXPECT_EQ(Send(http::GetFields(receipt)).Get(":status"), "204");
  SetSteps({push::v1::ACCEPTED, push::v1::STORED, push::v1::EXPIRED}, true);
  EXPECT_EQ(Send(http::GetFields(receipt)).Get(":status"), "410");
  message_.reset();
  EXPECT_EQ(Send(http::GetFields(receipt)).Get(":status"), "403");
  EXPECT_EQ(Send(http::GetFields(receipt + "0")).Get(":status"), "404");
}

TEST_F(WebPushDoorTest, ReceiptsAreEvents) {
  SetSteps({push::v1::ACCEPTED, push::v1::STORED}, false);
  std::string link = Push({{"prefer", "respond-async"}}).Get("link");
  const std::string receipt = PathOf(link.substr(1, link.find('>') - 1));
  SetSteps({push::v1::ACCEPTED, push::v1::STORED, push::v1::APP_ACKED}, true);
  const auto& ended = Send(http::GetFields(receipt, {{"accept", "text/event-stream"}}));
  EXPECT_EQ(ended.Get(":status"), "200");
  EXPECT_EQ(ended.Get("content-type"), "text/event-stream");
  EXPECT_EQ(
      ended.body,
      "event: receipt\nid: 0\ndata: {\"step\":\"ACCEPTED\",\"time\":\"2016-01-23T04:36:08.123Z\"}"
      "\n\nevent: receipt\nid: 1\ndata: {\"step\":\"STORED\",\"time\":\"2016-01-23T04:36:08.123Z\"}"
      "\n\nevent: receipt\nid: 2\ndata: "
      "{\"step\":\"APP_ACKED\",\"time\":\"2016-01-23T04:36:08.123Z\",\"status\":204}\n\n");
  EXPECT_TRUE(ended.closed);
}

// How it waits is seen in receipt_push_test.cc.
TEST_F(WebPushDoorTest, AReceiptIsPushedToWhoTakesPushes) {
  harness_.emplace(std::vector<http::Door*>{&*door_}, kMaxHttpMemoryBytes,
                   H2TestClient::Options{.enable_push = true});
  SetSteps({push::v1::ACCEPTED, push::v1::STORED}, false);
  const auto& sent = Push({{"prefer", "respond-async"}});
  const std::string message = PathOf(sent.Get("location"));
  const std::string link = sent.Get("link");
  const std::string receipt = PathOf(link.substr(1, link.find('>') - 1));
  const auto& now = Send(http::GetFields(receipt, {{"prefer", "wait=0"}}));
  EXPECT_EQ(now.Get(":status"), "202");
  EXPECT_NE(now.Get("retry-after"), "");
  EXPECT_TRUE(harness_->client.promises().empty());
  const std::vector<std::pair<push::v1::Step, std::string>> ends = {
      {push::v1::APP_ACKED, "204"}, {push::v1::EXPIRED, "410"}, {push::v1::RECALLED, "410"}};
  for (const auto& [step, status] : ends) {
    SetSteps({push::v1::ACCEPTED, push::v1::STORED, step}, true);
    // The request ends too, and says the same.
    EXPECT_EQ(Send(http::GetFields(receipt)).Get(":status"), status);
    const H2TestClient::Promise& promise = harness_->client.promises().back();
    EXPECT_EQ(promise.request, http::GetFields(message));
    EXPECT_EQ(harness_->client.response(promise.stream).headers, (Fields{{":status", status}}));
    EXPECT_TRUE(harness_->client.response(promise.stream).closed);
  }
  EXPECT_EQ(harness_->client.promises().size(), ends.size());
  const auto& events = Send(http::GetFields(receipt, {{"accept", "text/event-stream"}}));
  EXPECT_EQ(events.Get("content-type"), "text/event-stream");
  message_.reset();
  EXPECT_EQ(Send(http::GetFields(receipt)).Get(":status"), "403");
  EXPECT_EQ(harness_->client.promises().size(), ends.size()) << "neither is told by a push";
}

TEST_F(WebPushDoorTest, AMessageCanBeWithdrawn) {
  const std::string location = PathOf(Push().Get("location"));
  EXPECT_EQ(Send(Method("DELETE", location)).Get(":status"), "204");
  ASSERT_EQ(recalls_.size(), 1u);
  EXPECT_EQ(recalls_[0].message_id(), appends_[0].message().message_id());
  EXPECT_EQ(recalls_[0].registration_id(), 42u);
  EXPECT_TRUE(recalls_[0].has_subscription());
  recall_error_ = MakeError(absl::StatusCode::kNotFound, "MESSAGE_NOT_FOUND", "no");
  EXPECT_EQ(Send(Method("DELETE", location)).Get(":status"), "404");
  EXPECT_EQ(Send(Method("DELETE", location + "0")).Get(":status"), "404");
  EXPECT_EQ(Send(Method("DELETE", "/wpush/m/" + token_)).Get(":status"), "404");
}

TEST_F(WebPushDoorTest, OtherMethods) {
  const auto& preflight =
      Send(Method("OPTIONS", "/wpush/" + token_,
                  {{"origin", "https://app.example"}, {"access-control-request-method", "POST"}}));
  EXPECT_EQ(preflight.Get(":status"), "204");
  EXPECT_EQ(preflight.Get("access-control-allow-origin"), "*");
  EXPECT_TRUE(absl::StrContains(preflight.Get("access-control-allow-methods"), "POST"));
  EXPECT_TRUE(absl::StrContains(preflight.Get("access-control-allow-headers"), "content-encoding"));
  const auto& discovery = Send(http::GetFields("/wpush/" + token_));
  EXPECT_EQ(discovery.Get(":status"), "200");
  EXPECT_EQ(discovery.body, R"({"unifiedpush":{"version":1}})");
  const auto& head = Send(Method("HEAD", "/wpush/" + token_));
  EXPECT_EQ(head.Get(":status"), "200");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(Send(http::GetFields("/wpush/x")).Get(":status"), "404");
  const auto& put = Send(Method("PUT", "/wpush/" + token_));
  EXPECT_EQ(put.Get(":status"), "405");
  EXPECT_EQ(put.Get("allow"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(Send(Method("POST", "/wpush/m/x")).Get(":status"), "405");
  EXPECT_EQ(Send(Method("P", "/wpush/" + token_)).Get(":status"), "405");
}

}  // namespace
}  // namespace bellwire::webpush
