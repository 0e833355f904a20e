#include "gateway/doors/ntfy/ntfy_error.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/rest_error.h"

namespace bellwire::gateway {
namespace {

constexpr char kCode[] = "ntfy_code";

// The general code of each HTTP status.
int CodeOf(int http_status) {
  switch (http_status) {
    case 401:
      return 40101;
    case 403:
      return 40301;
    case 404:
      return 40401;
    case 413:
      return 41301;
    case 429:
      return 42901;
    case 500:
      return 50001;
    default:
      return http_status * 100;
  }
}

http::Reply Tell(const absl::Status& status, int code, int http_status) {
  http::Reply reply{.status = http_status, .headers = {{"content-type", "application/json"}}};
  if (std::optional<std::string> delay = RetryAfterOf(status)) {
    reply.headers.push_back({"retry-after", *std::move(delay)});
  }
  // So that a browser, or `curl --anyauth`, knows how to ask.
  if (http_status == 401) {
    reply.headers.push_back({"www-authenticate", "Basic realm=\"bellwire\""});
  }
  reply.body =
      DumpJson({{"code", code}, {"http", http_status}, {"error", std::string(status.message())}}) +
      "\n";
  return reply;
}

}  // namespace

absl::Status NtfyError(int code, absl::string_view message) {
  return WithMetadata(MakeError(absl::StatusCode::kInvalidArgument, "NTFY_ERROR", message), kCode,
                      absl::StrCat(code));
}

http::Reply NtfyErrorReply(const absl::Status& status) {
  int code = 0;
  if (const auto text = ErrorMetadata(status, kCode); text && absl::SimpleAtoi(*text, &code)) {
    return Tell(status, code, code / 100);
  }
  return NtfyErrorReply(status, HttpStatusOf(status));
}

http::Reply NtfyErrorReply(const absl::Status& status, int http_status) {
  return Tell(status, CodeOf(http_status), http_status);
}

}  // namespace bellwire::gateway
