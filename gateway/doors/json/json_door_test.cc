#include "gateway/doors/json/json_door.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "gateway/auth/key_cache.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using http::Fields;
using http::GetFields;
using http::H2Harness;
using http::H2TestClient;
using http::PostFields;

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";
constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class JsonDoorTest : public ::testing::Test {
 protected:
  struct Answer {
    std::string status;
    nlohmann::json json;
    std::string reason;
    H2TestClient::Response response;
  };

  Answer Take(int32_t stream) {
    harness_.Run();
    const H2TestClient::Response& response = harness_.client.response(stream);
    Answer answer{.status = response.Get(":status"), .response = response};
    answer.json = nlohmann::json::parse(response.body, nullptr, /*allow_exceptions=*/false);
    if (answer.json.is_object() && answer.json.contains("error")) {
      answer.reason = answer.json["error"]["details"][0]["reason"];
    }
    return answer;
  }
  Answer Post(absl::string_view path, const std::string& body, Fields more = {}) {
    return Take(harness_.client.Request(PostFields(path, WithBearer(std::move(more))), body));
  }
  Answer Call(const std::string& method, absl::string_view path, Fields more = {}) {
    Fields fields = GetFields(path, WithBearer(std::move(more)));
    fields[0].second = method;
    EXPECT_EQ(fields[0].first, ":method");
    return Take(harness_.client.Request(fields));
  }
  Fields WithBearer(Fields more) const {
    for (const auto& [name, value] : more) {
      if (name == "authorization") return more;
    }
    more.push_back({"authorization", path_.Bearer()});
    return more;
  }
  std::string Message(absl::string_view more = "") const {
    return absl::StrCat(R"({"token":")", path_.Token(), R"(","payload":")",
                        absl::Base64Escape("You have mail"), "\"", more, "}");
  }

  TestSendPath path_;
  JsonDoor door_{&path_.methods};
  H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(JsonDoorTest, SendsAMessage) {
  const Answer answer = Post("/v1/messages", Message(R"(,"priority":"PRIORITY_HIGH")"));
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.response.Get("content-type"), "application/json");
  EXPECT_EQ(answer.json["outcome"], "ACCEPTED");
  EXPECT_EQ(answer.json["duplicate"], false);
  ASSERT_EQ(path_.appended.size(), 1u);
  EXPECT_EQ(path_.appended[0].team_id(), TestSendPath::kTeam);
  EXPECT_EQ(path_.appended[0].message().payload(), "You have mail");
  EXPECT_EQ(path_.appended[0].message().priority(), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(FormatUuid(*MessageId::FromBytes(path_.appended[0].message().message_id())),
            answer.json["messageId"]);
}

TEST_F(JsonDoorTest, AnAccessTokenSendsAndLooksUpOnly) {
  const Fields token = {{"authorization", path_.SendOnlyBearer()}};
  EXPECT_EQ(Post("/v1/messages", Message(), token).status, "200");
  path_.registry.get_message = [](const internal::v1::GetMessageRequest& request) {
    EXPECT_EQ(request.team_id(), TestSendPath::kTeam);
    internal::v1::GetMessageResponse response;
    response.mutable_message()->set_state(push::v1::SENT);
    return response;
  };
  const std::string message = absl::StrCat("/v1/messages/", path_.Token(), "/", kUuid);
  EXPECT_EQ(Call("GET", message, token).json["state"], "SENT");
  for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{
           {"DELETE", message}, {"GET", "/v1/receipts"}}) {
    const Answer answer = Call(method, path, token);
    EXPECT_EQ(answer.status, "403") << path;
    EXPECT_EQ(answer.reason, "SEND_ONLY_CREDENTIAL") << path;
  }
}

