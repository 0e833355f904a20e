// gRPC's own client against the door: what an unmodified client may rely on.

#include "gateway/doors/grpc/grpc_door.h"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/grpc/health_service.h"
#include "gateway/doors/http/http_listener.h"
#include "grpc/grpc.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "net/tls/tls_test_identity.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

using push::v1::PushService;
using push::v1::SendBatchRequest;
using push::v1::SendBatchResponse;
using push::v1::SendRequest;
using push::v1::SendResponse;
using push::v1::SendStreamRequest;
using push::v1::SendStreamResponse;
using push::v1::WatchReceiptsRequest;
using push::v1::WatchReceiptsResponse;

// As in gateway/testing/test_gateway.cc: a leak check must not meet gRPC's threads half-way.
class GrpcThreadsEnd final : public ::testing::Environment {
 public:
  void TearDown() override {
    grpc_init();
    grpc_shutdown_blocking();
  }
};
const ::testing::Environment* const kGrpcThreadsEnd =
    ::testing::AddGlobalTestEnvironment(new GrpcThreadsEnd());

// Answers each message of a SendStream with its correlation id, one after the other.
class EchoStream final : public std::enable_shared_from_this<EchoStream> {
 public:
  explicit EchoStream(std::shared_ptr<RpcCall> call) : call_(std::move(call)) {}
  void Next() {
    call_->Read(&request_, [self = shared_from_this()](bool ok) {
      if (!ok) return self->call_->Finish(absl::OkStatus());
      self->response_.set_correlation_id(self->request_.correlation_id());
      self->call_->Write(&self->response_, [self](bool written) {
        if (written) self->Next();
      });
    });
  }

 private:
  const std::shared_ptr<RpcCall> call_;
  SendStreamRequest request_;
  SendStreamResponse response_;
};

// Writes receipts until nobody takes them, or `count` are written.
class ReceiptSource final : public std::enable_shared_from_this<ReceiptSource> {
 public:
  ReceiptSource(std::shared_ptr<RpcCall> call, int count, std::atomic<int>* written)
      : call_(std::move(call)), count_(count), written_(written) {}
  void Next() {
    if (*written_ == count_) return call_->Finish(absl::OkStatus());
    response_.set_cursor(absl::StrCat("cursor ", ++*written_, std::string(1000, ' ')));
    call_->Write(&response_, [self = shared_from_this()](bool ok) {
      if (ok) self->Next();
    });
  }

 private:
  const std::shared_ptr<RpcCall> call_;
  const int count_;
  std::atomic<int>* const written_;
  WatchReceiptsResponse response_;
};

class GrpcDoorTest : public ::testing::Test {
 protected:
  using SendCall = UnaryHandle<SendRequest, SendResponse>;

  GrpcDoorTest() {
    methods_.AddUnary<SendRequest, SendResponse>(
        "/bellwire.push.v1.PushService/Send", [this](std::shared_ptr<SendCall> call) {
          if (const std::string* refuse = http::FindHeader(call->metadata(), "x-refuse")) {
            return call->Finish(WithField(
                MakeError(absl::StatusCode::kInvalidArgument, *refuse, "100% wrong \xc3\xa4\n"),
                "token"));
          }
          call->Receive([this, call](SendRequest request) { send_(call, std::move(request)); });
        });
    Method batch;
    batch.check = [](absl::string_view bytes) {
      return bytes.size() == 7 ? MakeError(absl::StatusCode::kInvalidArgument, "SEVEN", "seven")
                               : absl::OkStatus();
    };
    methods_.AddUnary<SendBatchRequest, SendBatchResponse>(
        "/bellwire.push.v1.PushService/SendBatch",
        [](std::shared_ptr<UnaryHandle<SendBatchRequest, SendBatchResponse>> call) {
          call->Receive([call](SendBatchRequest request) {
            SendBatchResponse response;
            for (int i = 0; i < request.requests_size(); ++i) {
              response.add_results()->mutable_response()->set_message_id(
                  request.requests(i).token());
            }
            call->Finish(std::move(response));
          });
        },
        std::move(batch));
    Method stream;
    stream.start = [](std::shared_ptr<RpcCall> call) {
      std::make_shared<EchoStream>(std::move(call))->Next();
    };
    stream.streams_requests = true;
    methods_.Add("/bellwire.push.v1.PushService/SendStream", std::move(stream));
    Method watch;
    watch.start = [this](std::shared_ptr<RpcCall> call) {
      call->OnCancel([this] { cancelled_.Notify(); });
      std::make_shared<ReceiptSource>(std::move(call), receipts_, &written_)->Next();
    };
    methods_.Add("/bellwire.push.v1.PushService/WatchReceipts", std::move(watch));
    health_.AddTo(&methods_);

    listener_ = *http::HttpListener::Start(
        {.ports = {
             {.address = "127.0.0.1:0",
              .tls = *net::TlsServerContext::Create({.certificate_pem = identity_.certificate_pem,
                                                     .private_key_pem = identity_.private_key_pem,
                                                     .clock = RealClock(),
                                                     .audience = net::TlsAudience::kWeb}),
              .doors = {&door_}}}});
    channel_ = NewChannel({});
    stub_ = PushService::NewStub(channel_);
  }

