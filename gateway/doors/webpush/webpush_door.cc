#include "gateway/doors/webpush/webpush_door.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/call/call_trace.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/webpush/push_error.h"
#include "gateway/doors/webpush/push_request.h"
#include "gateway/send/sender.h"

namespace bellwire::webpush {
namespace {

using gateway::Sender;
using http::Reply;
using http::RequestHead;
using push::v1::GetMessageRequest;
using push::v1::GetMessageResponse;
using push::v1::SendResponse;

constexpr absl::string_view kRoot = "/wpush/";

struct Resource {
  enum class Kind { kSubscription, kMessage, kReceipt };
  Kind kind;
  // The token, or the sealed name of the message.
  absl::string_view name;
};

// REQUIRES: the door matches.
Resource ResourceOf(const RequestHead& head) {
  absl::string_view name = absl::StripPrefix(http::PathOf(head.path), kRoot);
  if (absl::ConsumePrefix(&name, "m/")) return {Resource::Kind::kMessage, name};
  if (absl::ConsumePrefix(&name, "r/")) return {Resource::Kind::kReceipt, name};
  if (!absl::ConsumePrefix(&name, "v1/")) absl::ConsumePrefix(&name, "v2/");
  return {Resource::Kind::kSubscription, name};
}

absl::string_view MethodsOf(Resource::Kind kind) {
  switch (kind) {
    case Resource::Kind::kSubscription:
      return "POST, GET, HEAD, OPTIONS";
    case Resource::Kind::kMessage:
      return "DELETE, OPTIONS";
    case Resource::Kind::kReceipt:
      return "GET, OPTIONS";
  }
  return "";
}

// Pages send from where they come from, as they may with Mozilla's service.
Reply ForEveryOrigin(Reply reply) {
  reply.headers.push_back({"access-control-allow-origin", "*"});
  reply.headers.push_back(
      {"access-control-expose-headers", "location, link, ttl, www-authenticate, retry-after"});
  return reply;
}

Reply NotFound() {
  return ForEveryOrigin(ErrorReply(
      MakeError(absl::StatusCode::kNotFound, "NOT_FOUND", "There is no such resource here.")));
}

// What a receipt resource answers a GET, once it answers.
Reply ReceiptReply(const absl::StatusOr<GetMessageResponse>& message) {
  if (!message.ok()) return ForEveryOrigin(ErrorReply(message.status()));
  const int status = ReceiptStatus(*message);
  Reply reply{.status = status == 0 ? 202 : status};
  if (status == 0) reply.headers.push_back({"retry-after", "30"});
  return ForEveryOrigin(std::move(reply));
}

}  // namespace

// A push between its request and its answer.
struct WebPushDoor::Push {
  http::Responder responder;
  TokenContents token;
  std::string token_text;
  int64_t ttl_seconds = 0;
  bool wants_receipt = false;
  bool has_credential = false;
};

WebPushDoor::WebPushDoor(Options options)
    : options_(std::move(options)), vapid_(options_.urls, options_.clock) {
  ReceiptStreams::Options receipts = options_.receipts;
  receipts.calls = options_.calls;
  receipts.clock = options_.clock;
  receipts.answer = ReceiptReply;
  receipts_.emplace(receipts);
}

WebPushDoor::~WebPushDoor() {
  receipts_.reset();
  AwaitNoCalls();
}

bool WebPushDoor::Matches(const RequestHead& head) const {
  return absl::StartsWith(head.path, kRoot);
}

size_t WebPushDoor::MaxBodyBytes(const RequestHead&) const { return kMaxPayloadBytes; }

std::optional<Reply> WebPushDoor::Refuse(const RequestHead& head) const {
  const Resource::Kind kind = ResourceOf(head).kind;
  const absl::string_view methods = MethodsOf(kind);
  if (head.method == "OPTIONS") {
    return ForEveryOrigin(
        {.status = 204,
         .headers = {{"access-control-allow-methods", std::string(methods)},
                     {"access-control-allow-headers",
                      "authorization, content-encoding, content-type, crypto-key, encryption, "
                      "idempotency-key, prefer, topic, traceparent, ttl, urgency"},
                     {"access-control-max-age", "86400"}}});
  }
  for (const absl::string_view method : absl::StrSplit(methods, ", ")) {
    if (method == head.method) return std::nullopt;
  }
  Reply reply = ErrorReply(MakeError(absl::StatusCode::kInvalidArgument, "METHOD_NOT_ALLOWED",
                                     "This resource does not know the method."));
  reply.headers.push_back({"allow", std::string(methods)});
  return ForEveryOrigin(std::move(reply));
}

Reply WebPushDoor::Error(const RequestHead&, int status, const absl::Status& why) const {
  return ForEveryOrigin(ErrorReply(status, why));
}

void WebPushDoor::Serve(http::Request request, http::Responder responder) {
  // A copy: the head moves with the request.
  const std::string path = request.head.path;
  const RequestHead head{.path = path};
  const Resource resource = ResourceOf(head);
  switch (resource.kind) {
    case Resource::Kind::kMessage:
      return ServeWithdrawal(resource.name, std::move(responder));
    case Resource::Kind::kReceipt:
      return ServeReceipts(resource.name, request, std::move(responder));
    case Resource::Kind::kSubscription:
      break;
  }
  if (request.head.method == "POST") {
    return ServePush(resource.name, std::move(request), std::move(responder));
  }
  const std::optional<TokenContents> token = options_.sealer->Open(resource.name);
  if (!token.has_value() || token->app_tag != kSubscriptionTag) return responder.Send(NotFound());
  responder.Send(ForEveryOrigin({.status = 200,
                                 .headers = {{"content-type", "application/json"}},
                                 .body = R"({"unifiedpush":{"version":1}})"}));
}

void WebPushDoor::ServePush(absl::string_view token, http::Request request,
                            http::Responder responder) {
  const auto refuse = [&responder](const absl::Status& why) {
    responder.Send(ForEveryOrigin(ErrorReply(why)));
  };
  // What was never made here costs no signature.
  const std::optional<TokenContents> contents = options_.sealer->Open(token);
  if (!contents.has_value() || contents->app_tag != kSubscriptionTag) {
    return refuse(MakeError(absl::StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN",
                            "The endpoint is not one of this server's."));
  }
  absl::StatusOr<PushRequest> parsed =
      ParsePushRequest(request.head.headers, std::move(request.body), token);
  if (!parsed.ok()) return refuse(parsed.status());
  absl::StatusOr<std::optional<VapidCredential>> credential = ParseVapid(request.head.headers);
  if (!credential.ok()) return refuse(credential.status());
  std::string vapid_key;
  if (credential->has_value()) {
    if (absl::Status verified = vapid_.Verify(**credential); !verified.ok()) {
      return refuse(verified);
    }
    vapid_key = std::move((*credential)->key);
  }
  parsed->send.set_token(std::string(token));
  gateway::TakeCallTrace(request.head.headers, &parsed->send);
  auto push = std::make_unique<Push>(Push{.responder = std::move(responder),
                                          .token = *contents,
                                          .token_text = std::string(token),
                                          .ttl_seconds = parsed->ttl_seconds,
                                          .wants_receipt = parsed->wants_receipt,
                                          .has_credential = credential->has_value()});
  options_.engine->Send(Sender::ToSubscription(std::move(vapid_key), token),
                        std::move(parsed->send), std::move(parsed->content),
                        [this, push = std::move(push)](absl::StatusOr<SendResponse> sent) mutable {
                          OnSent(std::move(push), std::move(sent));
                        });
}

void WebPushDoor::OnSent(std::unique_ptr<Push> push, absl::StatusOr<SendResponse> sent) {
  if (!sent.ok()) {
    // Without a credential it is missing (RFC 8292, 4.2), not the wrong one.
    const bool missing =
        !push->has_credential && ErrorReason(sent.status()) == "VAPID_KEY_MISMATCH";
    return push->responder.Send(ForEveryOrigin(ErrorReply(missing ? 401 : 0, sent.status())));
  }
  const std::string name =
      options_.sealer->SealMessage({.device_id = push->token.device_id,
                                    .registration_id = push->token.registration_id,
                                    .message_id = *ParseUuid(sent->message_id())});
  Reply reply{
      .status = 201,
      .headers = {{"location", UrlOf("m/", name)}, {"ttl", absl::StrCat(push->ttl_seconds)}}};
  if (!push->wants_receipt) return push->responder.Send(ForEveryOrigin(std::move(reply)));
  GetMessageRequest question;
  question.set_token(push->token_text);
  question.set_message_id(sent->message_id());
  // Before the push moves.
  const Sender sender = Sender::ToSubscription("", push->token_text);
  options_.calls->GetMessage(
      sender, question,
      [push = std::move(push), reply = std::move(reply),
       receipt = UrlOf("r/", name)](const absl::StatusOr<GetMessageResponse>& message) mutable {
        // A subscription that does not tell gives no receipt, which RFC 8030 leaves to the server.
        if (message.ok()) {
          reply.status = 202;
          reply.headers.push_back(
              {"link", absl::StrCat("<", receipt, ">; rel=\"urn:ietf:params:push:receipt\"")});
        }
        push->responder.Send(ForEveryOrigin(std::move(reply)));
      });
}

std::optional<GetMessageRequest> WebPushDoor::MessageOf(absl::string_view name) const {
  const std::optional<MessageName> message = options_.sealer->OpenMessage(name);
  if (!message.has_value()) return std::nullopt;
  GetMessageRequest request;
  // Sealing is deterministic, so this is the token of the subscription.
  request.set_token(options_.sealer->Seal({.device_id = message->device_id,
                                           .registration_id = message->registration_id,
                                           .app_tag = kSubscriptionTag}));
  request.set_message_id(FormatUuid(message->message_id));
  return request;
}

void WebPushDoor::ServeWithdrawal(absl::string_view name, http::Responder responder) {
  const std::optional<GetMessageRequest> message = MessageOf(name);
  if (!message.has_value()) return responder.Send(NotFound());
  push::v1::RecallRequest recall;
  recall.set_token(message->token());
  recall.set_message_id(message->message_id());
  options_.calls->Recall(
      Sender::ToSubscription("", message->token()), recall,
      [responder =
           std::move(responder)](const absl::StatusOr<push::v1::RecallResponse>& recalled) mutable {
        // The outcome would tell whether the device has it, which the sender may not learn.
        responder.Send(
            ForEveryOrigin(recalled.ok() ? Reply{.status = 204} : ErrorReply(recalled.status())));
      });
}

void WebPushDoor::ServeReceipts(absl::string_view name, const http::Request& request,
                                http::Responder responder) {
  const std::optional<GetMessageRequest> message = MessageOf(name);
  if (!message.has_value()) return responder.Send(NotFound());
  const std::string* accept = http::FindHeader(request.head.headers, "accept");
  const bool events = accept != nullptr && absl::StrContains(*accept, "text/event-stream");
  // A client that takes a push waits for it, as long as it says; others are answered now.
  const bool push = !events && request.can_push;
  options_.calls->GetMessage(
      Sender::ToSubscription("", message->token()), *message,
      [this, events, push, patience = PreferredWait(request.head.headers),
       path = absl::StrCat(kRoot, "m/", name), message = *message,
       responder = std::move(responder)](const absl::StatusOr<GetMessageResponse>& now) mutable {
        if (!now.ok()) return responder.Send(ReceiptReply(now));
        if (push &&
            receipts_->AddPush(std::move(message), *now, std::move(path), patience, &responder)) {
          return;
        }
        if (events) {
          if (receipts_->Add(std::move(message), *now, &responder)) return;
          return responder.Send(
              ForEveryOrigin(ErrorReply(MakeError(absl::StatusCode::kUnavailable, "OVERLOADED",
                                                  "Too many readers wait for receipts."))));
        }
        responder.Send(ReceiptReply(now));
      });
}

std::string WebPushDoor::UrlOf(absl::string_view kind, absl::string_view name) const {
  return absl::StrCat(options_.urls.empty() ? "" : options_.urls.first(), kRoot, kind, name);
}

}  // namespace bellwire::webpush