TEST_F(JsonDoorTest, Topics) {
  std::vector<internal::v1::PublishTopicRequest> published;
  path_.registry.publish = [&](const internal::v1::PublishTopicRequest& request) {
    published.push_back(request);
    return internal::v1::PublishTopicResponse();
  };
  path_.registry.change_subscription = [](const internal::v1::ChangeSubscriptionRequest&) {
    return internal::v1::ChangeSubscriptionResponse();
  };
  path_.registry.list_topics = [](const internal::v1::ListTopicsRequest& request) {
    EXPECT_EQ(request.max_topics(), 2u);
    EXPECT_EQ(request.after(), "a");
    internal::v1::ListTopicsResponse response;
    response.add_topics()->set_name("news");
    return response;
  };
  path_.registry.list_subscriptions = [](const internal::v1::ListSubscriptionsRequest& request) {
    EXPECT_EQ(request.registration_id(), 42u);
    return internal::v1::ListSubscriptionsResponse();
  };
  path_.registry.get_topic_message = [](const internal::v1::GetTopicMessageRequest& request) {
    push::v1::TopicMessage message;
    message.set_message_id(FormatUuid(*MessageId::FromBytes(request.message_id())));
    message.set_sent(3);
    return message;
  };
  path_.registry.recall_topic_message = path_.registry.get_topic_message;

  const Answer sent =
      Post("/v1/topics:publish", R"({"condition":"'a' in topics","message":{"payload":"aGk="}})",
           {{"authorization", path_.SendOnlyBearer()}, {"idempotency-key", kUuid}});
  EXPECT_EQ(sent.status, "200") << sent.response.body;
  EXPECT_EQ(sent.json["messageId"], kUuid);
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].message().payload(), "hi");
  EXPECT_EQ(Post("/v1/topics:publish", R"({"topic":"a","condition":"b"})").reason, "BAD_VALUE");
  EXPECT_EQ(Post("/v1/topics:publish", R"({"condition":"b"})").reason, "BAD_CONDITION");

  const std::string change =
      absl::StrCat(R"({"topic":"news","tokens":[")", path_.Token(), R"(","00"]})");
  for (const char* path : {"/v1/topics:subscribe", "/v1/topics:unsubscribe"}) {
    const Answer changed = Post(path, change);
    EXPECT_EQ(changed.status, "200") << changed.response.body;
    EXPECT_FALSE(changed.json["results"][0].contains("error"));
    EXPECT_EQ(changed.json["results"][1]["error"]["reason"], "BAD_DEVICE_TOKEN");
    EXPECT_EQ(Post(path, change, {{"authorization", path_.SendOnlyBearer()}}).reason,
              "SEND_ONLY_CREDENTIAL");
    EXPECT_EQ(Call("GET", path).status, "405");
  }
  EXPECT_EQ(Call("GET", "/v1/topics?page_size=2&page_token=a").json["topics"][0]["name"], "news");
  EXPECT_EQ(Call("GET", "/v1/topics?page_size=two").reason, "BAD_VALUE");
  EXPECT_EQ(Call("GET", absl::StrCat("/v1/subscriptions/", path_.Token())).status, "200");

  const std::string message = absl::StrCat("/v1/topic-messages/", kUuid);
  const Answer got = Call("GET", message, {{"authorization", path_.SendOnlyBearer()}});
  EXPECT_EQ(got.json["messageId"], kUuid);
  EXPECT_EQ(got.json["sent"], "3");
  EXPECT_EQ(Call("DELETE", message).status, "200");
  EXPECT_EQ(Call("DELETE", message, {{"authorization", path_.SendOnlyBearer()}}).reason,
            "SEND_ONLY_CREDENTIAL");
  EXPECT_EQ(Call("GET", "/v1/topic-messages/no").reason, "BAD_MESSAGE_ID");
}

