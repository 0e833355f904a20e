// PushService as a provider meets it: over gRPC and TLS. What each step decides is tested beside
// it; this is about what arrives on the other side.

#include "gateway/doors/grpc/push_service.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "crypto/provider_key.h"
#include "gateway/auth/access_token.h"
#include "gateway/testing/test_gateway.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

using internal::v1::AppendRequest;
using internal::v1::AppendResponse;
using push::v1::SendRequest;
using push::v1::SendResponse;

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

class PushServiceTest : public ::testing::Test {
 protected:
  absl::Status Send(const SendRequest& request) { return gateway_.Send(request, &response_); }

  // The registry answers every Append so.
  void AnswerAppends(absl::StatusOr<AppendResponse> answer) {
    gateway_.registry.append = [answer](const AppendRequest&) { return answer; };
  }

  TestGateway gateway_;
  SendResponse response_;
};

void ExpectError(const absl::Status& status, absl::StatusCode code, absl::string_view reason,
                 absl::string_view field = "") {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(ErrorReason(status), reason) << status;
  EXPECT_EQ(ErrorField(status).value_or(""), field) << status;
}

TEST_F(PushServiceTest, SendIsAccepted) {
  std::string payload;
  gateway_.registry.append = [&payload](const AppendRequest& append) {
    payload = append.message().payload();
    return internal::v1::AppendResponse();
  };
  SendRequest request = gateway_.Message();
  request.set_message_id(kUuid);
  const absl::Status status = Send(request);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response_.message_id(), kUuid);
  EXPECT_EQ(response_.outcome(), SendResponse::ACCEPTED);
  EXPECT_EQ(payload, "hello");
}

TEST_F(PushServiceTest, AMessageBelongsToTheTraceOfItsCall) {
  std::string trace;
  gateway_.registry.append = [&trace](const AppendRequest& append) {
    trace = FormatTraceparent(append.message().trace_context());
    return internal::v1::AppendResponse();
  };
  constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto context = gateway_.Context();
  context->AddMetadata("traceparent", kTrace);
  ASSERT_TRUE(gateway_.push()->Send(context.get(), gateway_.Message(), &response_).ok());
  EXPECT_EQ(trace, kTrace);
  ASSERT_TRUE(Send(gateway_.Message()).ok());
  EXPECT_EQ(trace, "");
}

TEST_F(PushServiceTest, EveryInvalidFieldHasItsReason) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  SendRequest request = gateway_.Message();
  request.set_token(std::string(98, 'a'));
  ExpectError(Send(request), kInvalid, "BAD_DEVICE_TOKEN", "token");
  request = gateway_.Message();
  request.set_payload(std::string(kMaxPayloadBytes + 1, 'x'));
  ExpectError(Send(request), kInvalid, "PAYLOAD_TOO_LARGE", "payload");
  request = gateway_.Message();
  request.mutable_ttl()->set_seconds(-1);
  ExpectError(Send(request), kInvalid, "TTL_OUT_OF_RANGE", "ttl");
  request = gateway_.Message();
  request.set_message_id("first");
  ExpectError(Send(request), kInvalid, "BAD_MESSAGE_ID", "message_id");
  request = gateway_.Message();
  request.set_collapse_key(std::string(kMaxCollapseKeyBytes + 1, 'k'));
  ExpectError(Send(request), kInvalid, "COLLAPSE_KEY_TOO_LONG", "collapse_key");
  request = gateway_.Message();
  request.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(gateway_.clock.WallNow()) +
                                            31 * 24 * 3600);
  ExpectError(Send(request), kInvalid, "DELIVER_AT_OUT_OF_RANGE", "deliver_at");
  request = gateway_.Message();
  request.set_priority(static_cast<push::v1::Priority>(4));
  ExpectError(Send(request), kInvalid, "BAD_PRIORITY", "priority");
}

