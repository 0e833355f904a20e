#ifndef BELLWIRE_GATEWAY_SEND_SEND_ENGINE_H_
#define BELLWIRE_GATEWAY_SEND_SEND_ENGINE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/limits.h"
#include "crypto/token_sealer.h"
#include "gateway/send/ack_wait.h"
#include "gateway/send/adaptive_limit.h"
#include "gateway/send/sender.h"
#include "gateway/send/team_places.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// The one way of a message through a gateway, whether it came by Send, SendBatch or SendStream:
//   admit → validate → open the token → Append at the registry → hand over to the device's
//   connector → answer.
// The answer is OK only after the registry has made the message durable. Handing over is an
// attempt: whatever becomes of it, the message waits in its mailbox. Only a ttl-zero message is
// different: it waits for the device's acknowledgement, and is resolved as NOT_CONNECTED without
// one.
//
// Thread-safe, never blocks. Must outlive its callbacks; touches nothing of itself after one.
class SendEngine {
 public:
  struct Options {
    // Not owned; they outlive the engine.
    const TokenSealer* sealer = nullptr;
    MailboxApi* mailboxes = nullptr;
    ConnectorDirectory* connectors = nullptr;
    const Clock* clock = nullptr;
    // How long a ttl-zero message waits for the device; on the machine's monotonic clock.
    absl::Duration now_or_never_wait = kNowOrNeverWait;
    // Who waits; a simulation puts its own clock here. Safe to call from several threads at a time.
    std::function<AckWaitFunction> wait_for_ack = WaitForAck;
    // Calls that wait for the registry at a time, and how many of a team: as many as it serves in time.
    size_t max_calls = kMaxGatewaySends;
    AdaptiveLimit::Options call_limit = {};
    size_t max_now_or_never_sends = kMaxNowOrNeverSends;
  };

  // Called exactly once, on any thread, possibly before Send returns. Errors as push.proto names
  // them for Send, from BAD_DEVICE_TOKEN on.
  using Done = absl::AnyInvocable<void(absl::StatusOr<push::v1::SendResponse>) &&>;

  explicit SendEngine(const Options& options);
  SendEngine(const SendEngine&) = delete;
  SendEngine& operator=(const SendEngine&) = delete;

  // `content` says what the payload is; its default: the app's own.
  //
  // Who sends to a subscription is never told whether the device is connected: a ttl of zero means
  // now_or_never_wait for it, in the mailbox, and the answer is ACCEPTED.
  void Send(const Sender& sender, push::v1::SendRequest request, internal::v1::Content content,
            Done done);
  // Of a team, for its app. `team_id` is authenticated.
  void Send(absl::string_view team_id, push::v1::SendRequest request, Done done) {
    Send(Sender::Team(team_id), std::move(request), {}, std::move(done));
  }

  // The places of calls that wait for the registry: Sends share them with a team's other calls.
  TeamPlaces* calls() { return &calls_; }

 private:
  struct PendingSend;

  void OnAppended(std::unique_ptr<PendingSend> send,
                  absl::StatusOr<internal::v1::AppendResponse> appended);
  void OnNowOrNeverAppended(std::unique_ptr<PendingSend> send,
                            internal::v1::AppendResponse appended);
  void Resolve(std::unique_ptr<PendingSend> send, uint64_t seq);

  const Options options_;
  TeamPlaces calls_;
  // Those who send to subscriptions share their part of `calls_` by this.
  TeamPlaces subscription_calls_;
  TeamPlaces now_or_never_sends_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_SEND_ENGINE_H_
