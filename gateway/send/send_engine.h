#ifndef BELLWIRE_GATEWAY_SEND_SEND_ENGINE_H_
#define BELLWIRE_GATEWAY_SEND_SEND_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/limits.h"
#include "crypto/token_sealer.h"
#include "gateway/send/adaptive_limit.h"
#include "gateway/send/quota_holds.h"
#include "gateway/send/send_counters.h"
#include "gateway/send/send_door.h"
#include "gateway/send/sender.h"
#include "gateway/send/team_places.h"
#include "ops/metrics/samples.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// The one way of a message through a gateway, whether it came by Send, SendBatch or SendStream:
//   admit → validate → open the token → Append at the registry → answer.
// The answer is OK only after the registry has made the message durable. The registry hands it
// over. The Append of a ttl-zero message waits there for the device: its answer says how the
// message ended.
//
// Thread-safe, never blocks. Must outlive its callbacks; touches nothing of itself after one.
class SendEngine {
 public:
  struct Options {
    // Not owned; they outlive the engine.
    const TokenSealer* sealer = nullptr;
    MailboxApi* mailboxes = nullptr;
    const Clock* clock = nullptr;
    // Calls that wait for the registry at a time, and how many of a team: as many as it serves in
    // time.
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

  // What the door says of a message, beside what its sender says.
  struct Handling {
    // NOLINTNEXTLINE: so that a content alone says it.
    Handling(internal::v1::Content content = {}, bool newest_only = false)
        : content(std::move(content)), newest_only(newest_only) {}

    // What the payload is; its default: the app's own.
    internal::v1::Content content;
    // Without a collapse key of its own: it takes the place of what was sent so and waits for the
    // app.
    bool newest_only = false;
    // Where a message without `content.door` came from: gRPC or JSON.
    SendDoor door = SendDoor::kGrpc;
  };

  // Who sends to a subscription is never told whether the device is connected: a ttl of zero means
  // kNowOrNeverWait for it, in the mailbox, and the answer is ACCEPTED.
  void Send(const Sender& sender, push::v1::SendRequest request, Handling handling, Done done);
  // Of a team, for its app. `team_id` is authenticated.
  void Send(absl::string_view team_id, push::v1::SendRequest request, Done done,
            SendDoor door = SendDoor::kGrpc) {
    Handling handling;
    handling.door = door;
    Send(Sender::Team(team_id), std::move(request), std::move(handling), std::move(done));
  }

  // ttl-zero Sends wait no longer for their devices, and further ones don't either: each is
  // answered as the registry says.
  void EndWaits();

  // The places of calls that wait for the registry: Sends share them with a team's other calls.
  TeamPlaces* calls() { return &calls_; }

  // What it has answered, and the places that are taken.
  void Report(metrics::Samples* samples);

 private:
  struct PendingSend;

  void OnAppended(std::unique_ptr<PendingSend> send,
                  absl::StatusOr<internal::v1::AppendResponse> appended);

  const Options options_;
  // Names this engine at the registry. Never 0.
  const uint64_t waiter_ = RandomUint64() | 1;
  TeamPlaces calls_;
  // Those who send to subscriptions share their part of `calls_` by this.
  TeamPlaces subscription_calls_;
  TeamPlaces now_or_never_sends_;
  QuotaHolds quota_holds_;
  SendCounters counters_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_SEND_ENGINE_H_
