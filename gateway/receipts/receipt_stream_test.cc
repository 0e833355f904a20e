#include "gateway/receipts/receipt_stream.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/key_cache.h"
#include "gateway/receipts/receipt_cursor.h"
#include "gateway/testing/test_gateway.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

using internal::v1::ReadReceiptsRequest;
using internal::v1::ReadReceiptsResponse;
using push::v1::WatchReceiptsResponse;

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

class ReceiptStreamTest : public ::testing::Test {
 protected:
  ReceiptStreamTest() {
    gateway_.registry.read_receipts = [this](const ReadReceiptsRequest& request) {
      return Answer(request);
    };
  }

  // A feed of `end_` receipts of one message. At its end the registry gives up, with reason END,
  // after `empty_answers_` waits.
  absl::StatusOr<ReadReceiptsResponse> Answer(const ReadReceiptsRequest& request) {
    EXPECT_EQ(request.team_id(), TestGateway::kTeam);
    ReadReceiptsResponse response;
    absl::MutexLock lock(&mutex_);
    EXPECT_NE(request.stream(), 0u);
    if (request.stream_ended()) {
      ended_.push_back(request.stream());
      return response;
    }
    EXPECT_TRUE(several_ || streams_.empty() || streams_.back() == request.stream());
    streams_ = {request.stream()};
    ++reads_;
    uint64_t position = request.from_now() ? end_ : request.after_position();
    if (position == end_ && !request.from_now() && empty_answers_-- <= 0) {
      return MakeError(absl::StatusCode::kOutOfRange, "END", "the test ends here");
    }
    while (position < end_ && response.receipts_size() < static_cast<int>(request.max_receipts())) {
      internal::v1::FeedReceipt* receipt = response.add_receipts();
      receipt->set_position(++position);
      receipt->set_device_id("0123456789abcdef");
      receipt->set_registration_id(42);
      receipt->set_app_id("com.example.mail");
      if (position != dead_token_) {
        receipt->set_message_id(std::string(ParseUuid(kUuid)->bytes()));
      }
      receipt->mutable_receipt()->set_step(push::v1::SENT);
    }
    response.set_next_position(position);
    return response;
  }

  void Open(const std::string& cursor) { OpenWith(gateway_.Context(), cursor); }
  void OpenWith(std::unique_ptr<grpc::ClientContext> context, const std::string& cursor) {
    context_ = std::move(context);
    push::v1::WatchReceiptsRequest request;
    request.set_cursor(cursor);
    stream_ = gateway_.push()->WatchReceipts(context_.get(), request);
  }
  static std::string Cursor(uint64_t position) {
    return EncodeReceiptCursor(TestGateway::kTeam, position);
  }
  absl::Status End() {
    WatchReceiptsResponse response;
    EXPECT_FALSE(stream_->Read(&response)) << response.DebugString();
    return FromGrpcStatus(stream_->Finish());
  }
  int reads() {
    absl::MutexLock lock(&mutex_);
    return reads_;
  }
  void SetEnd(uint64_t end) {
    absl::MutexLock lock(&mutex_);
    end_ = end;
  }

  absl::Mutex mutex_;
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;
  int reads_ ABSL_GUARDED_BY(mutex_) = 0;
  // Names of the stream that asked last, and of those that ended.
  std::vector<uint64_t> streams_ ABSL_GUARDED_BY(mutex_);
  // They may be of several streams.
  bool several_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<uint64_t> ended_ ABSL_GUARDED_BY(mutex_);
  int empty_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t dead_token_ = 0;
  TestGateway gateway_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<WatchReceiptsResponse>> stream_;
};

TEST_F(ReceiptStreamTest, AWatchFromNowOnBeginsWithItsCursor) {
  SetEnd(7);
  Open("");
  WatchReceiptsResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.cursor(), Cursor(7));
  EXPECT_EQ(response.token(), "");
  EXPECT_FALSE(response.has_receipt());
  EXPECT_EQ(ErrorReason(End()), "END");
}

// The registry counts the streams of a team, over all gateways.
TEST_F(ReceiptStreamTest, TheRegistryHearsOfItsEnd) {
  SetEnd(7);
  Open(Cursor(7));
  EXPECT_EQ(ErrorReason(End()), "END");
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(ended_, streams_);
}

TEST_F(ReceiptStreamTest, ATeamWithTooManyIsToldSoByTheRegistry) {
  gateway_.registry.read_receipts = [](const ReadReceiptsRequest&) {
    return absl::StatusOr<ReadReceiptsResponse>(WithRetryAfter(
        MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED", "one too many"),
        absl::Seconds(3)));
  };
  Open(Cursor(1));
  const absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(ErrorReason(status), "QUOTA_EXCEEDED");
  EXPECT_EQ(RetryAfter(status), absl::Seconds(3));
}

TEST_F(ReceiptStreamTest, AWaitInVainIsRepeated) {
  SetEnd(7);
  {
    absl::MutexLock lock(&mutex_);
    empty_answers_ = 3;
  }
  Open(Cursor(7));
  EXPECT_EQ(ErrorReason(End()), "END");
  EXPECT_EQ(reads(), 4);
}

