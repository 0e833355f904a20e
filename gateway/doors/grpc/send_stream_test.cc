#include "gateway/doors/grpc/send_stream.h"

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "gateway/auth/key_cache.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/testing/test_gateway.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

using push::v1::SendStreamRequest;
using push::v1::SendStreamResponse;

class SendStreamTest : public ::testing::Test {
 protected:
  using Stream = grpc::ClientReaderWriter<SendStreamRequest, SendStreamResponse>;

  void Open() { OpenWith(gateway_.Context()); }
  void OpenWith(std::unique_ptr<grpc::ClientContext> context) {
    context_ = std::move(context);
    stream_ = gateway_.push()->SendStream(context_.get());
  }

  SendStreamRequest Request(uint64_t correlation_id) {
    SendStreamRequest request;
    request.set_correlation_id(correlation_id);
    *request.mutable_request() = gateway_.Message();
    return request;
  }

  // The stream's end, which must be the next thing that comes.
  absl::Status End() {
    SendStreamResponse response;
    EXPECT_FALSE(stream_->Read(&response)) << response.DebugString();
    return FromGrpcStatus(stream_->Finish());
  }

  TestGateway gateway_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(SendStreamTest, AnswersThousandsOfPipelinedMessages) {
  constexpr uint64_t kMessages = 5000;
  Open();
  std::thread writer([this] {
    for (uint64_t id = 1; id <= kMessages; ++id) ASSERT_TRUE(stream_->Write(Request(id)));
    stream_->WritesDone();
  });
  std::set<uint64_t> answered;
  SendStreamResponse response;
  while (stream_->Read(&response)) {
    EXPECT_EQ(response.result().response().outcome(), push::v1::SendResponse::ACCEPTED);
    EXPECT_TRUE(answered.insert(response.correlation_id()).second);
  }
  writer.join();
  const absl::Status status = FromGrpcStatus(stream_->Finish());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(answered.size(), kMessages);
  EXPECT_EQ(*answered.rbegin(), kMessages);
}

TEST_F(SendStreamTest, AMessageBelongsToItsOwnTraceOrToTheStreams) {
  std::vector<std::string> traces;
  gateway_.registry.append = [&traces](const internal::v1::AppendRequest& append) {
    traces.push_back(FormatTraceparent(append.message().trace_context()));
    return internal::v1::AppendResponse();
  };
  const std::string of_the_stream = "00-11111111111111111111111111111111-2222222222222222-00";
  const std::string own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  auto context = gateway_.Context();
  context->AddMetadata("traceparent", of_the_stream);
  OpenWith(std::move(context));
  SendStreamRequest request = Request(1);
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Write(request));
  ASSERT_TRUE(stream_->Read(&response));
  request.mutable_request()->set_traceparent(own);
  ASSERT_TRUE(stream_->Write(request));
  ASSERT_TRUE(stream_->Read(&response));
  stream_->WritesDone();
  EXPECT_TRUE(End().ok());
  EXPECT_EQ(traces, (std::vector<std::string>{of_the_stream, own}));
}

TEST_F(SendStreamTest, StreamsOfATeamAreBounded) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Stream>> streams;
  SendStreamResponse response;
  for (size_t i = 0; i < SendStream::kMaxStreamsPerTeam; ++i) {
    Open();
    ASSERT_TRUE(stream_->Write(Request(i)));
    ASSERT_TRUE(stream_->Read(&response)) << i;
    contexts.push_back(std::move(context_));
    streams.push_back(std::move(stream_));
  }
  std::unique_ptr<grpc::ClientContext> one_more = gateway_.Context();
  one_more->set_deadline(absl::ToChronoTime(RealClock()->WallNow() + absl::Seconds(30)));
  OpenWith(std::move(one_more));
  absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(ErrorReason(status), "QUOTA_EXCEEDED");
  EXPECT_TRUE(RetryAfter(status).has_value());
  // One that ends makes room.
  streams.back()->WritesDone();
  EXPECT_FALSE(streams.back()->Read(&response));
  EXPECT_TRUE(streams.back()->Finish().ok());
  streams.pop_back();
  contexts.pop_back();
  bool served = false;
  while (!served) {
    Open();
    stream_->Write(Request(1));
    served = stream_->Read(&response);
    if (!served) stream_->Finish();
  }
  for (auto& context : contexts) context->TryCancel();
  for (auto& stream : streams) stream->Finish();
  context_->TryCancel();
  stream_->Finish();
}

TEST_F(SendStreamTest, ABadMessageFailsAlone) {
  Open();
  SendStreamRequest bad = Request(1);
  bad.mutable_request()->set_token("abc");
  ASSERT_TRUE(stream_->Write(bad));
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.correlation_id(), 1u);
  EXPECT_EQ(response.result().error().reason(), "BAD_DEVICE_TOKEN");
  EXPECT_EQ(response.result().error().field(), "token");

  ASSERT_TRUE(stream_->Write(Request(2)));
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.correlation_id(), 2u);
  EXPECT_TRUE(response.result().has_response());
  stream_->WritesDone();
  EXPECT_TRUE(End().ok());
}

TEST_F(SendStreamTest, WhatIsUnansweredAtTheHalfCloseIsStillAnswered) {
  Open();
  // The first message waits for nothing but the registry: the key is known by then.
  ASSERT_TRUE(stream_->Write(Request(0)));
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.registry.HoldAnswers();
  for (uint64_t id = 1; id <= 10; ++id) ASSERT_TRUE(stream_->Write(Request(id)));
  stream_->WritesDone();
  gateway_.registry.WaitForHeld(10);
  gateway_.registry.ReleaseAnswers();
  for (uint64_t id = 1; id <= 10; ++id) {
    ASSERT_TRUE(stream_->Read(&response));
    EXPECT_EQ(response.correlation_id(), id);
  }
  EXPECT_TRUE(End().ok());
}