  std::shared_ptr<grpc::Channel> NewChannel(const grpc::ChannelArguments& arguments) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = identity_.ca_pem;
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", listener_->port()),
                                     grpc::SslCredentials(options), arguments);
  }

  // One call with any bytes; the response's bytes on success.
  grpc::Status CallRaw(const std::string& method, absl::string_view request,
                       std::string* response = nullptr) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    const grpc::Slice slice(request.data(), request.size());
    const grpc::ByteBuffer request_buffer(&slice, 1);
    grpc::ByteBuffer response_buffer;
    grpc::Status status;
    absl::Notification done;
    stub.UnaryCall(&context, method, {}, &request_buffer, &response_buffer, [&](grpc::Status s) {
      status = std::move(s);
      done.Notify();
    });
    done.WaitForNotification();
    grpc::Slice whole;
    if (status.ok() && response != nullptr && response_buffer.DumpToSingleSlice(&whole).ok()) {
      response->assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
    }
    return status;
  }

  const net::TlsTestIdentity identity_ = net::TlsTestIdentity::Make();
  // What Send does; by default it echoes the token.
  std::function<void(std::shared_ptr<SendCall>, SendRequest)> send_ =
      [](std::shared_ptr<SendCall> call, SendRequest request) {
        SendResponse response;
        response.set_message_id(request.token());
        call->Finish(std::move(response));
      };
  int receipts_ = 1000;
  std::atomic<int> written_{0};
  absl::Notification cancelled_;
  MethodTable methods_;
  HealthService health_{{"bellwire.push.v1.PushService"}};
  GrpcDoor door_{&methods_};
  std::unique_ptr<http::HttpListener> listener_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<PushService::Stub> stub_;
};

TEST_F(GrpcDoorTest, AnswersAUnaryCall) {
  grpc::ClientContext context;
  SendRequest request;
  request.set_token("the token");
  SendResponse response;
  const grpc::Status status = stub_->Send(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.message_id(), "the token");
}

