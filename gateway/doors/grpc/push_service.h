#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_PUSH_SERVICE_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_PUSH_SERVICE_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/limits.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/authenticator.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/unary_call.h"
#include "gateway/receipts/receipt_turns.h"
#include "gateway/send/message_calls.h"
#include "gateway/send/send_engine.h"
#include "gateway/send/team_places.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// bellwire.push.v1.PushService on gRPC's callback API: authenticates each call, and passes it on.
// Every error that leaves it carries its reason. Thread-safe; outlives its calls (shut the
// grpc::Server down first).
//
// A batch is taken as bytes: it is parsed only for a team that is known, and only if that costs no
// more than a batch is worth (gateway/send/batch_check.h).
class PushService final : public push::v1::PushService::WithRawCallbackMethod_SendBatch<
                              push::v1::PushService::CallbackService> {
 public:
  // Not owned; they outlive the service.
  struct Environment {
    Authenticator* authenticator = nullptr;
    SendEngine* engine = nullptr;
    DrainSignal* drain = nullptr;
    const TokenSealer* sealer = nullptr;
    RegistryApi* registry = nullptr;
    ConnectorDirectory* connectors = nullptr;
    const Clock* clock = nullptr;
  };

  explicit PushService(const Environment& environment)
      : environment_(environment),
        message_calls_(environment.sealer, environment.registry, environment.connectors,
                       environment.engine->calls(), environment.clock) {}

  grpc::ServerUnaryReactor* Send(grpc::CallbackServerContext* context,
                                 const push::v1::SendRequest* request,
                                 push::v1::SendResponse* response) override;
  grpc::ServerUnaryReactor* SendBatch(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<push::v1::SendStreamRequest, push::v1::SendStreamResponse>* SendStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context,
                                       const push::v1::GetMessageRequest* request,
                                       push::v1::GetMessageResponse* response) override;
  grpc::ServerUnaryReactor* Recall(grpc::CallbackServerContext* context,
                                   const push::v1::RecallRequest* request,
                                   push::v1::RecallResponse* response) override;
  grpc::ServerWriteReactor<push::v1::WatchReceiptsResponse>* WatchReceipts(
      grpc::CallbackServerContext* context, const push::v1::WatchReceiptsRequest* request) override;

 private:
  // Answers `context`'s call with the error of its credential, or calls `serve` with the team, who
  // then answers it. `serve` may run after this service is gone.
  grpc::ServerUnaryReactor* ForTeam(
      grpc::CallbackServerContext* context,
      absl::AnyInvocable<void(std::shared_ptr<UnaryCall> call, std::string team_id) &&> serve);

  const Environment environment_;
  const MessageCalls message_calls_;
  ReceiptTurns receipt_turns_;
  TeamPlaces receipt_streams_{
      {.places = kMaxReceiptStreams, .most_of_a_team = kMaxReceiptStreamsPerTeam}};
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_PUSH_SERVICE_H_
