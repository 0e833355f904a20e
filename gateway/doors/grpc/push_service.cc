#include "gateway/doors/grpc/push_service.h"

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/doors/grpc/send_stream.h"
#include "gateway/receipts/receipt_stream.h"
#include "gateway/send/batch_check.h"
#include "gateway/send/send_result.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/proto_buffer_reader.h"

namespace bellwire::gateway {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// Answers a batch with its last result. Results are written by several threads at a time, each its
// own element; `missing` orders them before the answer.
struct Batch {
  std::shared_ptr<UnaryCall> call;
  grpc::ByteBuffer* answer;
  push::v1::SendBatchResponse response;
  std::atomic<int> missing;
};

void AnswerBatch(Batch& batch) {
  batch.call->Answer(absl::OkStatus(), [&batch] {
    bool own = false;
    grpc::SerializationTraits<push::v1::SendBatchResponse>::Serialize(batch.response, batch.answer,
                                                                      &own);
  });
}

// The batch in `bytes`, unless parsing would cost more than a batch is worth.
absl::StatusOr<push::v1::SendBatchRequest> ParseBatch(const grpc::ByteBuffer& bytes) {
  // The reader takes no more than a reference to each slice.
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader scanned(&copy);
  if (absl::Status status = CheckBatch(&scanned); !status.ok()) return status;
  grpc::ProtoBufferReader parsed(&copy);
  push::v1::SendBatchRequest request;
  if (!request.ParseFromZeroCopyStream(&parsed)) return MalformedBatch();
  return request;
}

}  // namespace

ServerUnaryReactor* PushService::ForTeam(
    CallbackServerContext* context,
    absl::AnyInvocable<void(std::shared_ptr<UnaryCall> call, std::string team_id) &&> serve) {
  std::shared_ptr<UnaryCall> call = UnaryCall::New(environment_.drain);
  ServerUnaryReactor* const reactor = call.get();
  if (call->answered()) return reactor;
  const absl::StatusOr<absl::string_view> jwt = BearerToken(context->client_metadata());
  if (!jwt.ok()) {
    call->Answer(jwt.status());
    return reactor;
  }
  environment_.authenticator->Authenticate(
      *jwt, [call = std::move(call),
             serve = std::move(serve)](absl::StatusOr<ProviderIdentity> identity) mutable {
        if (call->answered()) return;  // And so the request is gone.
        if (identity.ok()) {
          std::move(serve)(std::move(call), std::move(identity->team_id));
        } else {
          call->Answer(identity.status());
        }
      });
  return reactor;
}

ServerUnaryReactor* PushService::Send(CallbackServerContext* context,
                                      const push::v1::SendRequest* request,
                                      push::v1::SendResponse* response) {
  return ForTeam(context, [engine = environment_.engine, request, response](
                              std::shared_ptr<UnaryCall> call, std::string team_id) {
    engine->Send(team_id, *request,
                 [call = std::move(call), response](absl::StatusOr<push::v1::SendResponse> result) {
                   call->Answer(result.status(), [&] { *response = *std::move(result); });
                 });
  });
}

ServerUnaryReactor* PushService::SendBatch(CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) {
  return ForTeam(context, [engine = environment_.engine, request, response](
                              std::shared_ptr<UnaryCall> call, std::string team_id) {
    absl::StatusOr<push::v1::SendBatchRequest> messages = ParseBatch(*request);
    if (!messages.ok()) return call->Answer(messages.status());
    const int size = messages->requests_size();
    auto batch = std::make_shared<Batch>();
    batch->call = std::move(call);
    batch->answer = response;
    batch->missing = size;
    batch->response.mutable_results()->Reserve(size);
    for (int i = 0; i < size; ++i) batch->response.add_results();
    for (int i = 0; i < size; ++i) {
      engine->Send(team_id, std::move(*messages->mutable_requests(i)),
                   [batch, i](absl::StatusOr<push::v1::SendResponse> result) {
                     *batch->response.mutable_results(i) = ToSendResult(std::move(result));
                     if (batch->missing.fetch_sub(1) == 1) AnswerBatch(*batch);
                   });
    }
  });
}

grpc::ServerBidiReactor<push::v1::SendStreamRequest, push::v1::SendStreamResponse>*
PushService::SendStream(CallbackServerContext* context) {
  return gateway::SendStream::New({.authenticator = environment_.authenticator,
                                   .engine = environment_.engine,
                                   .drain = environment_.drain,
                                   .clock = environment_.clock},
                                  *context);
}

ServerUnaryReactor* PushService::GetMessage(CallbackServerContext* context,
                                            const push::v1::GetMessageRequest* request,
                                            push::v1::GetMessageResponse* response) {
  return ForTeam(context, [calls = message_calls_, request, response](
                              std::shared_ptr<UnaryCall> call, std::string team_id) {
    calls.GetMessage(
        team_id, *request,
        [call = std::move(call), response](absl::StatusOr<push::v1::GetMessageResponse> got) {
          call->Answer(got.status(), [&] { *response = *std::move(got); });
        });
  });
}

ServerUnaryReactor* PushService::Recall(CallbackServerContext* context,
                                        const push::v1::RecallRequest* request,
                                        push::v1::RecallResponse* response) {
  return ForTeam(context, [calls = message_calls_, request, response](
                              std::shared_ptr<UnaryCall> call, std::string team_id) {
    calls.Recall(
        team_id, *request,
        [call = std::move(call), response](absl::StatusOr<push::v1::RecallResponse> recalled) {
          call->Answer(recalled.status(), [&] { *response = *std::move(recalled); });
        });
  });
}

grpc::ServerWriteReactor<push::v1::WatchReceiptsResponse>* PushService::WatchReceipts(
    CallbackServerContext* context, const push::v1::WatchReceiptsRequest* request) {
  return ReceiptStream::New({.authenticator = environment_.authenticator,
                             .drain = environment_.drain,
                             .sealer = environment_.sealer,
                             .registry = environment_.registry,
                             .streams = &receipt_streams_,
                             .turns = &receipt_turns_,
                             .clock = environment_.clock},
                            *context, *request);
}

}  // namespace bellwire::gateway
