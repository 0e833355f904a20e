#include "gateway/doors/json/message_json.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "common/error.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageDifferencer;
using push::v1::SendBatchRequest;
using push::v1::SendRequest;

constexpr char kWhole[] =
    R"({"token":"00ff","payload":"aGVsbG8=","messageId":"id","collapseKey":"k","ttl":"3.5s",)"
    R"("priority":"PRIORITY_HIGH","deliverAt":"2030-01-31T12:00:00Z","validateOnly":true})";

absl::Status Read(absl::string_view text) {
  SendRequest message;
  return ParseMessageJson(text, 0, &message);
}

TEST(MessageJsonTest, ReadsAsProtobufDoes) {
  for (const std::string& text : std::initializer_list<std::string>{
           kWhole,
           R"({})",
           R"({"message_id":"id","collapse_key":"k","deliver_at":"2030-01-31T13:00:00.25+01:00"})",
           R"( { "token" : null , "ttl" : null , "priority" : null } )",
           R"({"priority":3,"validateOnly":false,"payload":"_-8"})",
           R"({"payload":"/+8="})",
           R"({"token":"\u00e4\ud83d\ude00 \"\\\/\b\f\n\r\t"})",
           R"({"ttl":"0s"})",
           R"({"deliverAt":"9999-12-31T23:59:59.999999999Z"})",
           R"({"deliverAt":"9999-12-31T22:59:59-01:00"})",
           R"({"deliverAt":"0001-01-01T00:00:00Z"})",
           R"({"deliverAt":"0001-01-01T01:00:00+01:00"})",
           R"({"ttl":"-1.000000001s"})",
       }) {
    SendRequest ours;
    SendRequest theirs;
    ASSERT_TRUE(JsonStringToMessage(text, &theirs).ok()) << text;
    const absl::Status status = ParseMessageJson(text, 0, &ours);
    ASSERT_TRUE(status.ok()) << text << ": " << status;
    EXPECT_TRUE(MessageDifferencer::Equals(ours, theirs)) << text << ": " << ours.DebugString();
  }
}

TEST(MessageJsonTest, ReadsLists) {
  const std::string text = R"({"requests":[{"token":"a"},{},{"ttl":"1s","token":"b"}]})";
  SendBatchRequest ours;
  SendBatchRequest theirs;
  ASSERT_TRUE(ParseMessageJson(text, 3, &ours).ok());
  ASSERT_TRUE(JsonStringToMessage(text, &theirs).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(ours, theirs)) << ours.DebugString();
  const absl::Status status = ParseMessageJson(text, 2, &ours);
  EXPECT_EQ(ErrorReason(status), "BATCH_TOO_LARGE");
  EXPECT_EQ(ErrorField(status), "requests");
}

TEST(MessageJsonTest, ReadsListsOfTexts) {
  const std::string text = R"({"topic":"news","tokens":["a","","b"]})";
  push::v1::SubscribeRequest ours;
  push::v1::SubscribeRequest theirs;
  ASSERT_TRUE(ParseMessageJson(text, 3, &ours).ok());
  ASSERT_TRUE(JsonStringToMessage(text, &theirs).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(ours, theirs)) << ours.DebugString();
  EXPECT_EQ(MessageToJson(ours), text);
  const absl::Status status = ParseMessageJson(text, 2, &ours);
  EXPECT_EQ(ErrorReason(status), "BATCH_TOO_LARGE");
  EXPECT_EQ(ErrorField(status), "tokens");
  for (const char* bad : {R"({"tokens":"a"})", R"({"tokens":[null]})", R"({"tokens":[["a"]]})",
                          R"({"tokens":[1]})", R"({"tokens":[{}]})", R"({"topic":["a"]})"}) {
    EXPECT_EQ(ErrorReason(ParseMessageJson(bad, 9, &ours)), "BAD_VALUE") << bad;
  }
}

TEST(MessageJsonTest, TakesOneFieldOfAChoice) {
  push::v1::PublishRequest publish;
  ASSERT_TRUE(ParseMessageJson(R"({"topic":null,"condition":"c"})", 0, &publish).ok());
  EXPECT_EQ(publish.condition(), "c");
  publish.Clear();
  const absl::Status status = ParseMessageJson(R"({"topic":"","condition":"c"})", 0, &publish);
  EXPECT_EQ(ErrorReason(status), "BAD_VALUE");
  EXPECT_EQ(ErrorField(status), "condition");
}

TEST(MessageJsonTest, WritesLargeNumbersAsText) {
  push::v1::Topic topic;
  topic.set_name("news");
  topic.set_subscribers(int64_t{1} << 60);
  EXPECT_EQ(MessageToJson(topic), R"({"name":"news","subscribers":"1152921504606846976"})");
}

TEST(MessageJsonTest, NamesAFieldThatDoesNotExist) {
  const absl::Status status = Read(R"({"token":"a","tokn":"b"})");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(status), "UNKNOWN_FIELD");
  EXPECT_EQ(ErrorField(status), "tokn");
  EXPECT_EQ(status.message(), "There is no field \"tokn\" in SendRequest.");
  EXPECT_EQ(ErrorReason(Read(absl::StrCat(R"({")", std::string(5000, 'x'), R"(":1})"))),
            "UNKNOWN_FIELD");
}

