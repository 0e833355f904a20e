#ifndef BELLWIRE_GATEWAY_ADMIN_SUPPORT_SERVICE_H_
#define BELLWIRE_GATEWAY_ADMIN_SUPPORT_SERVICE_H_

#include <cstddef>
#include <memory>

#include "absl/time/time.h"
#include "bellwire/admin/v1/support.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "gateway/admin/admin_gate.h"
#include "gateway/call/method_table.h"
#include "gateway/call/rpc_call.h"
#include "gateway/call/unary_handle.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/send/message_calls.h"
#include "gateway/send/send_engine.h"
#include "gateway/send/team_places.h"
#include "gateway/topics/topic_engine.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// How long a stream of an administrator goes on after the administrator was removed.
inline constexpr absl::Duration kAdminRecheck = absl::Seconds(5);
// Streams of receipts of administrators at a time. They don't take the places of the teams' own.
inline constexpr size_t kMaxAdminReceiptStreams = 64;

// bellwire.admin.v1.SupportService, behind the gate: what a team's backend may ask, asked by an
// administrator for any team. It takes the team's places, and the same ways as PushService and
// TopicService. Thread-safe; outlives its calls.
class SupportService {
 public:
  // Not owned; they outlive the service.
  struct Environment {
    AdminGate* gate = nullptr;
    SendEngine* engine = nullptr;
    TopicEngine* topics = nullptr;
    DrainSignal* drain = nullptr;
    const TokenSealer* sealer = nullptr;
    MailboxApi* mailboxes = nullptr;
    FeedApi* feeds = nullptr;
    const Clock* clock = nullptr;
  };

  explicit SupportService(const Environment& environment)
      : environment_(environment),
        message_calls_(environment.sealer, environment.mailboxes, environment.engine->calls(),
                       environment.clock) {}

  void AddTo(MethodTable* methods);

 private:
  void WatchReceipts(std::shared_ptr<RpcCall> call);

  const Environment environment_;
  const MessageCalls message_calls_;
  TeamPlaces receipt_streams_{{.places = kMaxAdminReceiptStreams}};
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_SUPPORT_SERVICE_H_
