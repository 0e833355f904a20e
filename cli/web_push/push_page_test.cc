#include "cli/web_push/push_page.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "boost/beast/http/field.hpp"
#include "boost/beast/http/status.hpp"
#include "boost/beast/http/verb.hpp"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

namespace http = boost::beast::http;

class PushPageTest : public testing::Test {
 protected:
  PushPage::Request Request(http::verb verb, const std::string& target,
                            const std::string& body = "") {
    PushPage::Request request(verb, target, 11);
    request.set(http::field::host, "localhost:8080");
    if (verb == http::verb::post) request.set(http::field::origin, "http://localhost:8080");
    request.body() = body;
    return request;
  }
  PushPage::Response Get(const std::string& target) {
    return page_.Answer(Request(http::verb::get, target));
  }

  std::vector<std::string> said_;
  absl::Status taken_;
  PushPage page_{
      "localhost:8080",
      "PUBLIC_KEY",
      {.on_opened = [this] { said_.push_back("opened"); },
       .on_subscription =
           [this](const std::string& json) {
             said_.push_back("subscription " + json);
             return taken_;
           },
       .on_shown = [this](const std::string& text) { said_.push_back("shown " + text); },
       .on_failed = [this](const std::string& why) { said_.push_back("failed " + why); }}};
};

TEST_F(PushPageTest, IsAPageAndAWorker) {
  const auto page = Get("/");
  EXPECT_EQ(page.result(), http::status::ok);
  EXPECT_TRUE(absl::StrContains(page.body(), "applicationServerKey: 'PUBLIC_KEY'")) << page.body();
  EXPECT_EQ(page[http::field::content_type], "text/html; charset=utf-8");
  EXPECT_EQ(Get("/worker.js")[http::field::content_type], "text/javascript; charset=utf-8");
  EXPECT_EQ(Get("/favicon.ico").result(), http::status::not_found);
  EXPECT_EQ(page_.Answer(Request(http::verb::put, "/")).result(), http::status::method_not_allowed);
  EXPECT_EQ(said_, std::vector<std::string>{"opened"});
}

TEST_F(PushPageTest, TellsWhatThePageSays) {
  const auto post = [this](const std::string& target, const std::string& body) {
    return page_.Answer(Request(http::verb::post, target, body)).result();
  };
  EXPECT_EQ(post("/subscription", "{}"), http::status::no_content);
  EXPECT_EQ(post("/shown", "hello"), http::status::no_content);
  EXPECT_EQ(post("/failed", "AbortError"), http::status::no_content);
  EXPECT_EQ(post("/other", ""), http::status::not_found);
  EXPECT_EQ(said_,
            (std::vector<std::string>{"subscription {}", "shown hello", "failed AbortError"}));
  taken_ = absl::UnavailableError("no such server");
  const auto refused = page_.Answer(Request(http::verb::post, "/subscription", "{}"));
  EXPECT_EQ(refused.result(), http::status::bad_gateway);
  EXPECT_EQ(refused.body(), "no such server\n");
}

TEST_F(PushPageTest, TakesNothingOfOtherPages) {
  auto rebound = Request(http::verb::get, "/");
  rebound.set(http::field::host, "evil.example:8080");
  EXPECT_EQ(page_.Answer(rebound).result(), http::status::misdirected_request);
  auto twice = Request(http::verb::get, "/");
  twice.insert(http::field::host, "localhost:8080");
  EXPECT_EQ(page_.Answer(twice).result(), http::status::misdirected_request);
  auto foreign = Request(http::verb::post, "/subscription", "{}");
  foreign.set(http::field::origin, "https://evil.example");
  EXPECT_EQ(page_.Answer(foreign).result(), http::status::forbidden);
  foreign.erase(http::field::origin);
  EXPECT_EQ(page_.Answer(foreign).result(), http::status::forbidden);
  EXPECT_TRUE(said_.empty());
}

}  // namespace
}  // namespace bellwire::cli
