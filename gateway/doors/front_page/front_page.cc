#include "gateway/doors/front_page/front_page.h"

#include "absl/strings/str_cat.h"
#include "common/version.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/http/reply.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kAllowed[] = "GET, HEAD";

http::Reply JsonReply(int status, const Json& body) {
  return {.status = status,
          .headers = {{"content-type", "application/json"}},
          .body = body.dump(2) + "\n"};
}

http::Reply ErrorReply(int status, absl::string_view name, absl::string_view reason,
                       absl::string_view message) {
  return JsonReply(status, {{"error",
                             {{"code", status},
                              {"status", std::string(name)},
                              {"reason", std::string(reason)},
                              {"message", std::string(message)}}}});
}

http::Reply NotReady(absl::string_view why) {
  return {.status = 503,
          .headers = {{"content-type", "text/plain"}, {"retry-after", "1"}},
          .body = std::string(why)};
}

std::string PageOf(const std::vector<FrontPage::OpenDoor>& doors) {
  Json list = Json::array();
  for (const FrontPage::OpenDoor& door : doors) {
    list.push_back({{"name", door.name}, {"path", door.path}});
  }
  return Json({{"service", "bellwire"}, {"version", kVersion}, {"doors", list}}).dump(2) + "\n";
}

}  // namespace

FrontPage::FrontPage(const std::vector<OpenDoor>& doors) : page_(PageOf(doors)) {}

std::unique_ptr<http::ExchangeHandler> FrontPage::Open(http::Exchange* exchange) {
  const http::RequestHead& head = exchange->head();
  const absl::string_view path = http::PathOf(head.path);
  const bool is_ours = path == "/" || path == "/healthz" || path == "/readyz";
  http::Reply reply;
  if (head.truncated) {
    reply = ErrorReply(431, "INVALID_ARGUMENT", "HEAD_TOO_LARGE",
                       "The request's header fields are too long.");
  } else if (!is_ours) {
    reply = ErrorReply(404, "NOT_FOUND", "NO_SUCH_PATH",
                       "There is nothing at this path of a Bellwire gateway. GET / lists the doors "
                       "that are open.");
  } else if (head.method != "GET" && head.method != "HEAD") {
    reply = ErrorReply(405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED",
                       absl::StrCat("This path is served for ", kAllowed, "."));
    reply.headers.push_back({"allow", kAllowed});
  } else if (path == "/") {
    reply = {.headers = {{"content-type", "application/json"}}, .body = page_};
  } else if (path == "/readyz" && draining_.load(std::memory_order_relaxed)) {
    reply = NotReady("draining\n");
  } else if (path == "/readyz" && !store_ok_.load(std::memory_order_relaxed)) {
    reply = NotReady("the store can't be read or written\n");
  } else {
    reply = {.headers = {{"content-type", "text/plain"}}, .body = "ok\n"};
  }
  http::SendReply(exchange, reply);
  return nullptr;
}

}  // namespace bellwire::gateway
