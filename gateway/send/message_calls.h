#ifndef BELLWIRE_GATEWAY_SEND_MESSAGE_CALLS_H_
#define BELLWIRE_GATEWAY_SEND_MESSAGE_CALLS_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "gateway/send/sender.h"
#include "gateway/send/team_places.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// GetMessage and Recall behind their authentication: opens the token and asks the registry. They
// take places beside the team's Sends (SendEngine::calls).
//
// Thread-safe, never blocks. Touches nothing of itself once a call has been made.
class MessageCalls {
 public:
  // Not owned; they outlive the calls.
  MessageCalls(const TokenSealer* sealer, MailboxApi* mailboxes, TeamPlaces* calls,
               const Clock* clock)
      : sealer_(sealer), mailboxes_(mailboxes), calls_(calls), clock_(clock) {}

  // Called exactly once, on any thread, possibly before the method returns. Errors as push.proto
  // names them: BAD_DEVICE_TOKEN, BAD_MESSAGE_ID, OVERLOADED, and the registry's.
  template <typename Response>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Response>) &&>;

  // A subscription's sender may ask about each message whose name it was given. Besides the errors
  // of push.proto: RECEIPTS_OFF, the subscription does not tell.
  void GetMessage(const Sender& sender, const push::v1::GetMessageRequest& request,
                  Done<push::v1::GetMessageResponse> done) const;
  void Recall(const Sender& sender, const push::v1::RecallRequest& request,
              Done<push::v1::RecallResponse> done) const;
  // `team_id` is authenticated.
  void GetMessage(absl::string_view team_id, const push::v1::GetMessageRequest& request,
                  Done<push::v1::GetMessageResponse> done) const {
    GetMessage(Sender::Team(team_id), request, std::move(done));
  }
  void Recall(absl::string_view team_id, const push::v1::RecallRequest& request,
              Done<push::v1::RecallResponse> done) const {
    Recall(Sender::Team(team_id), request, std::move(done));
  }

 private:
  const TokenSealer* const sealer_;
  MailboxApi* const mailboxes_;
  TeamPlaces* const calls_;
  const Clock* const clock_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_MESSAGE_CALLS_H_
