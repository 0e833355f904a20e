#include "gateway/doors/apns/apns_door.h"

#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/doors/apns/apns_reason.h"
#include "gateway/doors/apns/apns_request.h"
#include "gateway/send/sender.h"

namespace bellwire::gateway::apns {
namespace {

// What names this request in its answer, whatever becomes of it.
std::string IdFor(const http::RequestHead& head) {
  std::string id = ApnsIdOf(head);
  return id.empty() ? FormatUuid(NewMessageId()) : id;
}

}  // namespace

bool ApnsDoor::Matches(const http::RequestHead& head) const {
  return absl::StartsWith(head.path, "/3/");
}

size_t ApnsDoor::MaxBodyBytes(const http::RequestHead&) const { return kMaxPayloadBytes; }

std::optional<http::Reply> ApnsDoor::Refuse(const http::RequestHead& head) const {
  const std::optional<Reason> wrong = CheckHead(head);
  if (!wrong.has_value()) return std::nullopt;
  return ToReply(*wrong, IdFor(head));
}

void ApnsDoor::Serve(http::Request request, http::Responder responder) {
  const absl::StatusOr<absl::string_view> jwt = BearerToken(request.head.headers);
  if (!jwt.ok()) return responder.Send(ToReply(ReasonOf(jwt.status()), IdFor(request.head)));
  const std::string credential(*jwt);
  authenticator_->Authenticate(
      credential, [this, request = std::move(request), responder = std::move(responder)](
                      absl::StatusOr<ProviderIdentity> identity) mutable {
        std::string id = IdFor(request.head);
        if (!identity.ok()) return responder.Send(ToReply(ReasonOf(identity.status()), id));
        auto translated =
            Translate(request.head, std::move(request.body), *sealer_, clock_->WallNow());
        if (const auto* wrong = std::get_if<Reason>(&translated)) {
          return responder.Send(ToReply(*wrong, id));
        }
        internal::v1::Content content;
        content.set_door(internal::v1::Content::APNS);
        engine_->Send(Sender::Team(identity->team_id),
                      std::move(std::get<push::v1::SendRequest>(translated)), std::move(content),
                      [id = std::move(id), responder = std::move(responder)](
                          absl::StatusOr<push::v1::SendResponse> sent) mutable {
                        if (!sent.ok()) return responder.Send(ToReply(ReasonOf(sent.status()), id));
                        // Also with NOT_CONNECTED: APNs doesn't tell who is connected.
                        responder.Send({.status = 200, .headers = {{"apns-id", sent->message_id()}}});
                      });
      });
}

http::Reply ApnsDoor::Error(const http::RequestHead& head, int status,
                            const absl::Status& why) const {
  Reason reason = ReasonOf(why);
  if (reason.status == 500) reason.status = status;
  return ToReply(reason, IdFor(head));
}

}  // namespace bellwire::gateway::apns