TEST(MessageJsonTest, AFieldComesOnceInWhicheverSpelling) {
  for (const char* text : {R"({"token":"a","token":"b"})", R"({"messageId":"a","message_id":"b"})",
                           R"({"token":null,"token":"b"})"}) {
    EXPECT_EQ(ErrorReason(Read(text)), "DUPLICATE_FIELD") << text;
  }
}

TEST(MessageJsonTest, SaysWhichValueIsWrong) {
  for (const auto& [text, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"token":5})", "token"},
           {R"({"token":["a"]})", "token"},
           {R"({"token":{"a":1}})", "token"},
           {R"({"payload":"@@@"})", "payload"},
           {R"({"payload":"a"})", "payload"},
           {R"({"payload":"_-9"})", "payload"},
           {R"({"payload":"/-8="})", "payload"},
           {R"({"payload":"_-8\n"})", "payload"},
           {R"({"ttl":3})", "ttl"},
           {R"({"ttl":"3"})", "ttl"},
           {R"({"ttl":{}})", "ttl"},
           {R"({"priority":"HIGH"})", "priority"},
           {R"({"priority":-1})", "priority"},
           {R"({"priority":99999999999})", "priority"},
           {R"({"deliverAt":"tomorrow"})", "deliverAt"},
           // Protobuf's own parser would end the process.
           {R"({"deliverAt":"9999-12-31T23:59:59-00:01"})", "deliverAt"},
           {R"({"deliverAt":"9999-12-31T23:59:59.999999999-23:59"})", "deliverAt"},
           {R"({"deliverAt":"0001-01-01T00:00:00+00:01"})", "deliverAt"},
           {R"({"deliverAt":"0001-01-01T00:00:00.5+23:59"})", "deliverAt"},
           {R"({"deliverAt":"infinite-future"})", "deliverAt"},
           {R"({"deliverAt":" 2030-01-31T12:00:00Z"})", "deliverAt"},
           {R"({"deliverAt":"2030-01-31t12:00:00z"})", "deliverAt"},
           {R"({"validateOnly":"true"})", "validateOnly"},
           {R"({"validateOnly":1})", "validateOnly"}}) {
    const absl::Status status = Read(text);
    EXPECT_EQ(ErrorReason(status), "BAD_VALUE") << text;
    EXPECT_EQ(ErrorField(status), field) << text;
  }
  for (const char* text : {"null", "[]", "5", "\"x\"", "[{}]"}) {
    EXPECT_EQ(ErrorReason(Read(text)), "BAD_VALUE") << text;
  }
  SendBatchRequest batch;
  for (const char* text : {R"({"requests":{}})", R"({"requests":[null]})", R"({"requests":[[{}]]})",
                           R"({"requests":["a"]})", R"({"requests":"a"})"}) {
    EXPECT_EQ(ErrorReason(ParseMessageJson(text, 9, &batch)), "BAD_VALUE") << text;
  }
}

TEST(MessageJsonTest, WhatIsNoJsonIsRefused) {
  for (const char* text :
       {"", " ", "{", "{}{}", "{} x", R"({"token":"a",})", R"({'token':'a'})", R"({token:"a"})",
        R"({"token":"\ud83d"})", R"({"token":"\ude00"})", "{\"token\":\"\xff\"}",
        "{\"token\":\"\xc0\xaf\"}", "{\"token\":\"a\nb\"}", R"({"priority":01})",
        R"({"priority":NaN})", "\xef\xbb\xbf", "{/**/}"}) {
    const absl::Status status = Read(text);
    EXPECT_EQ(ErrorReason(status), "MALFORMED_JSON") << text << ": " << status;
    EXPECT_LT(status.message().size(), 1000u);
  }
  // However deep: nothing of the API is.
  EXPECT_EQ(ErrorReason(Read(std::string(100'000, '['))), "BAD_VALUE");
  EXPECT_EQ(ErrorReason(Read(R"({"token":)" + std::string(100'000, '['))), "BAD_VALUE");
}

TEST(MessageJsonTest, WritesAsProtobufDoes) {
  push::v1::SendResponse sent;
  sent.set_message_id("an \"id\"");
  sent.set_outcome(push::v1::SendResponse::ACCEPTED);
  EXPECT_EQ(MessageToJson(sent),
            R"({"messageId":"an \"id\"","outcome":"ACCEPTED","duplicate":false})");

  push::v1::GetMessageResponse got;
  got.set_state(push::v1::SENT);
  got.mutable_expires_at()->set_seconds(1);
  push::v1::Receipt* receipt = got.add_receipts();
  receipt->set_step(push::v1::STORED);
  receipt->mutable_time()->set_seconds(2);
  receipt->mutable_time()->set_nanos(500'000'000);
  push::v1::GetMessageResponse back;
  ASSERT_TRUE(JsonStringToMessage(MessageToJson(got), &back).ok()) << MessageToJson(got);
  EXPECT_TRUE(MessageDifferencer::Equals(got, back));

  push::v1::SendBatchResponse batch;
  *batch.add_results()->mutable_response() = sent;
  batch.add_results()->mutable_error()->set_code(5);
  push::v1::SendBatchResponse batch_back;
  ASSERT_TRUE(JsonStringToMessage(MessageToJson(batch), &batch_back).ok()) << MessageToJson(batch);
  EXPECT_TRUE(MessageDifferencer::Equals(batch, batch_back));
}

}  // namespace
}  // namespace bellwire::gateway
