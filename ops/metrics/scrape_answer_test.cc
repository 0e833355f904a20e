#include "ops/metrics/scrape_answer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::metrics {
namespace {

class ScrapeAnswerTest : public testing::Test {
 protected:
  std::string Ask(absl::string_view request_line) {
    return AnswerScrape(absl::StrCat(request_line, "\r\nHost: a\r\n\r\n"),
                        {.metrics = [] { return "bellwire_build_info 1\n"; },
                         .readiness = [this] { return ready_; }});
  }

  absl::Status ready_;
};

TEST_F(ScrapeAnswerTest, MetricsAreInTheFormatOfPrometheus) {
  const std::string answer = Ask("GET /metrics HTTP/1.1");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "Content-Type: text/plain; version=0.0.4;")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "Content-Length: 22\r\n")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nbellwire_build_info 1\n")) << answer;
}

TEST_F(ScrapeAnswerTest, HeadHasNoBodyAndAQueryIsNoMatter) {
  const std::string answer = Ask("HEAD /metrics?x=1 HTTP/1.1");
  EXPECT_TRUE(absl::StrContains(answer, "Content-Length: 22\r\n")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n")) << answer;
}

TEST_F(ScrapeAnswerTest, ReadyzSaysWhatIsWrongAndHealthzDoesNot) {
  EXPECT_TRUE(absl::StartsWith(Ask("GET /readyz HTTP/1.1"), "HTTP/1.1 200 "));
  ready_ = absl::UnavailableError("draining");
  const std::string answer = Ask("GET /readyz HTTP/1.1");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\ndraining\n")) << answer;
  EXPECT_TRUE(absl::StartsWith(Ask("GET /healthz HTTP/1.1"), "HTTP/1.1 200 "));
}

TEST_F(ScrapeAnswerTest, RefusesTheRest) {
  EXPECT_TRUE(absl::StartsWith(Ask("GET / HTTP/1.1"), "HTTP/1.1 404 "));
  EXPECT_TRUE(absl::StartsWith(Ask("GET /metrics/ HTTP/1.1"), "HTTP/1.1 404 "));
  const std::string post = Ask("POST /metrics HTTP/1.1");
  EXPECT_TRUE(absl::StartsWith(post, "HTTP/1.1 405 ")) << post;
  EXPECT_TRUE(absl::StrContains(post, "Allow: GET, HEAD\r\n")) << post;
  EXPECT_TRUE(absl::StartsWith(Ask("nonsense"), "HTTP/1.1 400 "));
  EXPECT_TRUE(absl::StartsWith(Ask("GET /metrics HTTP/2.0"), "HTTP/1.1 400 "));
  EXPECT_TRUE(absl::StartsWith(AnswerTooLongHead(), "HTTP/1.1 431 "));
}

TEST(IsWholeHeadTest, EndsWithAnEmptyLine) {
  EXPECT_FALSE(IsWholeHead(""));
  EXPECT_FALSE(IsWholeHead("GET / HTTP/1.1\r\nHost: a\r\n"));
  EXPECT_TRUE(IsWholeHead("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

}  // namespace
}  // namespace bellwire::metrics