TEST_F(SendStreamTest, ReadsNoMoreThanItHasRoomFor) {
  constexpr uint64_t kMessages = 3 * kMaxSendStreamInFlight;
  Open();
  ASSERT_TRUE(stream_->Write(Request(0)));
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.registry.HoldAnswers();
  std::thread writer([this] {
    for (uint64_t id = 1; id <= kMessages; ++id) ASSERT_TRUE(stream_->Write(Request(id)));
    stream_->WritesDone();
  });
  gateway_.registry.WaitForHeld(kMaxSendStreamInFlight);
  // Time for more to come, if more came.
  push::v1::SendRequest bad;
  push::v1::SendResponse ignored;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(gateway_.Send(bad, &ignored).ok());
  EXPECT_EQ(gateway_.registry.held(), kMaxSendStreamInFlight);
  gateway_.registry.ReleaseAnswers();
  uint64_t answered = 0;
  while (stream_->Read(&response)) ++answered;
  writer.join();
  EXPECT_TRUE(stream_->Finish().ok());
  EXPECT_EQ(answered, kMessages);
}

TEST_F(SendStreamTest, ACancelledStreamLeavesNothingBehind) {
  Open();
  ASSERT_TRUE(stream_->Write(Request(0)));
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.registry.HoldAnswers();
  for (uint64_t id = 1; id <= 10; ++id) ASSERT_TRUE(stream_->Write(Request(id)));
  gateway_.registry.WaitForHeld(10);
  context_->TryCancel();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  gateway_.registry.ReleaseAnswers();
  // Waits for the stream: every answer came, though nobody reads it.
  gateway_.server.reset();
}

TEST_F(SendStreamTest, ACancelledIdleStreamEnds) {
  Open();
  ASSERT_TRUE(stream_->Write(Request(1)));
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  context_->TryCancel();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  gateway_.server.reset();
}

TEST_F(SendStreamTest, RefusesABadCredentialAtOnce) {
  OpenWith(std::make_unique<grpc::ClientContext>());
  absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorReason(status), "MISSING_CREDENTIAL");
  OpenWith(gateway_.ContextWith("a.b.c"));
  status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL");
}

TEST_F(SendStreamTest, EndsWhenTheJwtHasExpired) {
  Open();
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Write(Request(1)));
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.clock.Advance(kMaxJwtAge + absl::Seconds(1));
  ASSERT_TRUE(stream_->Write(Request(2)));
  const absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorReason(status), "EXPIRED_CREDENTIAL");
}

TEST_F(SendStreamTest, EndsWhenTheKeyWasRevoked) {
  Open();
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Write(Request(1)));
  ASSERT_TRUE(stream_->Read(&response));
  // A living key is merely looked up again.
  gateway_.clock.Advance(kKeyFreshness);
  ASSERT_TRUE(stream_->Write(Request(2)));
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_TRUE(response.result().has_response());

  gateway_.revoked = true;
  gateway_.clock.Advance(kKeyFreshness);
  ASSERT_TRUE(stream_->Write(Request(3)));
  const absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL");
}

// Between two looks at it a key may have been revoked, and nothing is ever sent again.
TEST_F(SendStreamTest, AnIdleStreamEndsWithinFiveSecondsOfARevocation) {
  EXPECT_LT(kKeyFreshness + kRecheckInterval, absl::Seconds(5));
  Open();
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Write(Request(1)));
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.server->RecheckStreams();
  gateway_.clock.Advance(kKeyFreshness);
  gateway_.server->RecheckStreams();
  ASSERT_TRUE(stream_->Write(Request(2)));
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.revoked = true;
  gateway_.clock.Advance(kKeyFreshness);
  gateway_.server->RecheckStreams();
  const absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL");
}

TEST_F(SendStreamTest, AnIdleStreamOutlivesARegistryThatIsAway) {
  Open();
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Write(Request(1)));
  ASSERT_TRUE(stream_->Read(&response));
  const auto get_key = gateway_.registry.get_key;
  gateway_.registry.get_key = [](const internal::v1::GetKeyRequest&) {
    return absl::StatusOr<admin::v1::Key>(absl::UnavailableError("away"));
  };
  gateway_.clock.Advance(kKeyFreshness);
  gateway_.server->RecheckStreams();
  gateway_.registry.get_key = get_key;
  ASSERT_TRUE(stream_->Write(Request(2)));
  ASSERT_TRUE(stream_->Read(&response));
  stream_->WritesDone();
  EXPECT_TRUE(End().ok());
}

TEST_F(SendStreamTest, AnIdleStreamEndsWhenTheServerDrains) {
  Open();
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Write(Request(1)));
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.server->Drain(absl::InfiniteDuration());
  const absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorReason(status), "SHUTTING_DOWN");
}

TEST_F(SendStreamTest, ADrainLetsTheAnswersOut) {
  Open();
  SendStreamResponse response;
  ASSERT_TRUE(stream_->Write(Request(1)));
  ASSERT_TRUE(stream_->Read(&response));
  gateway_.registry.HoldAnswers();
  ASSERT_TRUE(stream_->Write(Request(2)));
  gateway_.registry.WaitForHeld(1);
  std::thread drain([this] { gateway_.server->Drain(absl::InfiniteDuration()); });
  gateway_.registry.ReleaseAnswers();
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.correlation_id(), 2u);
  EXPECT_EQ(ErrorReason(End()), "SHUTTING_DOWN");
  drain.join();
}

}  // namespace
}  // namespace bellwire::gateway