TEST_F(PushServiceTest, RegistryErrorsKeepTheirParticulars) {
  AnswerAppends(WithMetadata(MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "gone"),
                             "unregistered_at", "2026-01-01T00:00:00Z"));
  absl::Status status = Send(gateway_.Message());
  ExpectError(status, absl::StatusCode::kNotFound, "UNREGISTERED");
  EXPECT_EQ(ErrorMetadata(status, "unregistered_at").value_or(""), "2026-01-01T00:00:00Z");

  AnswerAppends(MakeError(absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM", "not yours"));
  ExpectError(Send(gateway_.Message()), absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM");

  AnswerAppends(MakeError(absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED", "other content"));
  ExpectError(Send(gateway_.Message()), absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED");

  for (const char* reason : {"MAILBOX_FULL", "QUOTA_EXCEEDED", "OVERLOADED"}) {
    AnswerAppends(MakeError(absl::StatusCode::kResourceExhausted, reason, "full"));
    status = Send(gateway_.Message());
    ExpectError(status, absl::StatusCode::kResourceExhausted, reason);
    EXPECT_TRUE(RetryAfter(status).has_value());
  }

  AnswerAppends(absl::UnavailableError("connection refused"));
  status = Send(gateway_.Message());
  ExpectError(status, absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE");
  EXPECT_TRUE(RetryAfter(status).has_value());
}

TEST_F(PushServiceTest, ARetryIsAnsweredAsOne) {
  AppendResponse appended;
  appended.set_seq(1);
  appended.set_duplicate(true);
  appended.set_state(push::v1::APP_ACKED);
  AnswerAppends(appended);
  ASSERT_TRUE(Send(gateway_.Message()).ok());
  EXPECT_TRUE(response_.duplicate());
  EXPECT_EQ(response_.outcome(), SendResponse::ACCEPTED);
}

TEST_F(PushServiceTest, EveryBadCredentialIsRefused) {
  constexpr auto kUnauthenticated = absl::StatusCode::kUnauthenticated;
  const auto send_with = [this](grpc::ClientContext* context) {
    return FromGrpcStatus(gateway_.push()->Send(context, gateway_.Message(), &response_));
  };
  grpc::ClientContext without;
  ExpectError(send_with(&without), kUnauthenticated, "MISSING_CREDENTIAL");
  ExpectError(send_with(gateway_.ContextWith("abc").get()), kUnauthenticated, "BAD_CREDENTIAL");

  const auto send_signed = [&](const JwtPartsForTesting& parts, const std::string& key) {
    return send_with(gateway_.ContextWith(SignJwtForTesting(parts, key)).get());
  };
  const std::string& key = gateway_.key.private_key_pem;
  JwtPartsForTesting parts = gateway_.JwtParts();
  parts.issued_at -= kMaxJwtAge + absl::Seconds(1);
  ExpectError(send_signed(parts, key), kUnauthenticated, "EXPIRED_CREDENTIAL");
  parts = gateway_.JwtParts();
  parts.issued_at += kMaxJwtClockSkew + absl::Seconds(1);
  ExpectError(send_signed(parts, key), kUnauthenticated, "BAD_CREDENTIAL");
  parts = gateway_.JwtParts();
  parts.team_id = "otherteam2";
  ExpectError(send_signed(parts, key), kUnauthenticated, "BAD_CREDENTIAL");
  parts = gateway_.JwtParts();
  parts.key_id = "jihgfedcba";
  ExpectError(send_signed(parts, key), kUnauthenticated, "BAD_CREDENTIAL");
  parts = gateway_.JwtParts();
  ExpectError(send_signed(parts, GenerateProviderKeyPair()->private_key_pem), kUnauthenticated,
              "BAD_CREDENTIAL");
  parts.algorithm = "none";
  ExpectError(send_signed(parts, ""), kUnauthenticated, "BAD_CREDENTIAL");
  parts.algorithm = "HS256";
  ExpectError(send_signed(parts, gateway_.key.public_key_pem), kUnauthenticated, "BAD_CREDENTIAL");
  parts = gateway_.JwtParts();
  parts.extra_claims_json = absl::StrCat(R"({"x":")", std::string(kMaxJwtBytes, 'x'), R"("})");
  ExpectError(send_signed(parts, key), kUnauthenticated, "BAD_CREDENTIAL");
  parts.extra_claims_json = R"({"aud":"https://push.example.org"})";
  ExpectError(send_signed(parts, key), kUnauthenticated, "BAD_CREDENTIAL");
  parts.extra_claims_json = R"({"exp":1767225599})";
  ExpectError(send_signed(parts, key), kUnauthenticated, "EXPIRED_CREDENTIAL");
  parts.extra_claims_json = R"({"aud":["https://push.example.com"],"exp":9999999999})";
  EXPECT_TRUE(send_signed(parts, key).ok());
  gateway_.revoked = true;
  gateway_.clock.Advance(kKeyFreshness);
  ExpectError(send_signed(gateway_.JwtParts(), key), kUnauthenticated, "BAD_CREDENTIAL");
}

TEST_F(PushServiceTest, NowOrNeverSaysWhatHappened) {
  SendRequest request = gateway_.Message();
  request.mutable_ttl();
  push::v1::Step state = push::v1::AGENT_ACKED;
  gateway_.registry.append = [&state](const AppendRequest&) {
    internal::v1::AppendResponse appended;
    appended.set_state(state);
    return appended;
  };
  ASSERT_TRUE(Send(request).ok());
  EXPECT_EQ(response_.outcome(), SendResponse::DELIVERED);
  state = push::v1::NOT_CONNECTED;
  ASSERT_TRUE(Send(request).ok());
  EXPECT_EQ(response_.outcome(), SendResponse::NOT_CONNECTED);
}

class SendBatchTest : public PushServiceTest {
 protected:
  absl::Status SendBatch(const push::v1::SendBatchRequest& request) {
    return FromGrpcStatus(
        gateway_.push()->SendBatch(gateway_.Context().get(), request, &batch_response_));
  }
  push::v1::SendBatchResponse batch_response_;
};

TEST_F(SendBatchTest, ResultsAreInTheOrderOfTheRequests) {
  push::v1::SendBatchRequest batch;
  std::vector<std::string> ids;
  for (size_t i = 0; i < kMaxBatchMessages; ++i) {
    *batch.add_requests() = gateway_.Message();
    ids.push_back(FormatUuid(NewMessageId()));
    batch.mutable_requests(static_cast<int>(i))->set_message_id(ids.back());
  }
  batch.mutable_requests(3)->set_token("abc");
  batch.mutable_requests(4)->set_payload(std::string(kMaxPayloadBytes + 1, 'x'));
  const absl::Status status = SendBatch(batch);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(static_cast<size_t>(batch_response_.results_size()), kMaxBatchMessages);
  for (int i = 0; i < batch_response_.results_size(); ++i) {
    const push::v1::SendResult& result = batch_response_.results(i);
    if (i == 3) {
      EXPECT_EQ(result.error().reason(), "BAD_DEVICE_TOKEN");
      EXPECT_EQ(result.error().code(), 3);
      EXPECT_EQ(result.error().field(), "token");
    } else if (i == 4) {
      EXPECT_EQ(result.error().reason(), "PAYLOAD_TOO_LARGE");
    } else {
      EXPECT_EQ(result.response().message_id(), ids[static_cast<size_t>(i)]);
      EXPECT_EQ(result.response().outcome(), SendResponse::ACCEPTED);
    }
  }
}

TEST_F(SendBatchTest, RefusesTheEmptyAndTheTooLarge) {
  gateway_.registry.append = [](const AppendRequest&) {
    ADD_FAILURE();
    return internal::v1::AppendResponse();
  };
  push::v1::SendBatchRequest batch;
  ExpectError(SendBatch(batch), absl::StatusCode::kInvalidArgument, "BATCH_EMPTY", "requests");
  for (size_t i = 0; i < kMaxBatchMessages + 1; ++i) *batch.add_requests() = gateway_.Message();
  ExpectError(SendBatch(batch), absl::StatusCode::kInvalidArgument, "BATCH_TOO_LARGE", "requests");
}

TEST_F(SendBatchTest, TheLargestBatchFits) {
  push::v1::SendBatchRequest batch;
  SendRequest request = gateway_.Message();
  request.set_payload(std::string(kMaxPayloadBytes, 'x'));
  request.set_collapse_key(std::string(kMaxCollapseKeyBytes, 'k'));
  request.set_message_id(kUuid);
  for (size_t i = 0; i < kMaxBatchMessages; ++i) *batch.add_requests() = request;
  const absl::Status status = SendBatch(batch);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(PushServiceTest, GetMessagePassesTheLifeOfAMessage) {
  gateway_.registry.get_message = [](const internal::v1::GetMessageRequest& request)
      -> absl::StatusOr<internal::v1::GetMessageResponse> {
    EXPECT_EQ(request.device_id(), "0123456789abcdef");
    EXPECT_EQ(request.registration_id(), 42u);
    EXPECT_EQ(request.team_id(), TestGateway::kTeam);
    EXPECT_EQ(request.message_id(), std::string(ParseUuid(kUuid)->bytes()));
    internal::v1::GetMessageResponse response;
    response.mutable_message()->set_message_id(kUuid);
    response.mutable_message()->set_state(push::v1::AGENT_ACKED);
    return response;
  };
  push::v1::GetMessageRequest request;
  request.set_token(gateway_.Token());
  request.set_message_id(kUuid);
  push::v1::GetMessageResponse response;
  const absl::Status status =
      FromGrpcStatus(gateway_.push()->GetMessage(gateway_.Context().get(), request, &response));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.message_id(), kUuid);
  EXPECT_EQ(response.state(), push::v1::AGENT_ACKED);
}

TEST_F(PushServiceTest, GetMessageErrors) {
  const auto get = [this](const std::string& token, const std::string& message_id) {
    push::v1::GetMessageRequest request;
    request.set_token(token);
    request.set_message_id(message_id);
    push::v1::GetMessageResponse response;
    return FromGrpcStatus(
        gateway_.push()->GetMessage(gateway_.Context().get(), request, &response));
  };
  gateway_.registry.get_message = [](const internal::v1::GetMessageRequest&)
      -> absl::StatusOr<internal::v1::GetMessageResponse> {
    return MakeError(absl::StatusCode::kNotFound, "MESSAGE_NOT_FOUND", "never seen");
  };
  ExpectError(get(gateway_.Token(), kUuid), absl::StatusCode::kNotFound, "MESSAGE_NOT_FOUND");
  ExpectError(get("abc", kUuid), absl::StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN", "token");
  ExpectError(get(gateway_.Token(), ""), absl::StatusCode::kInvalidArgument, "BAD_MESSAGE_ID",
              "message_id");
}

TEST_F(PushServiceTest, RecallTellsTheConnectorWhatIsOnTheDevice) {
  internal::v1::RecallResponse answer;
  gateway_.registry.recall = [&answer](const internal::v1::RecallRequest& request) {
    EXPECT_EQ(request.team_id(), TestGateway::kTeam);
    EXPECT_EQ(request.message_id(), std::string(ParseUuid(kUuid)->bytes()));
    return answer;
  };
  push::v1::RecallRequest request;
  request.set_token(gateway_.Token());
  request.set_message_id(kUuid);
  push::v1::RecallResponse response;
  const auto recall = [&] {
    return FromGrpcStatus(gateway_.push()->Recall(gateway_.Context().get(), request, &response));
  };

  answer.set_outcome(push::v1::RecallResponse::RECALLED);
  ASSERT_TRUE(recall().ok());
  EXPECT_EQ(response.outcome(), push::v1::RecallResponse::RECALLED);
  answer.set_outcome(push::v1::RecallResponse::TOO_LATE);
  ASSERT_TRUE(recall().ok());
  EXPECT_EQ(response.outcome(), push::v1::RecallResponse::TOO_LATE);
  answer.set_outcome(push::v1::RecallResponse::REQUESTED);
  ASSERT_TRUE(recall().ok());
  EXPECT_EQ(response.outcome(), push::v1::RecallResponse::REQUESTED);
}

TEST(PushServiceAccessTokenTest, SendsAndLooksUpAndNothingElse) {
  TestGateway gateway;
  const std::string token = NewAccessToken(TestGateway::kKeyId);
  gateway.registry.get_key = [&](const internal::v1::GetKeyRequest&) {
    admin::v1::Key key;
    key.set_kind(admin::v1::Key::SEND_ONLY);
    key.set_team_id(TestGateway::kTeam);
    key.set_token_sha256(HashAccessToken(token));
    return key;
  };
  gateway.registry.get_message = [](const internal::v1::GetMessageRequest&) {
    return internal::v1::GetMessageResponse();
  };
  push::v1::SendResponse sent;
  EXPECT_TRUE(
      gateway.push()->Send(gateway.ContextWith(token).get(), gateway.Message(), &sent).ok());
  push::v1::GetMessageRequest get;
  get.set_token(gateway.Token());
  get.set_message_id(sent.message_id());
  push::v1::GetMessageResponse got;
  EXPECT_TRUE(gateway.push()->GetMessage(gateway.ContextWith(token).get(), get, &got).ok());
  push::v1::RecallRequest recall;
  recall.set_token(gateway.Token());
  recall.set_message_id(sent.message_id());
  push::v1::RecallResponse recalled;
  const absl::Status refused =
      FromGrpcStatus(gateway.push()->Recall(gateway.ContextWith(token).get(), recall, &recalled));
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrorReason(refused), "SEND_ONLY_CREDENTIAL");
  const auto context = gateway.ContextWith(token);
  const auto stream =
      gateway.push()->WatchReceipts(context.get(), push::v1::WatchReceiptsRequest());
  push::v1::WatchReceiptsResponse receipt;
  EXPECT_FALSE(stream->Read(&receipt));
  EXPECT_EQ(ErrorReason(FromGrpcStatus(stream->Finish())), "SEND_ONLY_CREDENTIAL");
}

}  // namespace
}  // namespace bellwire::gateway
