#include "ops/metrics/scrape_answer.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bellwire::metrics {
namespace {

namespace http = boost::beast::http;

constexpr absl::string_view kText = "text/plain; charset=utf-8";
// The format of prometheus::TextSerializer.
constexpr absl::string_view kExposition = "text/plain; version=0.0.4; charset=utf-8";

struct Answer {
  int status = 200;
  absl::string_view reason = "OK";
  absl::string_view content_type = kText;
  std::string body;
  // "Name: value\r\n" each.
  std::string more_headers;
};

std::string Render(const Answer& answer, bool with_body) {
  return absl::StrCat("HTTP/1.1 ", answer.status, " ", answer.reason,
                      "\r\nContent-Type: ", answer.content_type,
                      "\r\nContent-Length: ", answer.body.size(), "\r\n", answer.more_headers,
                      "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                      with_body ? answer.body : "");
}

Answer AnswerTo(http::verb method, absl::string_view target, const ScrapePages& pages) {
  if (method != http::verb::get && method != http::verb::head) {
    return {.status = 405,
            .reason = "Method Not Allowed",
            .body = "only GET and HEAD\n",
            .more_headers = "Allow: GET, HEAD\r\n"};
  }
  const absl::string_view path = target.substr(0, target.find('?'));
  if (path == "/metrics") return {.content_type = kExposition, .body = pages.metrics()};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    const absl::Status ready = pages.readiness();
    if (ready.ok()) return {.body = "ok\n"};
    return {.status = 503,
            .reason = "Service Unavailable",
            .body = absl::StrCat(ready.message(), "\n"),
            .more_headers = "Retry-After: 1\r\n"};
  }
  return {.status = 404,
          .reason = "Not Found",
          .body = "there are /metrics, /healthz and /readyz\n"};
}

}  // namespace

bool IsWholeHead(absl::string_view received) {
  return received.find("\r\n\r\n") != absl::string_view::npos;
}

std::string AnswerScrape(absl::string_view head, const ScrapePages& pages) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kMaxScrapeHeadBytes);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(head.data(), head.size()), error);
  // A body is not read: whether there is one is no matter.
  if (!parser.is_header_done()) {
    return Render({.status = 400, .reason = "Bad Request", .body = "not a request of HTTP/1.1\n"},
                  true);
  }
  const auto& request = parser.get();
  const absl::string_view target(request.target().data(), request.target().size());
  return Render(AnswerTo(request.method(), target, pages), request.method() != http::verb::head);
}

std::string AnswerTooLongHead() {
  return Render({.status = 431,
                 .reason = "Request Header Fields Too Large",
                 .body = absl::StrCat("at most ", kMaxScrapeHeadBytes, " bytes\n")},
                true);
}

}  // namespace bellwire::metrics
