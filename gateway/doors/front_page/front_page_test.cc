#include "gateway/doors/front_page/front_page.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/doors/http/testing/h1_harness.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

class FrontPageTest : public ::testing::Test {
 protected:
  std::string Ask(absl::string_view line) {
    return harness_.Ask(absl::StrCat(line, " HTTP/1.1\r\nHost: a\r\n\r\n"));
  }

  FrontPage page_{{{"webpush", "/wpush/"}, {"json", "/v1/messages"}}};
  http::H1Harness harness_{std::vector<http::Door*>{&page_}};
};

TEST_F(FrontPageTest, SaysWhatThisIsAndWhichDoorsAreOpen) {
  const std::string answer = Ask("GET /?from=a");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "\"service\": \"bellwire\"")) << answer;
  EXPECT_LT(answer.find("\"path\": \"/wpush/\""), answer.find("\"name\": \"json\"")) << answer;
  EXPECT_FALSE(absl::StrContains(Ask("HEAD /"), "bellwire"));
}

TEST_F(FrontPageTest, IsReadyUntilItDrains) {
  EXPECT_TRUE(absl::StartsWith(Ask("GET /readyz"), "HTTP/1.1 200 "));
  page_.SetDraining();
  EXPECT_TRUE(absl::StartsWith(Ask("GET /readyz"), "HTTP/1.1 503 "));
  EXPECT_TRUE(absl::StartsWith(Ask("GET /healthz"), "HTTP/1.1 200 "));
}

TEST_F(FrontPageTest, IsNotReadyWhileTheStoreFails) {
  page_.SetStoreOk(false);
  const std::string failing = Ask("GET /readyz");
  EXPECT_TRUE(absl::StartsWith(failing, "HTTP/1.1 503 ")) << failing;
  EXPECT_TRUE(absl::StrContains(failing, "store")) << failing;
  EXPECT_TRUE(absl::StartsWith(Ask("GET /healthz"), "HTTP/1.1 200 "));
  page_.SetStoreOk(true);
  EXPECT_TRUE(absl::StartsWith(Ask("GET /readyz"), "HTTP/1.1 200 "));
}

TEST_F(FrontPageTest, SaysWhatIsWrongInJson) {
  const std::string unknown = Ask("GET /nothing");
  EXPECT_TRUE(absl::StartsWith(unknown, "HTTP/1.1 404 ")) << unknown;
  EXPECT_TRUE(absl::StrContains(unknown, "content-type: application/json\r\n")) << unknown;
  EXPECT_TRUE(absl::StrContains(unknown, "\"reason\": \"NO_SUCH_PATH\"")) << unknown;
  const std::string method = Ask("POST /healthz");
  EXPECT_TRUE(absl::StartsWith(method, "HTTP/1.1 405 ")) << method;
  EXPECT_TRUE(absl::StrContains(method, "allow: GET, HEAD\r\n")) << method;
}

}  // namespace
}  // namespace bellwire::gateway