TEST_F(JsonDoorTest, CredentialsAreThoseOfGrpc) {
  harness_.Run();
  for (const auto& [credential, reason] : std::vector<std::pair<std::string, std::string>>{
           {"Basic eDp5", "BAD_CREDENTIAL"},
           {"Bearer nonsense", "BAD_CREDENTIAL"},
           {absl::StrCat("Bearer ", NewAccessToken(TestSendPath::kTokenKeyId)),
            "BAD_CREDENTIAL"}}) {
    const Answer answer = Post("/v1/messages", Message(), {{"authorization", credential}});
    EXPECT_EQ(answer.status, "401") << credential;
    EXPECT_EQ(answer.reason, reason) << credential;
    EXPECT_EQ(answer.response.Get("www-authenticate"), "Bearer");
  }
  const Answer none = Take(harness_.client.Request(PostFields("/v1/messages"), Message()));
  EXPECT_EQ(none.status, "401");
  EXPECT_EQ(none.reason, "MISSING_CREDENTIAL");
  const auto reason_with = [&](const char* claims) {
    return Post("/v1/messages", Message(), {{"authorization", path_.BearerWith(claims)}}).reason;
  };
  EXPECT_EQ(reason_with(TestSendPath::kForeignClaims), "BAD_CREDENTIAL");
  EXPECT_EQ(reason_with(TestSendPath::kExpiredClaims), "EXPIRED_CREDENTIAL");
  EXPECT_TRUE(path_.appended.empty());
  EXPECT_EQ(reason_with(TestSendPath::kGoodClaims), "");
  EXPECT_EQ(path_.appended.size(), 1u);
  path_.appended.clear();
  const std::string bearer = path_.Bearer();
  path_.clock.Advance(kMaxJwtAge + absl::Minutes(1));
  EXPECT_EQ(Post("/v1/messages", Message(), {{"authorization", bearer}}).reason,
            "EXPIRED_CREDENTIAL");
  EXPECT_TRUE(path_.appended.empty());
}

TEST_F(JsonDoorTest, ErrorsOfTheSendPathAreToldInJson) {
  EXPECT_EQ(Post("/v1/messages", R"({"token":"00"})").reason, "BAD_DEVICE_TOKEN");
  const Answer unknown = Post("/v1/messages", Message(R"(,"colour":"red")"));
  EXPECT_EQ(unknown.status, "400");
  EXPECT_EQ(unknown.reason, "UNKNOWN_FIELD");
  EXPECT_EQ(unknown.json["error"]["details"][1]["fieldViolations"][0]["field"], "colour");
  EXPECT_EQ(Post("/v1/messages", "no JSON").reason, "MALFORMED_JSON");
  const Answer large =
      Post("/v1/messages",
           absl::StrCat(R"({"token":")", path_.Token(), R"(","payload":")",
                        absl::Base64Escape(std::string(kMaxPayloadBytes + 1, 'x')), "\"}"));
  EXPECT_EQ(large.status, "413");
  EXPECT_EQ(large.reason, "PAYLOAD_TOO_LARGE");
  const Answer longer = Post("/v1/messages", std::string(kMaxJsonSendBytes + 1, ' '));
  EXPECT_EQ(longer.status, "413");
  EXPECT_EQ(longer.reason, "BODY_TOO_LARGE");
  path_.append_error = WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL", "full"), absl::Seconds(7));
  const Answer full = Post("/v1/messages", Message());
  EXPECT_EQ(full.status, "429");
  EXPECT_EQ(full.reason, "MAILBOX_FULL");
  EXPECT_EQ(full.response.Get("retry-after"), "7");
  path_.append_error = absl::UnavailableError("down");
  EXPECT_EQ(Post("/v1/messages", Message()).status, "503");
}

TEST_F(JsonDoorTest, AnIdempotencyKeyIsTheMessageId) {
  const Fields key = {{"idempotency-key", kUuid}};
  EXPECT_EQ(Post("/v1/messages", Message(), key).json["messageId"], kUuid);
  EXPECT_FALSE(path_.appended[0].message_id_is_new());
  EXPECT_EQ(Post("/v1/messages", Message(), {{"idempotency-key", absl::StrCat("\"", kUuid, "\"")}})
                .json["messageId"],
            kUuid);
  EXPECT_EQ(Post("/v1/messages", Message(), {{"idempotency-key", "first try"}}).reason,
            "BAD_MESSAGE_ID");
  constexpr char kOther[] = "00000000-e89b-42d3-a456-426614174000";
  EXPECT_EQ(Post("/v1/messages", Message(absl::StrCat(R"(,"messageId":")", kOther, "\"")), key)
                .json["messageId"],
            kOther);
}

