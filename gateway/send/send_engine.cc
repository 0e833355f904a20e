#include "gateway/send/send_engine.h"

#include <optional>
#include <string>
#include <utility>

#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/trace_context.h"
#include "gateway/send/registry_error.h"
#include "gateway/send/validator.h"

namespace bellwire::gateway {
namespace {

using internal::v1::AppendResponse;
using push::v1::SendResponse;

// What became of a ttl-zero message.
SendResponse::Outcome OutcomeOf(push::v1::Step state) {
  return state == push::v1::AGENT_ACKED || state == push::v1::APP_ACKED
             ? SendResponse::DELIVERED
             : SendResponse::NOT_CONNECTED;
}

// Calls to subscriptions are at most this part of all. Less than a team's share, so that one sender
// does not take it all.
constexpr size_t kSubscriptionsPart = 4;

// The collapse key of Handling::newest_only. ValidateSend takes none that begins with a NUL.
constexpr absl::string_view kNewestOnlyKey("\0newest", 7);

SendDoor DoorOf(const SendEngine::Handling& handling) {
  switch (handling.content.door()) {
    case internal::v1::Content::WEB_PUSH:
      return SendDoor::kWebPush;
    case internal::v1::Content::APNS:
      return SendDoor::kApns;
    case internal::v1::Content::FCM:
      return SendDoor::kFcm;
    case internal::v1::Content::NTFY:
      return SendDoor::kNtfy;
    case internal::v1::Content::MATRIX:
      return SendDoor::kMatrix;
    default:
      return handling.door;
  }
}

}  // namespace

// A message between its admission and its answer.
struct SendEngine::PendingSend {
  SendEngine* engine = nullptr;
  SendDoor door = SendDoor::kGrpc;
  bool is_team = true;
  // Of a team.
  std::string team_id;
  // Until the registry has answered.
  std::optional<TeamPlaces::Ticket> call;
  std::optional<TeamPlaces::Ticket> subscription_call;
  // Unset: it was not admitted.
  std::optional<MonotonicTime> call_began;
  std::optional<TeamPlaces::Ticket> now_or_never_ticket;
  bool now_or_never = false;
  bool validate_only = false;
  // What the answer says.
  std::string message_id;
  bool duplicate = false;
  // Empty: none.
  std::string trace_context;
  Done done;

  // The last thing that happens to a message. Frees its place first: who hears the answer may count
  // on it, and may destroy the engine.
  static void Answer(std::unique_ptr<PendingSend> send, absl::Status error) {
    send->Count(AnswerOf(error));
    Done done = std::move(send->done);
    send.reset();
    std::move(done)(std::move(error));
  }
  static void Answer(std::unique_ptr<PendingSend> send, SendResponse::Outcome outcome) {
    SendResponse response;
    response.set_outcome(outcome);
    response.set_duplicate(send->duplicate);
    send->Count(AnswerOf(response));
    response.set_message_id(std::move(send->message_id));
    Done done = std::move(send->done);
    send.reset();
    std::move(done)(std::move(response));
  }

