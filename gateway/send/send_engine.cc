#include "gateway/send/send_engine.h"

#include <optional>
#include <string>
#include <utility>

#include "common/error.h"
#include "common/ids.h"
#include "gateway/send/registry_error.h"
#include "gateway/send/validator.h"

namespace bellwire::gateway {
namespace {

using internal::v1::AppendResponse;
using internal::v1::ConnectorRequest;
using push::v1::SendResponse;

bool IsAcked(push::v1::Step step) {
  return step == push::v1::AGENT_ACKED || step == push::v1::APP_ACKED;
}

// A message that was just stored, or whose retry shows that it is still under way: its first
// gateway may have died before it handed it over.
bool IsUnderWay(push::v1::Step step) {
  return step == push::v1::ACCEPTED || step == push::v1::STORED || step == push::v1::SENT;
}

ConnectorRequest DeliverRequest(internal::v1::Envelope message, const DeviceId& device_id,
                                const AppendResponse& appended, bool wait_for_ack) {
  ConnectorRequest request;
  *request.mutable_route() = appended.route();
  request.set_device_id(std::string(device_id.bytes()));
  request.mutable_deliver()->set_wait_for_ack(wait_for_ack);
  message.set_seq(appended.seq());
  *request.mutable_deliver()->mutable_message() = std::move(message);
  return request;
}

// Calls to subscriptions are at most this part of all. Less than a team's share, so that one sender
// does not take it all.
constexpr size_t kSubscriptionsPart = 4;

}  // namespace

// A message between its admission and its answer.
struct SendEngine::PendingSend {
  // Until the registry has answered.
  std::optional<TeamPlaces::Ticket> call;
  std::optional<TeamPlaces::Ticket> subscription_call;
  MonotonicTime call_began;
  std::optional<TeamPlaces::Ticket> now_or_never_ticket;
  DeviceId device_id;
  internal::v1::Envelope message;
  bool now_or_never = false;
  bool validate_only = false;
  // What the answer says.
  std::string message_id;
  bool duplicate = false;
  Done done;

