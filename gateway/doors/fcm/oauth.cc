#include "gateway/doors/fcm/oauth.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/error.h"
#include "common/status_macros.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/rest_error.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

constexpr absl::string_view kJwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";

absl::Status Invalid(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

http::Reply JsonReply(int status, const nlohmann::ordered_json& body) {
  return {.status = status,
          .headers = {{"content-type", "application/json; charset=utf-8"},
                      {"cache-control", "no-store"},
                      {"pragma", "no-cache"}},
          .body = DumpJson(body) + "\n"};
}

absl::StatusOr<std::string> TheOne(const http::QueryParameters& parameters,
                                   absl::string_view name) {
  const auto is_named = [name](const auto& parameter) { return parameter.first == name; };
  const auto found = std::find_if(parameters.begin(), parameters.end(), is_named);
  if (found == parameters.end() || std::count_if(found, parameters.end(), is_named) != 1) {
    return Invalid("INVALID_REQUEST", "The form needs grant_type and assertion, once each.");
  }
  return found->second;
}

struct Told {
  int http_status;
  const char* error;
};

Told ToldOf(const absl::Status& error) {
  const std::string reason = ErrorReason(error);
  if (reason == "UNSUPPORTED_GRANT_TYPE") return {400, "unsupported_grant_type"};
  if (reason == "BAD_SCOPE") return {400, "invalid_scope"};
  if (reason == "METHOD_NOT_ALLOWED") return {405, "invalid_request"};
  switch (error.code()) {
    case absl::StatusCode::kUnauthenticated:
      return {400, "invalid_grant"};
    case absl::StatusCode::kInvalidArgument:
      return {400, "invalid_request"};
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return {503, "temporarily_unavailable"};
    default:
      return {500, "server_error"};
  }
}

}  // namespace

absl::StatusOr<std::string> ReadTokenRequest(absl::string_view form) {
  const std::optional<http::QueryParameters> parameters = http::ParseQuery(form);
  if (!parameters.has_value()) {
    return Invalid("INVALID_REQUEST",
                   "The body is not a form (application/x-www-form-urlencoded).");
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::string grant_type, TheOne(*parameters, "grant_type"));
  if (grant_type != kJwtBearer) {
    return Invalid("UNSUPPORTED_GRANT_TYPE",
                   "The only grant_type is urn:ietf:params:oauth:grant-type:jwt-bearer.");
  }
  return TheOne(*parameters, "assertion");
}

http::Reply AccessTokenReply(absl::string_view access_token, absl::Duration lifetime) {
  return JsonReply(200, {{"access_token", std::string(access_token)},
                         {"expires_in", absl::ToInt64Seconds(lifetime)},
                         {"token_type", "Bearer"}});
}

http::Reply OauthErrorReply(const absl::Status& error) {
  const Told told = ToldOf(error);
  http::Reply reply =
      JsonReply(told.http_status,
                {{"error", told.error}, {"error_description", std::string(error.message())}});
  if (std::optional<std::string> delay = RetryAfterOf(error)) {
    reply.headers.push_back({"retry-after", *std::move(delay)});
  }
  return reply;
}

}  // namespace bellwire::gateway::fcm
