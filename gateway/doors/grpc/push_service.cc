#include "gateway/doors/grpc/push_service.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gateway/call/call_trace.h"
#include "gateway/doors/grpc/send_stream.h"
#include "gateway/doors/http/header_list.h"
#include "gateway/receipts/receipt_stream.h"
#include "gateway/send/batch_check.h"
#include "gateway/send/send_result.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace bellwire::gateway {
namespace {

using push::v1::GetMessageRequest;
using push::v1::GetMessageResponse;
using push::v1::RecallRequest;
using push::v1::RecallResponse;
using push::v1::SendBatchRequest;
using push::v1::SendBatchResponse;
using push::v1::SendRequest;
using push::v1::SendResponse;

// A call of this service came by gRPC or as JSON. The content type of gRPC is its own.
SendDoor DoorOf(const http::HeaderList& metadata) {
  const std::string* type = http::FindHeader(metadata, "content-type");
  return type != nullptr && absl::StartsWith(*type, "application/grpc") ? SendDoor::kGrpc
                                                                         : SendDoor::kJson;
}

// Messages of a batch that are sent before others have their turn: some tenths of a millisecond.
constexpr int kMessagesPerTurn = 16;

// Answers a batch with its last result. Results are written by several threads at a time, each its
// own element; `missing` orders them before the answer.
struct Batch : std::enable_shared_from_this<Batch> {
  // Sends from message `first` on.
  void Send(SendEngine* engine, int first) {
    const int end = std::min(first + kMessagesPerTurn, request.requests_size());
    for (int i = first; i < end; ++i) {
      TakeCallTrace(call->metadata(), request.mutable_requests(i));
      engine->Send(team_id, std::move(*request.mutable_requests(i)),
                   [batch = shared_from_this(), i](absl::StatusOr<SendResponse> result) {
                     *batch->response.mutable_results(i) = ToSendResult(std::move(result));
                     if (batch->missing.fetch_sub(1) == 1) {
                       batch->call->Finish(std::move(batch->response));
                     }
                   },
                   DoorOf(call->metadata()));
    }
    if (end == request.requests_size()) return;
    call->InTurn([batch = shared_from_this(), engine, end] { batch->Send(engine, end); });
  }

  std::shared_ptr<UnaryHandle<SendBatchRequest, SendBatchResponse>> call;
  std::string team_id;
  SendBatchRequest request;
  SendBatchResponse response;
  std::atomic<int> missing;
};

absl::Status CheckBatchBytes(absl::string_view bytes) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return CheckBatch(&stream);
}

}  // namespace

void PushService::AddTo(MethodTable* methods) {
  AddUnary(methods, "/bellwire.push.v1.PushService/Send", &PushService::Send, Access::kSendOnly);
  AddUnary(methods, "/bellwire.push.v1.PushService/SendBatch", &PushService::SendBatch,
           Access::kSendOnly, {.check = CheckBatchBytes});
  AddUnary(methods, "/bellwire.push.v1.PushService/GetMessage", &PushService::GetMessage,
           Access::kSendOnly);
  AddUnary(methods, "/bellwire.push.v1.PushService/Recall", &PushService::Recall, Access::kFull);
  methods->Add("/bellwire.push.v1.PushService/SendStream",
               {.start =
                    [this](std::shared_ptr<RpcCall> call) {
                      SendStream::Start({.authenticator = environment_.authenticator,
                                         .engine = environment_.engine,
                                         .streams = &send_streams_,
                                         .drain = environment_.drain,
                                         .clock = environment_.clock},
                                        std::move(call));
                    },
                .streams_requests = true});
  methods->Add("/bellwire.push.v1.PushService/WatchReceipts",
               {.start = [this](std::shared_ptr<RpcCall> call) {
                 ReceiptStream::Start({.authenticate =
                                           [authenticator = environment_.authenticator](
                                               absl::string_view jwt, Authenticator::Done done) {
                                             authenticator->Authenticate(jwt, std::move(done));
                                           },
                                       .drain = environment_.drain,
                                       .sealer = environment_.sealer,
                                       .feeds = environment_.feeds,
                                       .streams = &receipt_streams_,
                                       .clock = environment_.clock},
                                      std::move(call));
               }});
}

void PushService::Send(Call<SendRequest, SendResponse> call, const std::string& team_id,
                       SendRequest request) {
  TakeCallTrace(call->metadata(), &request);
  environment_.engine->Send(
      team_id, std::move(request),
      [call](absl::StatusOr<SendResponse> result) { call->Finish(std::move(result)); },
      DoorOf(call->metadata()));
}

void PushService::SendBatch(Call<SendBatchRequest, SendBatchResponse> call,
                            const std::string& team_id, SendBatchRequest request) {
  const int size = request.requests_size();
  auto batch = std::make_shared<Batch>();
  batch->call = std::move(call);
  batch->team_id = team_id;
  batch->missing = size;
  batch->response.mutable_results()->Reserve(size);
  for (int i = 0; i < size; ++i) batch->response.add_results();
  batch->request = std::move(request);
  batch->Send(environment_.engine, 0);
}

void PushService::GetMessage(Call<GetMessageRequest, GetMessageResponse> call,
                             const std::string& team_id, GetMessageRequest request) {
  message_calls_.GetMessage(team_id, request, [call](absl::StatusOr<GetMessageResponse> got) {
    call->Finish(std::move(got));
  });
}

void PushService::Recall(Call<RecallRequest, RecallResponse> call, const std::string& team_id,
                         RecallRequest request) {
  message_calls_.Recall(team_id, request, [call](absl::StatusOr<RecallResponse> recalled) {
    call->Finish(std::move(recalled));
  });
}

}  // namespace bellwire::gateway
