#include "gateway/doors/grpc/push_service.h"

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/doors/grpc/send_stream.h"
#include "gateway/receipts/receipt_stream.h"
#include "gateway/send/send_result.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// Finishes a batch with its last result. Results are written by several threads at a time, each its
// own element; `missing` orders them before Finish.
struct Batch {
  ServerUnaryReactor* call;
  push::v1::SendBatchResponse* response;
  std::atomic<int> missing;
};

}  // namespace

ServerUnaryReactor* PushService::ForTeam(
    CallbackServerContext* context,
    absl::AnyInvocable<void(ServerUnaryReactor* call, std::string team_id) &&> serve) {
  ServerUnaryReactor* const call = context->DefaultReactor();
  const absl::StatusOr<absl::string_view> jwt = BearerToken(context->client_metadata());
  if (!jwt.ok()) {
    call->Finish(ToGrpcStatus(jwt.status()));
    return call;
  }
  environment_.authenticator->Authenticate(
      *jwt, [call, serve = std::move(serve)](absl::StatusOr<ProviderIdentity> identity) mutable {
        if (identity.ok()) {
          std::move(serve)(call, std::move(identity->team_id));
        } else {
          call->Finish(ToGrpcStatus(identity.status()));
        }
      });
  return call;
}

ServerUnaryReactor* PushService::Send(CallbackServerContext* context,
                                      const push::v1::SendRequest* request,
                                      push::v1::SendResponse* response) {
  return ForTeam(context, [this, request, response](ServerUnaryReactor* call, std::string team_id) {
    environment_.engine->Send(team_id, *request,
                              [call, response](absl::StatusOr<push::v1::SendResponse> result) {
                                if (result.ok()) *response = *std::move(result);
                                call->Finish(ToGrpcStatus(result.status()));
                              });
  });
}

ServerUnaryReactor* PushService::SendBatch(CallbackServerContext* context,
                                           const push::v1::SendBatchRequest* request,
                                           push::v1::SendBatchResponse* response) {
  return ForTeam(context, [this, request, response](ServerUnaryReactor* call, std::string team_id) {
    const int size = request->requests_size();
    if (size == 0) {
      return call->Finish(
          ToGrpcStatus(WithField(MakeError(absl::StatusCode::kInvalidArgument, "BATCH_EMPTY",
                                           "The batch has no messages."),
                                 "requests")));
    }
    if (static_cast<size_t>(size) > kMaxBatchMessages) {
      return call->Finish(ToGrpcStatus(
          WithField(MakeError(absl::StatusCode::kInvalidArgument, "BATCH_TOO_LARGE",
                              absl::StrCat("The batch has ", size, " messages; at most ",
                                           kMaxBatchMessages, " are allowed. Nothing was sent.")),
                    "requests")));
    }
    auto batch = std::make_shared<Batch>();
    batch->call = call;
    batch->response = response;
    batch->missing = size;
    response->mutable_results()->Reserve(size);
    for (int i = 0; i < size; ++i) response->add_results();
    // The requests stay alive as long as there is a result missing, so to the end of this loop.
    for (int i = 0; i < size; ++i) {
      environment_.engine->Send(
          team_id, request->requests(i), [batch, i](absl::StatusOr<push::v1::SendResponse> result) {
            *batch->response->mutable_results(i) = ToSendResult(std::move(result));
            if (batch->missing.fetch_sub(1) == 1) batch->call->Finish(grpc::Status::OK);
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
  return ForTeam(context, [this, request, response](ServerUnaryReactor* call, std::string team_id) {
    message_calls_.GetMessage(team_id, *request,
                              [call, response](absl::StatusOr<push::v1::GetMessageResponse> got) {
                                if (got.ok()) *response = *std::move(got);
                                call->Finish(ToGrpcStatus(got.status()));
                              });
  });
}

ServerUnaryReactor* PushService::Recall(CallbackServerContext* context,
                                        const push::v1::RecallRequest* request,
                                        push::v1::RecallResponse* response) {
  return ForTeam(context, [this, request, response](ServerUnaryReactor* call, std::string team_id) {
    message_calls_.Recall(team_id, *request,
                          [call, response](absl::StatusOr<push::v1::RecallResponse> recalled) {
                            if (recalled.ok()) *response = *std::move(recalled);
                            call->Finish(ToGrpcStatus(recalled.status()));
                          });
  });
}

grpc::ServerWriteReactor<push::v1::WatchReceiptsResponse>* PushService::WatchReceipts(
    CallbackServerContext* context, const push::v1::WatchReceiptsRequest* request) {
  return ReceiptStream::New({.authenticator = environment_.authenticator,
                             .drain = environment_.drain,
                             .sealer = environment_.sealer,
                             .registry = environment_.registry,
                             .clock = environment_.clock},
                            *context, *request);
}

}  // namespace bellwire::gateway