TEST_F(GrpcDoorTest, AnErrorArrivesWithAllItsDetails) {
  grpc::ClientContext context;
  context.AddMetadata("x-refuse", "SOME_REASON");
  SendResponse response;
  const absl::Status status = FromGrpcStatus(stub_->Send(&context, {}, &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "100% wrong \xc3\xa4\n");
  EXPECT_EQ(ErrorReason(status), "SOME_REASON");
  EXPECT_EQ(ErrorField(status), "token");
}

TEST_F(GrpcDoorTest, AnAnswerFromAnotherThreadArrives) {
  std::thread other;
  send_ = [&other](std::shared_ptr<SendCall> call, SendRequest request) {
    other = std::thread([call = std::move(call), token = request.token()] {
      SendResponse response;
      response.set_message_id(token);
      call->Finish(std::move(response));
    });
  };
  grpc::ClientContext context;
  SendRequest request;
  request.set_token("t");
  SendResponse response;
  EXPECT_TRUE(stub_->Send(&context, request, &response).ok());
  EXPECT_EQ(response.message_id(), "t");
  other.join();
}

TEST_F(GrpcDoorTest, ADroppedCallIsAnsweredAnyway) {
  send_ = [](std::shared_ptr<SendCall>, SendRequest) {};
  grpc::ClientContext context;
  SendResponse response;
  EXPECT_EQ(stub_->Send(&context, {}, &response).error_code(), grpc::StatusCode::INTERNAL);
}

TEST_F(GrpcDoorTest, MessagesLongerThanAnyWindow) {
  SendBatchRequest request;
  while (request.ByteSizeLong() + 5000 < static_cast<size_t>(kMaxProviderRequestBytes)) {
    request.add_requests()->set_token(std::string(4000, 'x'));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  const auto stub = PushService::NewStub(NewChannel(arguments));
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    SendBatchResponse response;
    const grpc::Status status = stub->SendBatch(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.results_size(), request.requests_size());
  }
}

TEST_F(GrpcDoorTest, CompressedMessages) {
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    SendRequest request;
    request.set_token(std::string(100'000, 'x'));
    SendResponse response;
    const grpc::Status status = stub_->Send(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.message_id().size(), 100'000u);
  }
  // 64 MiB of them are 64 KiB on the wire.
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  SendRequest request;
  request.set_token(std::string(64 * 1024 * 1024, 'x'));
  SendResponse response;
  EXPECT_EQ(stub_->Send(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcDoorTest, OversizedAndMalformedMessages) {
  grpc::Status status =
      CallRaw("/bellwire.push.v1.PushService/Send", std::string(kMaxProviderRequestBytes + 1, 'x'));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorReason(FromGrpcStatus(status)), "MESSAGE_TOO_LARGE");
  status = CallRaw("/bellwire.push.v1.PushService/Send", "\xff\xff\xff");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorReason(FromGrpcStatus(status)), "MALFORMED_REQUEST");
  status = CallRaw("/bellwire.push.v1.PushService/SendBatch", "1234567");
  EXPECT_EQ(ErrorReason(FromGrpcStatus(status)), "SEVEN") << "looked at before it is parsed";
}

TEST_F(GrpcDoorTest, UnknownMethodsAreUnimplemented) {
  const grpc::Status status = CallRaw("/bellwire.push.v1.PushService/Nothing", "");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ErrorReason(FromGrpcStatus(status)), "NO_SUCH_METHOD");
  EXPECT_EQ(CallRaw("/a.b.C/D", "x").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcDoorTest, ADeadlineEndsTheCallOnBothSides) {
  std::shared_ptr<SendCall> held;
  absl::Notification arrived;
  send_ = [&](std::shared_ptr<SendCall> call, SendRequest) {
    if (held != nullptr) return;
    held = std::move(call);
    arrived.Notify();
  };
  // However busy the machine is, the call arrives within its time.
  absl::Duration time = absl::Milliseconds(200);
  while (!arrived.HasBeenNotified()) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + time));
    SendResponse response;
    EXPECT_EQ(stub_->Send(&context, {}, &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
    time *= 2;
  }
  // Too late, and no harm.
  held->Finish(SendResponse());
}

TEST_F(GrpcDoorTest, AStreamAnswersThousandsOfMessages) {
  constexpr uint64_t kMessages = 5000;
  grpc::ClientContext context;
  const auto stream = stub_->SendStream(&context);
  std::thread writer([&stream] {
    for (uint64_t id = 1; id <= kMessages; ++id) {
      SendStreamRequest request;
      request.set_correlation_id(id);
      request.mutable_request()->set_payload(std::string(id % 4096, 'x'));
      ASSERT_TRUE(stream->Write(request));
    }
    stream->WritesDone();
  });
  SendStreamResponse response;
  for (uint64_t id = 1; id <= kMessages; ++id) {
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.correlation_id(), id);
  }
  EXPECT_FALSE(stream->Read(&response));
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcDoorTest, AStreamThatPausesIsNotEnded) {
  grpc::ClientContext context;
  const auto stream = stub_->SendStream(&context);
  SendStreamRequest request;
  SendStreamResponse response;
  for (int i = 0; i < 3; ++i) {
    request.set_correlation_id(i);
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.correlation_id(), static_cast<uint64_t>(i));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcDoorTest, AServerStreamGoesToItsEnd) {
  grpc::ClientContext context;
  const auto stream = stub_->WatchReceipts(&context, {});
  WatchReceiptsResponse response;
  int count = 0;
  while (stream->Read(&response)) ++count;
  EXPECT_EQ(count, receipts_);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcDoorTest, WhoDoesNotReadHoldsItsStreamUpAndACancelEndsIt) {
  receipts_ = 10'000'000;
  grpc::ClientContext context;
  const auto stream = stub_->WatchReceipts(&context, {});
  WatchReceiptsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  // Calls on the same connection get through meanwhile, and by the time they have, writing stopped.
  int before = -1;
  while (before != written_) {
    before = written_;
    grpc::ClientContext send;
    SendResponse sent;
    ASSERT_TRUE(stub_->Send(&send, {}, &sent).ok());
  }
  EXPECT_LT(before, 10'000);
  context.TryCancel();
  cancelled_.WaitForNotification();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GrpcDoorTest, ADrainAnswersWhatIsLeft) {
  absl::Notification arrived;
  std::shared_ptr<SendCall> held;
  send_ = [&](std::shared_ptr<SendCall> call, SendRequest) {
    held = std::move(call);
    arrived.Notify();
  };
  absl::Status status;
  std::thread sender([&] {
    grpc::ClientContext context;
    SendResponse response;
    status = FromGrpcStatus(stub_->Send(&context, {}, &response));
  });
  arrived.WaitForNotification();
  listener_->Drain(absl::Milliseconds(10));
  sender.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ErrorReason(status), "SHUTTING_DOWN");
  std::thread late([&held] { held.reset(); });
  listener_.reset();
  door_.AwaitNoCalls();
  late.join();
}

TEST_F(GrpcDoorTest, HealthIsToldAndWatched) {
  std::string response;
  ASSERT_TRUE(CallRaw("/grpc.health.v1.Health/Check", "", &response).ok());
  EXPECT_EQ(response, "\x08\x01");
  const grpc::Status unknown = CallRaw("/grpc.health.v1.Health/Check", "\x0a\x01x");
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ErrorReason(FromGrpcStatus(unknown)), "NO_SUCH_SERVICE");
  const std::string of_a_service = "\x0a\x1c" "bellwire.push.v1.PushService";
  ASSERT_TRUE(CallRaw("/grpc.health.v1.Health/Check", of_a_service, &response).ok());
  EXPECT_EQ(response, "\x08\x01");
  health_.SetStoreOk(false);
  ASSERT_TRUE(CallRaw("/grpc.health.v1.Health/Check", of_a_service, &response).ok());
  EXPECT_EQ(response, "\x08\x02");
  health_.SetStoreOk(true);

  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&context, "/grpc.health.v1.Health/Watch", &queue);
  const auto step = [&queue] {
    void* tag;
    bool ok = false;
    queue.Next(&tag, &ok);
    return ok;
  };
  stream->StartCall(nullptr);
  ASSERT_TRUE(step());
  const grpc::Slice empty("", 0);
  stream->WriteLast(grpc::ByteBuffer(&empty, 1), {}, nullptr);
  ASSERT_TRUE(step());
  const auto read = [&] {
    grpc::ByteBuffer buffer;
    stream->Read(&buffer, nullptr);
    grpc::Slice whole;
    return step() && buffer.DumpToSingleSlice(&whole).ok()
               ? std::string(reinterpret_cast<const char*>(whole.begin()), whole.size())
               : std::string("end");
  };
  EXPECT_EQ(read(), "\x08\x01");
  health_.SetStoreOk(false);
  EXPECT_EQ(read(), "\x08\x02");
  health_.SetStoreOk(true);
  EXPECT_EQ(read(), "\x08\x01");
  health_.SetNotServing();
  EXPECT_EQ(read(), "\x08\x02");
  EXPECT_EQ(read(), "end");
  grpc::Status status;
  stream->Finish(&status, nullptr);
  step();
  EXPECT_EQ(ErrorReason(FromGrpcStatus(status)), "SHUTTING_DOWN");
  ASSERT_TRUE(CallRaw("/grpc.health.v1.Health/Check", "", &response).ok());
  EXPECT_EQ(response, "\x08\x02");
}

TEST_F(GrpcDoorTest, StreamsWithoutACredentialAreFew) {
  grpc::GenericStub stub(channel_);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::GenericClientAsyncReaderWriter>> streams;
  grpc::CompletionQueue queue;
  void* tag;
  bool ok = false;
  for (size_t i = 0; i <= kMaxOpenStreamsPerConnection; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(
        stub.PrepareCall(contexts.back().get(), "/grpc.health.v1.Health/Watch", &queue));
    streams.back()->StartCall(nullptr);
    queue.Next(&tag, &ok);
  }
  grpc::Status status;
  streams.back()->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  EXPECT_EQ(ErrorReason(FromGrpcStatus(status)), "TOO_MANY_STREAMS");
  for (size_t i = 0; i < kMaxOpenStreamsPerConnection; ++i) {
    contexts[i]->TryCancel();
    streams[i]->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  }
}

}  // namespace
}  // namespace bellwire::gateway