  // The last thing that happens to a message. Frees its place first: who hears the answer may count
  // on it, and may destroy the engine.
  static void Answer(std::unique_ptr<PendingSend> send, absl::Status error) {
    Done done = std::move(send->done);
    send.reset();
    std::move(done)(std::move(error));
  }
  static void Answer(std::unique_ptr<PendingSend> send, SendResponse::Outcome outcome) {
    SendResponse response;
    response.set_message_id(std::move(send->message_id));
    response.set_outcome(outcome);
    response.set_duplicate(send->duplicate);
    Done done = std::move(send->done);
    send.reset();
    std::move(done)(std::move(response));
  }
};

SendEngine::SendEngine(const Options& options)
    : options_(options),
      calls_({.places = options.max_calls, .limit = options.call_limit}),
      subscription_calls_({.places = options.max_calls / kSubscriptionsPart}),
      now_or_never_sends_({.places = options.max_now_or_never_sends}) {}

void SendEngine::Send(const Sender& sender, push::v1::SendRequest request,
                      internal::v1::Content content, Done done) {
  auto send = std::make_unique<PendingSend>();
  send->done = std::move(done);
  // First: what there is no room for costs as little as possible.
  send->call = calls_.TryTake(sender.share());
  if (send->call.has_value() && !sender.is_team()) {
    send->subscription_call = subscription_calls_.TryTake(sender.name());
    if (!send->subscription_call.has_value()) send->call.reset();
  }
  if (!send->call.has_value()) {
    return PendingSend::Answer(std::move(send),
                               Overloaded(sender.is_team()
                                              ? "your team's calls that wait for the registry"
                                              : "Web Pushes that wait for the registry"));
  }
  send->call_began = options_.clock->Monotonic();

  absl::StatusOr<ValidatedSend> valid = ValidateSend(request, options_.clock->WallNow());
  if (!valid.ok()) return PendingSend::Answer(std::move(send), valid.status());
  if (valid->now_or_never && !sender.is_team()) {
    // The outcome would tell when the device is online, and so would the time that it takes.
    valid->now_or_never = false;
    valid->expires_at_ms += absl::ToInt64Milliseconds(options_.now_or_never_wait);
  }
  const absl::StatusOr<TokenContents> token = OpenToken(request.token(), *options_.sealer);
  if (!token.ok()) return PendingSend::Answer(std::move(send), token.status());
  if (valid->now_or_never && !request.validate_only()) {
    send->now_or_never_ticket = now_or_never_sends_.TryTake(sender.share());
    if (!send->now_or_never_ticket.has_value()) {
      return PendingSend::Answer(std::move(send),
                                 QuotaExceeded("Sends of ttl zero that wait for their devices"));
    }
  }

  const MessageId message_id = valid->message_id.value_or(NewMessageId());
  send->device_id = token->device_id;
  send->now_or_never = valid->now_or_never;
  send->validate_only = request.validate_only();
  if (!request.validate_only() || valid->message_id.has_value()) {
    send->message_id = FormatUuid(message_id);
  }
  internal::v1::Envelope& message = send->message;
  message.set_message_id(std::string(message_id.bytes()));
  message.set_registration_id(token->registration_id);
  message.set_payload(std::move(*request.mutable_payload()));
  message.set_priority(valid->priority);
  message.set_collapse_key(std::move(*request.mutable_collapse_key()));
  message.set_accepted_at_ms(valid->accepted_at_ms);
  message.set_expires_at_ms(valid->expires_at_ms);
  message.set_deliver_at_ms(valid->deliver_at_ms);
  if (content.ByteSizeLong() > 0) *message.mutable_content() = std::move(content);

  internal::v1::AppendRequest append;
  append.set_device_id(std::string(token->device_id.bytes()));
  append.set_registration_id(token->registration_id);
  sender.WriteTo(&append);
  *append.mutable_message() = message;
  append.set_validate_only(request.validate_only());
  // A generated id is new: this engine appends a message once and never repeats the call. A caller that
  // gets no answer retries, and its retry gets a new id.
  append.set_message_id_is_new(!valid->message_id.has_value());
  options_.mailboxes->Append(
      std::move(append),
      [this, send = std::move(send)](absl::StatusOr<AppendResponse> appended) mutable {
        OnAppended(std::move(send), std::move(appended));
      });
}

void SendEngine::OnAppended(std::unique_ptr<PendingSend> send,
                            absl::StatusOr<AppendResponse> appended) {
  if (appended.ok()) send->call->OnServed(send->call_began, options_.clock->Monotonic());
  send->call.reset();
  send->subscription_call.reset();
  if (!appended.ok()) {
    return PendingSend::Answer(std::move(send), FromRegistryError(appended.status()));
  }
  send->duplicate = appended->duplicate();
  if (send->validate_only) return PendingSend::Answer(std::move(send), SendResponse::VALID);
  if (send->now_or_never) return OnNowOrNeverAppended(std::move(send), *std::move(appended));

  // seq 0: it waits for its deliver_at. Without a route, or with a stale one (NO_SESSION), the
  // device's next Bind finds the message.
  if (appended->seq() != 0 && appended->has_route() &&
      (!appended->duplicate() || IsUnderWay(appended->state()))) {
    options_.connectors->Find(appended->route().connector_address())
        ->Exchange(DeliverRequest(std::move(send->message), send->device_id, *appended,
                                  /*wait_for_ack=*/false),
                   [](internal::v1::ConnectorResponse::Outcome) {});
  }
  PendingSend::Answer(std::move(send), SendResponse::ACCEPTED);
}

void SendEngine::OnNowOrNeverAppended(std::unique_ptr<PendingSend> send, AppendResponse appended) {
  if (appended.duplicate() && !IsUnderWay(appended.state())) {
    const auto outcome =
        IsAcked(appended.state()) ? SendResponse::DELIVERED : SendResponse::NOT_CONNECTED;
    return PendingSend::Answer(std::move(send), outcome);
  }
  const uint64_t seq = appended.seq();
  if (!appended.has_route()) return Resolve(std::move(send), seq);
  ConnectorRequest request = DeliverRequest(std::move(send->message), send->device_id, appended,
                                            /*wait_for_ack=*/true);
  const std::shared_ptr<ConnectorApi> connector =
      options_.connectors->Find(appended.route().connector_address());
  options_.wait_for_ack(connector.get(), std::move(request), options_.now_or_never_wait,
                        [this, seq, send = std::move(send)](bool acked) mutable {
                          if (acked) {
                            PendingSend::Answer(std::move(send), SendResponse::DELIVERED);
                          } else {
                            Resolve(std::move(send), seq);
                          }
                        });
}

// An acknowledgement may have reached the registry though we did not hear of it: the registry says
// what came first, and from then on it is settled.
void SendEngine::Resolve(std::unique_ptr<PendingSend> send, uint64_t seq) {
  internal::v1::ResolveRequest request;
  request.set_device_id(std::string(send->device_id.bytes()));
  request.set_seq(seq);
  options_.mailboxes->Resolve(
      std::move(request),
      [send = std::move(send)](absl::StatusOr<internal::v1::ResolveResponse> resolved) mutable {
        if (ErrorReason(resolved.status()) == "MESSAGE_NOT_FOUND") {
          // The registry's clock ran far ahead of our wait: it has ended the message and forgotten its
          // number. A retry with the same id hears from Append how it ended.
          return PendingSend::Answer(
              std::move(send),
              MakeError(
                  absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                  "it is not known what became of the message: retry with the same message id"));
        }
        if (!resolved.ok()) {
          return PendingSend::Answer(std::move(send), FromRegistryError(resolved.status()));
        }
        const auto outcome =
            IsAcked(resolved->state()) ? SendResponse::DELIVERED : SendResponse::NOT_CONNECTED;
        PendingSend::Answer(std::move(send), outcome);
      });
}

}  // namespace bellwire::gateway
