#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_PUSH_SERVICE_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_PUSH_SERVICE_H_

#include <memory>
#include <string>
#include <utility>

#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/limits.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/authenticator.h"
#include "gateway/call/method_table.h"
#include "gateway/call/unary_handle.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/provider_method.h"
#include "gateway/doors/grpc/send_stream.h"
#include "gateway/send/message_calls.h"
#include "gateway/send/send_engine.h"
#include "gateway/send/team_places.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// bellwire.push.v1.PushService: authenticates each call by its metadata, then takes its request,
// and passes it on. Every error that leaves it carries its reason. A batch is looked at before it
// is parsed (gateway/send/batch_check.h). Thread-safe; outlives its calls.
class PushService {
 public:
  // Not owned; they outlive the service.
  struct Environment {
    Authenticator* authenticator = nullptr;
    SendEngine* engine = nullptr;
    DrainSignal* drain = nullptr;
    const TokenSealer* sealer = nullptr;
    MailboxApi* mailboxes = nullptr;
    FeedApi* feeds = nullptr;
    const Clock* clock = nullptr;
  };

  explicit PushService(const Environment& environment)
      : environment_(environment),
        message_calls_(environment.sealer, environment.mailboxes, environment.engine->calls(),
                       environment.clock) {}

  void AddTo(MethodTable* methods);

 private:
  template <typename Request, typename Response>
  using Call = std::shared_ptr<UnaryHandle<Request, Response>>;

  // A method that `serve` gets the calls of which have a good credential.
  template <typename Request, typename Response>
  void AddUnary(MethodTable* methods, absl::string_view path,
                void (PushService::*serve)(Call<Request, Response>, const std::string& team_id,
                                           Request),
                Access access, Method method = {}) {
    AddProviderMethod<Request, Response>(
        methods, environment_.authenticator, path, access,
        [this, serve](Call<Request, Response> call, const std::string& team_id, Request request) {
          (this->*serve)(std::move(call), team_id, std::move(request));
        },
        std::move(method));
  }

  void Send(Call<push::v1::SendRequest, push::v1::SendResponse> call, const std::string& team_id,
            push::v1::SendRequest request);
  void SendBatch(Call<push::v1::SendBatchRequest, push::v1::SendBatchResponse> call,
                 const std::string& team_id, push::v1::SendBatchRequest request);
  void GetMessage(Call<push::v1::GetMessageRequest, push::v1::GetMessageResponse> call,
                  const std::string& team_id, push::v1::GetMessageRequest request);
  void Recall(Call<push::v1::RecallRequest, push::v1::RecallResponse> call,
              const std::string& team_id, push::v1::RecallRequest request);

  const Environment environment_;
  const MessageCalls message_calls_;
  TeamPlaces send_streams_{
      {.places = SendStream::kMaxStreams, .most_of_a_team = SendStream::kMaxStreamsPerTeam}};
  TeamPlaces receipt_streams_{
      {.places = kMaxReceiptStreams, .most_of_a_team = kMaxReceiptStreamsPerTeam}};
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_PUSH_SERVICE_H_