 private:
  void Count(SendAnswer answer) const {
    engine->counters_.Count(door, is_team, answer);
    if (!trace_context.empty()) {
      LogDebug("message_answered", {{"trace", TraceIdOf(trace_context)},
                                    {"message", message_id},
                                    {"door", Name(door)},
                                    {"answer", Name(answer)}});
    }
    if (!call_began.has_value()) return;
    engine->counters_.Time(door, engine->options_.clock->Monotonic() - *call_began);
  }
};

SendEngine::SendEngine(const Options& options)
    : options_(options),
      calls_({.places = options.max_calls, .limit = options.call_limit}),
      subscription_calls_({.places = options.max_calls / kSubscriptionsPart}),
      now_or_never_sends_({.places = options.max_now_or_never_sends}),
      quota_holds_(options.clock) {}

void SendEngine::Send(const Sender& sender, push::v1::SendRequest request,
                      Handling handling, Done done) {
  auto send = std::make_unique<PendingSend>();
  send->engine = this;
  send->door = DoorOf(handling);
  send->is_team = sender.is_team();
  send->done = std::move(done);
  // First: what is refused costs as little as possible.
  if (sender.is_team()) {
    send->team_id = std::string(sender.share());
    if (std::optional<absl::Status> held = quota_holds_.Find(send->team_id)) {
      return PendingSend::Answer(std::move(send), *std::move(held));
    }
  }
  send->call = calls_.TryTake(sender.share());
  if (send->call.has_value() && !sender.is_team()) {
    send->subscription_call = subscription_calls_.TryTake(sender.name());
    if (!send->subscription_call.has_value()) send->call.reset();
  }
  if (!send->call.has_value()) {
    return PendingSend::Answer(
        std::move(send),
        Overloaded(sender.is_team() ? "your team's calls that wait for the registry"
                                    : "Web Pushes that wait for the registry"));
  }
  send->call_began = options_.clock->Monotonic();

  absl::StatusOr<ValidatedSend> valid = ValidateSend(request, options_.clock->WallNow());
  if (!valid.ok()) return PendingSend::Answer(std::move(send), valid.status());
  send->trace_context = valid->trace_context;
  if (valid->now_or_never && !sender.is_team()) {
    // The outcome would tell when the device is online, and so would the time that it takes.
    valid->now_or_never = false;
    valid->expires_at_ms += absl::ToInt64Milliseconds(kNowOrNeverWait);
  }
  const absl::StatusOr<TokenContents> token = OpenToken(request.token(), *options_.sealer);
  if (!token.ok()) return PendingSend::Answer(std::move(send), token.status());
  if (valid->now_or_never && !request.validate_only()) {
    send->now_or_never_ticket = now_or_never_sends_.TryTake(sender.share());
    if (!send->now_or_never_ticket.has_value()) {
      return PendingSend::Answer(std::move(send),
                                 QuotaExceeded("Sends of ttl zero that wait for their devices"));
    }
    // How long it takes says nothing of the registry.
    send->call.reset();
  }

  const MessageId message_id = valid->message_id.value_or(NewMessageId());
  send->now_or_never = valid->now_or_never;
  send->validate_only = request.validate_only();
  if (!request.validate_only() || valid->message_id.has_value()) {
    send->message_id = FormatUuid(message_id);
  }
  internal::v1::AppendRequest append;
  append.set_device_id(std::string(token->device_id.bytes()));
  append.set_registration_id(token->registration_id);
  sender.WriteTo(&append);
  internal::v1::Envelope& message = *append.mutable_message();
  message.set_message_id(std::string(message_id.bytes()));
  message.set_registration_id(token->registration_id);
  message.set_payload(std::move(*request.mutable_payload()));
  message.set_priority(valid->priority);
  message.set_collapse_key(std::move(*request.mutable_collapse_key()));
  if (handling.newest_only && message.collapse_key().empty()) {
    message.set_collapse_key(std::string(kNewestOnlyKey));
  }
  message.set_accepted_at_ms(valid->accepted_at_ms);
  message.set_expires_at_ms(valid->expires_at_ms);
  message.set_deliver_at_ms(valid->deliver_at_ms);
  message.set_trace_context(valid->trace_context);
  if (handling.content.ByteSizeLong() > 0) {
    *message.mutable_content() = std::move(handling.content);
  }

  append.set_validate_only(request.validate_only());
  // A generated id is new: this engine appends a message once and never repeats the call. A caller
  // that gets no answer retries, and its retry gets a new id.
  append.set_message_id_is_new(!valid->message_id.has_value());
  if (send->now_or_never) append.set_waiter(waiter_);
  options_.mailboxes->Append(
      std::move(append),
      [this, send = std::move(send)](absl::StatusOr<AppendResponse> appended) mutable {
        OnAppended(std::move(send), std::move(appended));
      });
}

void SendEngine::OnAppended(std::unique_ptr<PendingSend> send,
                            absl::StatusOr<AppendResponse> appended) {
  if (appended.ok() && send->call.has_value()) {
    send->call->OnServed(*send->call_began, options_.clock->Monotonic());
  }
  send->call.reset();
  send->subscription_call.reset();
  if (!appended.ok()) {
    if (send->is_team) quota_holds_.Note(send->team_id, appended.status());
    return PendingSend::Answer(std::move(send), FromRegistryError(appended.status()));
  }
  send->duplicate = appended->duplicate();
  const SendResponse::Outcome outcome = send->validate_only  ? SendResponse::VALID
                                        : send->now_or_never ? OutcomeOf(appended->state())
                                                             : SendResponse::ACCEPTED;
  PendingSend::Answer(std::move(send), outcome);
}

void SendEngine::Report(metrics::Samples* samples) {
  counters_.Report(samples);
  samples->AddQueue("sends", calls_.taken(), options_.max_calls);
  samples->AddQueue("web_pushes", subscription_calls_.taken(),
                    options_.max_calls / kSubscriptionsPart);
  samples->AddQueue("ttl_zero_sends", now_or_never_sends_.taken(),
                    options_.max_now_or_never_sends);
}

void SendEngine::EndWaits() {
  internal::v1::EndWaitsRequest request;
  request.set_waiter(waiter_);
  // Without an answer the Sends end with their calls.
  options_.mailboxes->EndWaits(std::move(request),
                               [](const absl::StatusOr<internal::v1::EndWaitsResponse>&) {});
}

}  // namespace bellwire::gateway
