#include "gateway/doors/fcm/token_door.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "common/error.h"
#include "gateway/auth/service_account.h"
#include "gateway/doors/fcm/oauth.h"
#include "gateway/doors/http/query.h"

namespace bellwire::gateway::fcm {

bool TokenDoor::Matches(const http::RequestHead& head) const {
  const absl::string_view path = http::PathOf(head.path);
  return std::find(std::begin(kTokenPaths), std::end(kTokenPaths), path) != std::end(kTokenPaths);
}

size_t TokenDoor::MaxBodyBytes(const http::RequestHead&) const { return kMaxTokenRequestBytes; }

std::optional<http::Reply> TokenDoor::Refuse(const http::RequestHead& head) const {
  if (head.method == "POST") return std::nullopt;
  http::Reply reply = OauthErrorReply(
      MakeError(absl::StatusCode::kUnimplemented, "METHOD_NOT_ALLOWED", "This path takes POST."));
  reply.headers.push_back({"allow", "POST"});
  return reply;
}

void TokenDoor::Serve(http::Request request, http::Responder responder) {
  const absl::StatusOr<std::string> assertion = ReadTokenRequest(request.body);
  if (!assertion.ok()) return responder.Send(OauthErrorReply(assertion.status()));
  credentials_->Exchange(*assertion,
                         [responder = std::move(responder)](
                             absl::StatusOr<FcmCredentials::AccessToken> token) mutable {
                           if (!token.ok()) return responder.Send(OauthErrorReply(token.status()));
                           responder.Send(AccessTokenReply(token->text, token->lifetime));
                         });
}

http::Reply TokenDoor::Error(const http::RequestHead&, int, const absl::Status& why) const {
  return OauthErrorReply(why);
}

}  // namespace bellwire::gateway::fcm
