#include "gateway/send/message_calls.h"

#include <optional>
#include <string>
#include <utility>

#include "common/ids.h"
#include "gateway/send/registry_error.h"
#include "gateway/send/validator.h"

namespace bellwire::gateway {
namespace {

// A (token, message id) as GetMessage and Recall name a message.
struct MessageName {
  TokenContents token;
  MessageId message_id;
};

template <typename Request>
absl::StatusOr<MessageName> ParseMessageName(const Request& request, const TokenSealer& sealer) {
  absl::StatusOr<TokenContents> token = OpenToken(request.token(), sealer);
  if (!token.ok()) return token.status();
  absl::StatusOr<MessageId> message_id = ValidateMessageId(request.message_id());
  if (!message_id.ok()) return message_id.status();
  return MessageName{*token, *message_id};
}

// For internal.v1.GetMessageRequest and RecallRequest.
template <typename InternalRequest>
InternalRequest ToInternal(const MessageName& name, const Sender& sender) {
  InternalRequest request;
  request.set_device_id(std::string(name.token.device_id.bytes()));
  request.set_registration_id(name.token.registration_id);
  sender.WriteTo(&request);
  request.set_message_id(std::string(name.message_id.bytes()));
  return request;
}

// A call's place, from its beginning to the registry's answer.
class Place {
 public:
  static std::optional<Place> Take(TeamPlaces* places, absl::string_view team_id,
                                   const Clock* clock) {
    std::optional<TeamPlaces::Ticket> ticket = places->TryTake(team_id);
    if (!ticket.has_value()) return std::nullopt;
    return Place(*std::move(ticket), clock);
  }
  static absl::Status NoneLeft() {
    return Overloaded("your team's calls that wait for the registry");
  }

  // Before the caller hears the answer, who may count on the place.
  void End(const absl::Status& answered) && {
    if (answered.ok()) ticket_->OnServed(began_, clock_->Monotonic());
    ticket_.reset();
  }

 private:
  Place(TeamPlaces::Ticket ticket, const Clock* clock)
      : ticket_(std::move(ticket)), clock_(clock), began_(clock->Monotonic()) {}

  std::optional<TeamPlaces::Ticket> ticket_;
  const Clock* clock_;
  MonotonicTime began_;
};

}  // namespace

void MessageCalls::GetMessage(const Sender& sender, const push::v1::GetMessageRequest& request,
                              Done<push::v1::GetMessageResponse> done) const {
  std::optional<Place> place = Place::Take(calls_, sender.share(), clock_);
  if (!place.has_value()) return std::move(done)(Place::NoneLeft());
  const absl::StatusOr<MessageName> name = ParseMessageName(request, *sealer_);
  if (!name.ok()) return std::move(done)(name.status());
  mailboxes_->GetMessage(ToInternal<internal::v1::GetMessageRequest>(*name, sender),
                         [place = *std::move(place), done = std::move(done)](
                             absl::StatusOr<internal::v1::GetMessageResponse> got) mutable {
                           std::move(place).End(got.status());
                           if (!got.ok()) return std::move(done)(FromRegistryError(got.status()));
                           std::move(done)(std::move(*got->mutable_message()));
                         });
}

void MessageCalls::Recall(const Sender& sender, const push::v1::RecallRequest& request,
                          Done<push::v1::RecallResponse> done) const {
  std::optional<Place> place = Place::Take(calls_, sender.share(), clock_);
  if (!place.has_value()) return std::move(done)(Place::NoneLeft());
  const absl::StatusOr<MessageName> name = ParseMessageName(request, *sealer_);
  if (!name.ok()) return std::move(done)(name.status());
  mailboxes_->Recall(ToInternal<internal::v1::RecallRequest>(*name, sender),
                     [place = *std::move(place), done = std::move(done)](
                         absl::StatusOr<internal::v1::RecallResponse> recalled) mutable {
                       std::move(place).End(recalled.status());
                       if (!recalled.ok())
                         return std::move(done)(FromRegistryError(recalled.status()));
                       push::v1::RecallResponse response;
                       response.set_outcome(recalled->outcome());
                       std::move(done)(std::move(response));
                     });
}

}  // namespace bellwire::gateway
