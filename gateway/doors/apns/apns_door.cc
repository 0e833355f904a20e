#include "gateway/doors/apns/apns_door.h"

#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/call/call_trace.h"
#include "gateway/doors/apns/apns_channels.h"
#include "gateway/doors/apns/apns_headers.h"
#include "gateway/doors/apns/apns_reason.h"
#include "gateway/doors/apns/apns_request.h"
#include "gateway/send/sender.h"

namespace bellwire::gateway::apns {
namespace {

// What names a request, and its answer.
absl::string_view IdField(const http::RequestHead& head) {
  return IsChannelPath(head.path) ? "apns-request-id" : "apns-id";
}

}  // namespace

bool ApnsDoor::Matches(const http::RequestHead& head) const {
  return absl::StartsWith(head.path, "/3/") || IsChannelPath(head.path);
}

size_t ApnsDoor::MaxBodyBytes(const http::RequestHead&) const { return kMaxPayloadBytes; }

std::optional<http::Reply> ApnsDoor::Refuse(const http::RequestHead& head) const {
  std::optional<Reason> wrong;
  if (IsChannelPath(head.path)) {
    const auto route = RouteOf(head);
    if (const auto* reason = std::get_if<Reason>(&route)) wrong = *reason;
  } else {
    wrong = CheckHead(head);
  }
  if (!wrong.has_value()) return std::nullopt;
  return ToReply(*wrong, IdFor(head, IdField(head)), IdField(head));
}

void ApnsDoor::Serve(http::Request request, http::Responder responder) {
  const absl::StatusOr<absl::string_view> jwt = BearerToken(request.head.headers);
  if (!jwt.ok()) return responder.Send(Error(request.head, 403, jwt.status()));
  const std::string credential(*jwt);
  authenticator_->Authenticate(credential, [this, credential, request = std::move(request),
                                            responder = std::move(responder)](
                                               absl::StatusOr<ProviderIdentity> identity) mutable {
    const absl::string_view id_field = IdField(request.head);
    std::string id = IdFor(request.head, id_field);
    if (!identity.ok()) {
      return responder.Send(ToReply(ReasonOf(identity.status()), id, id_field));
    }
    if (const auto wait = provider_tokens_->Refuse(identity->team_id, credential)) {
      return responder.Send(
          ToReply({.status = 429, .name = "TooManyProviderTokenUpdates", .retry_after = wait}, id,
                  id_field));
    }
    if (IsChannelPath(request.head.path)) {
      return channels_.Serve(*identity, std::move(request), std::move(responder));
    }
    auto translated = Translate(request.head, std::move(request.body), *sealer_, clock_->WallNow());
    if (const auto* wrong = std::get_if<Reason>(&translated)) {
      return responder.Send(ToReply(*wrong, id));
    }
    auto& send = std::get<push::v1::SendRequest>(translated);
    TakeCallTrace(request.head.headers, &send);
    const bool has_id = !send.message_id().empty();
    internal::v1::Content content;
    content.set_door(internal::v1::Content::APNS);
    engine_->Send(Sender::Team(identity->team_id), std::move(send),
                  {std::move(content), /*newest_only=*/identity->apns_store_one},
                  [has_id, id = std::move(id), responder = std::move(responder)](
                      absl::StatusOr<push::v1::SendResponse> sent) mutable {
                    if (!sent.ok()) return responder.Send(ToReply(ReasonOf(sent.status()), id));
                    // Also with NOT_CONNECTED: APNs doesn't tell who is connected.
                    responder.Send({.status = 200,
                                    .headers = {{"apns-id", has_id ? id : sent->message_id()}}});
                  });
  });
}

http::Reply ApnsDoor::Error(const http::RequestHead& head, int status,
                            const absl::Status& why) const {
  Reason reason = ReasonOf(why);
  if (reason.status == 500) reason.status = status;
  return ToReply(reason, IdFor(head, IdField(head)), IdField(head));
}

}  // namespace bellwire::gateway::apns