TEST_F(JsonDoorTest, AMessageBelongsToATrace) {
  const auto trace = [this] {
    return FormatTraceparent(path_.appended.back().message().trace_context());
  };
  const Fields of_the_call = {{"traceparent", kTrace}};
  EXPECT_EQ(Post("/v1/messages", Message(), of_the_call).status, "200");
  EXPECT_EQ(trace(), kTrace);
  EXPECT_EQ(Post("/v1/messages:batch", absl::StrCat(R"({"requests":[)", Message(), "]}"),
                 of_the_call)
                .status,
            "200");
  EXPECT_EQ(trace(), kTrace);
  // Its own comes first.
  constexpr char kOwn[] = "00-11111111111111111111111111111111-2222222222222222-00";
  const std::string own = Message(absl::StrCat(R"(,"traceparent":")", kOwn, "\""));
  EXPECT_EQ(Post("/v1/messages", own, of_the_call).status, "200");
  EXPECT_EQ(trace(), kOwn);
  // A tracer's mistake loses no message; the sender's own is told.
  EXPECT_EQ(Post("/v1/messages", Message(), {{"traceparent", "00-zz"}}).status, "200");
  EXPECT_EQ(trace(), "");
  EXPECT_EQ(Post("/v1/messages", Message(R"(,"traceparent":"00-zz")")).reason, "BAD_TRACEPARENT");
}

TEST_F(JsonDoorTest, ABatchHasAResultForEach) {
  const Answer answer = Post("/v1/messages:batch",
                             absl::StrCat(R"({"requests":[)", Message(), R"(,{"token":"00"}]})"));
  EXPECT_EQ(answer.status, "200");
  ASSERT_EQ(answer.json["results"].size(), 2u);
  EXPECT_EQ(answer.json["results"][0]["response"]["outcome"], "ACCEPTED");
  EXPECT_EQ(answer.json["results"][1]["error"]["reason"], "BAD_DEVICE_TOKEN");
  EXPECT_EQ(Post("/v1/messages:batch", "{}").reason, "BATCH_EMPTY");
  std::string many = "{\"requests\":[{}";
  for (size_t i = 0; i < kMaxBatchMessages; ++i) many += ",{}";
  EXPECT_EQ(Post("/v1/messages:batch", many + "]}").reason, "BATCH_TOO_LARGE");
}

TEST_F(JsonDoorTest, AMessageCanBeTakenBack) {
  path_.registry.recall = [](const internal::v1::RecallRequest& request) {
    EXPECT_EQ(FormatUuid(*MessageId::FromBytes(request.message_id())), kUuid);
    internal::v1::RecallResponse response;
    response.set_outcome(push::v1::RecallResponse::RECALLED);
    return response;
  };
  EXPECT_EQ(
      Call("DELETE", absl::StrCat("/v1/messages/", path_.Token(), "/", kUuid)).json["outcome"],
      "RECALLED");
  EXPECT_EQ(Call("DELETE", absl::StrCat("/v1/messages/00/", kUuid)).reason, "BAD_DEVICE_TOKEN");
  EXPECT_EQ(Call("DELETE", absl::StrCat("/v1/messages/", path_.Token(), "/1")).reason,
            "BAD_MESSAGE_ID");
}

TEST_F(JsonDoorTest, OtherPathsAndMethodsAreRefused) {
  EXPECT_EQ(Call("GET", "/v1/messages/only-a-token").reason, "NO_SUCH_RESOURCE");
  const Answer answer = Call("PUT", "/v1/messages");
  EXPECT_EQ(answer.status, "405");
  EXPECT_EQ(answer.response.Get("allow"), "POST");
  http::RequestHead head;
  for (const char* path :
       {"/", "/v1", "/v1/messagesx", "/v1/messages:x", "/v2/messages", "/v1/receipts/x"}) {
    head.path = path;
    EXPECT_FALSE(door_.Matches(head)) << path;
  }
  head.path = "/v1/receipts?cursor=1";
  EXPECT_TRUE(door_.Matches(head));
}