TEST_F(ReceiptStreamTest, ReceiptsComeInOrderEachWithTheCursorBehindIt) {
  const uint64_t count = 2 * kMaxFeedBlockReceipts + 10;
  SetEnd(count);
  dead_token_ = 5;
  Open(Cursor(2));
  WatchReceiptsResponse response;
  for (uint64_t position = 3; position <= count; ++position) {
    ASSERT_TRUE(stream_->Read(&response));
    ASSERT_EQ(response.cursor(), Cursor(position));
    EXPECT_EQ(response.message_id(), position == 5 ? "" : kUuid);
    EXPECT_EQ(response.app_id(), "com.example.mail");
    EXPECT_EQ(response.receipt().step(), push::v1::SENT);
    const auto token = gateway_.sealer->Open(response.token());
    ASSERT_TRUE(token.has_value());
    EXPECT_EQ(token->device_id.bytes(), "0123456789abcdef");
    EXPECT_EQ(token->registration_id, 42u);
    EXPECT_EQ(token->app_tag, AppTag("com.example.mail"));
  }
  EXPECT_EQ(ErrorReason(End()), "END");
}

TEST_F(ReceiptStreamTest, AWatcherThatDoesNotReadAsksNothingOfTheRegistry) {
  // Far more than the windows of HTTP/2 hold.
  SetEnd(10'000'000);
  Open(Cursor(0));
  WatchReceiptsResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  // Sends of the same team get through meanwhile, and by the time they have, reading has stopped.
  int before = -1;
  while (before != reads()) {
    before = reads();
    push::v1::SendResponse sent;
    for (int i = 0; i < 5; ++i) {
      const absl::Status status = gateway_.Send(gateway_.Message(), &sent);
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  EXPECT_LT(before, 1000);
  context_->TryCancel();
  stream_->Finish();
}

TEST_F(ReceiptStreamTest, ABadCursorEndsIt) {
  for (const std::string cursor : {"nonsense", "1.another.7"}) {
    Open(cursor);
    const absl::Status status = End();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(ErrorReason(status), "BAD_CURSOR");
  }
}

TEST_F(ReceiptStreamTest, WhatTheRegistryRefusesEndsItWithItsReason) {
  gateway_.registry.read_receipts =
      [](const ReadReceiptsRequest&) -> absl::StatusOr<ReadReceiptsResponse> {
    return MakeError(absl::StatusCode::kOutOfRange, "CURSOR_TOO_OLD", "7 days");
  };
  Open(Cursor(1));
  const absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange) << status;
  EXPECT_EQ(ErrorReason(status), "CURSOR_TOO_OLD");
}

TEST_F(ReceiptStreamTest, WithoutACredentialItEndsAtOnce) {
  OpenWith(std::make_unique<grpc::ClientContext>(), "");
  EXPECT_EQ(ErrorReason(End()), "MISSING_CREDENTIAL");
}

// Before, the key was asked for every 30 s, and the wait for a receipt could begin just before
// that.
TEST_F(ReceiptStreamTest, ARevocationEndsItWithinFiveSecondsThoughNothingHappens) {
  static_assert(kKeyFreshness < absl::Seconds(5));
  SetEnd(7);
  {
    absl::MutexLock lock(&mutex_);
    empty_answers_ = 1000;
  }
  // The registry lets it wait as long as it likes. The key is revoked right after it was looked at.
  absl::Duration since_revoked;
  gateway_.registry.read_receipts = [&](const ReadReceiptsRequest& request) {
    gateway_.revoked = true;
    const absl::Duration wait = absl::Milliseconds(request.wait_ms());
    since_revoked += wait;
    gateway_.clock.Advance(wait);
    return Answer(request);
  };
  Open(Cursor(7));
  const absl::Status status = End();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL");
  EXPECT_LE(since_revoked, absl::Seconds(5));
}

TEST_F(ReceiptStreamTest, ADrainEndsItThoughItWaits) {
  gateway_.registry.HoldAnswers();
  Open("");
  gateway_.registry.WaitForHeld(1);  // Its key: the watch is there and waits.
  std::thread drain([this] { gateway_.server->Drain(absl::Seconds(30)); });
  EXPECT_EQ(ErrorReason(End()), "SHUTTING_DOWN");
  drain.join();
  gateway_.registry.ReleaseAnswers();
}

TEST_F(ReceiptStreamTest, ATeamHasSoManyStreamsAtATimeAndNoMore) {
  {
    absl::MutexLock lock(&mutex_);
    several_ = true;
  }
  SetEnd(7);
  struct Watch {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientReader<WatchReceiptsResponse>> stream;
  };
  std::vector<Watch> watches;
  push::v1::SendResponse sent;  // From now on the gateway knows the key.
  ASSERT_TRUE(gateway_.Send(gateway_.Message(), &sent).ok());
  gateway_.registry.HoldAnswers();
  for (size_t i = 0; i < kMaxReceiptStreamsPerTeam; ++i) {
    watches.push_back({gateway_.Context(), nullptr});
    watches.back().stream = gateway_.push()->WatchReceipts(watches.back().context.get(),
                                                           push::v1::WatchReceiptsRequest());
    gateway_.registry.WaitForHeld(i + 1);
  }
  Open("");
  const absl::Status refused = End();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_TRUE(RetryAfter(refused).has_value());
  for (Watch& watch : watches) watch.context->TryCancel();
  gateway_.registry.ReleaseAnswers();
}

}  // namespace
}  // namespace bellwire::gateway