// A feed whose pieces the test says; behind them the registry gives up with reason END.
class JsonReceiptsTest : public JsonDoorTest {
 protected:
  JsonReceiptsTest() {
    path_.registry.read_receipts = [this](const internal::v1::ReadReceiptsRequest& request)
        -> absl::StatusOr<internal::v1::ReadReceiptsResponse> {
      reads_.push_back(request);
      if (reads_.size() <= pieces_.size()) return pieces_[reads_.size() - 1];
      return end_;
    };
  }
  // Of one receipt at `position`, or of none.
  static internal::v1::ReadReceiptsResponse Piece(uint64_t position, bool receipt) {
    internal::v1::ReadReceiptsResponse piece;
    piece.set_next_position(position);
    if (receipt) {
      internal::v1::FeedReceipt* feed = piece.add_receipts();
      feed->set_position(position);
      feed->set_device_id("0123456789abcdef");
      feed->set_registration_id(42);
      feed->set_app_id("com.example.mail");
      feed->set_message_id(std::string(ParseUuid(kUuid)->bytes()));
      feed->mutable_receipt()->set_step(push::v1::SENT);
    }
    return piece;
  }
  H2TestClient::Response Get(absl::string_view path, Fields more = {}) {
    const int32_t stream = harness_.client.Request(GetFields(path, WithBearer(std::move(more))));
    // Receipts are written in turns, which the thread of a server comes to by itself.
    for (int turn = 0; turn < 4; ++turn) {
      harness_.Run();
      harness_.thread->RunPosted();
    }
    harness_.Run();
    return harness_.client.response(stream);
  }

  std::vector<internal::v1::ReadReceiptsRequest> reads_;
  std::vector<internal::v1::ReadReceiptsResponse> pieces_;
  absl::Status end_ = MakeError(absl::StatusCode::kOutOfRange, "END", "the test ends here");
};

TEST_F(JsonReceiptsTest, ReceiptsAreEventsWhoseIdIsTheCursor) {
  pieces_ = {Piece(5, false), Piece(6, true)};
  const H2TestClient::Response response = Get("/v1/receipts");
  EXPECT_EQ(response.Get(":status"), "200");
  EXPECT_EQ(response.Get("content-type"), "text/event-stream");
  EXPECT_TRUE(reads_[0].from_now());
  const std::vector<std::string> events = absl::StrSplit(response.body, "\n\n");
  ASSERT_EQ(events.size(), 5u) << response.body;
  EXPECT_EQ(events[0], "retry: 1000");
  EXPECT_EQ(events[1], "id: 1.teamteam22.5");
  ASSERT_TRUE(absl::StartsWith(events[2], "id: 1.teamteam22.6\ndata: {")) << events[2];
  const auto receipt = nlohmann::json::parse(events[2].substr(events[2].find('{')));
  EXPECT_EQ(receipt["messageId"], kUuid);
  EXPECT_EQ(receipt["receipt"]["step"], "SENT");
  EXPECT_EQ(receipt["token"], path_.Token());
  ASSERT_TRUE(absl::StartsWith(events[3], "event: end\ndata: {")) << events[3];
  EXPECT_TRUE(absl::StrContains(events[3], "\"reason\":\"END\""));
  EXPECT_EQ(events[4], "");
  EXPECT_TRUE(response.closed);
}

TEST_F(JsonReceiptsTest, GoesOnFromTheLastEvent) {
  for (const auto& [path, fields] : std::vector<std::pair<std::string, Fields>>{
           {"/v1/receipts", {{"last-event-id", "1.teamteam22.5"}}},
           {"/v1/receipts?cursor=1.teamteam22.4", {{"last-event-id", "1.teamteam22.5"}}},
           {"/v1/receipts?cursor=1.teamteam22.5", {}}}) {
    reads_.clear();
    pieces_ = {Piece(6, true)};
    const H2TestClient::Response response = Get(path, fields);
    EXPECT_TRUE(absl::StrContains(response.body, "id: 1.teamteam22.6\n")) << response.body;
    EXPECT_FALSE(reads_[0].from_now());
    EXPECT_EQ(reads_[0].after_position(), 5u);
    // So that the client soon hears that it is heard.
    EXPECT_EQ(reads_[0].wait_ms(), 0);
  }
}

TEST_F(JsonReceiptsTest, ASilentFeedIsShownToBeAlive) {
  pieces_ = std::vector<internal::v1::ReadReceiptsResponse>(12, Piece(5, false));
  const H2TestClient::Response response =
      Get("/v1/receipts", {{"last-event-id", "1.teamteam22.5"}});
  int comments = 0;
  for (absl::string_view event : absl::StrSplit(response.body, "\n\n")) comments += event == ":";
  // At once, and behind each three that follow.
  EXPECT_EQ(comments, 4) << response.body;
  EXPECT_EQ(reads_[1].wait_ms(),
            absl::ToInt64Milliseconds(std::min(kMaxReceiptWait, kKeyFreshness)));
}

TEST_F(JsonReceiptsTest, WhatIsWrongBeforeTheFirstEventIsAnAnswer) {
  EXPECT_EQ(Call("GET", "/v1/receipts?cursor=1.otherteam2.5").reason, "BAD_CURSOR");
  EXPECT_EQ(Call("GET", "/v1/receipts?cursor=%").reason, "END");
  end_ = MakeError(absl::StatusCode::kOutOfRange, "CURSOR_TOO_OLD", "too old");
  const Answer answer = Call("GET", "/v1/receipts", {{"last-event-id", "1.teamteam22.5"}});
  EXPECT_EQ(answer.status, "400");
  EXPECT_EQ(answer.reason, "CURSOR_TOO_OLD");
}

TEST_F(JsonReceiptsTest, ADrainEndsTheStream) {
  path_.drain.Begin();
  const Answer answer = Call("GET", "/v1/receipts");
  EXPECT_EQ(answer.status, "503");
  EXPECT_EQ(answer.reason, "SHUTTING_DOWN");
}

TEST_F(JsonReceiptsTest, ADrainTellsWhoWatches) {
  pieces_ = {Piece(5, false)};
  path_.registry.HoldAnswers();
  const int32_t stream = harness_.client.Request(GetFields("/v1/receipts", WithBearer({})));
  harness_.Run();
  // The look-up of the key was held; what follows is asked at once, and the read after it held.
  path_.drain.Begin();
  harness_.Run();
  const H2TestClient::Response& response = harness_.client.response(stream);
  EXPECT_EQ(response.Get(":status"), "503");
  path_.registry.ReleaseAnswers();
  harness_.Run();
  EXPECT_TRUE(response.closed);
}

TEST_F(JsonReceiptsTest, AClientThatGoesEndsTheWatch) {
  pieces_ = {Piece(5, false)};
  const std::string bearer = path_.Bearer();
  EXPECT_TRUE(absl::StrContains(Get("/v1/receipts").body, "event: end"));  // The key is known now.
  reads_.clear();
  pieces_ = {};
  path_.registry.HoldAnswers();
  const int32_t stream = harness_.client.Request(GetFields("/v1/receipts", WithBearer({})));
  harness_.Run();
  EXPECT_EQ(reads_.size(), 1u);
  harness_.client.Reset(stream);
  harness_.Run();
  path_.registry.ReleaseAnswers();
  harness_.Run();
  EXPECT_EQ(harness_.connection->exchanges(), 0u);
  ASSERT_EQ(reads_.size(), 2u);
  EXPECT_TRUE(reads_[1].stream_ended()) << "its place is free";
}

}  // namespace
}  // namespace bellwire::gateway
