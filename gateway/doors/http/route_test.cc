#include "gateway/doors/http/route.h"

#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

constexpr Route kRoutes[] = {
    {"GET", "/"},
    {"POST", "/v1/messages:batch"},
    {"GET", "/v1/messages/{token}/{id}"},
    {"POST", "/projects/{project}/messages:send"},
    {"DELETE", "/wpush/{token}"},
};

// The index of the route; -1: none.
int Find(const std::string& method, const std::string& path) {
  RequestHead head;
  head.method = method;
  head.path = path;
  const Route* const route = FindRoute(kRoutes, head);
  return route == nullptr ? -1 : static_cast<int>(route - std::begin(kRoutes));
}

TEST(RouteTest, FitsWholePathsOnly) {
  EXPECT_EQ(Find("GET", "/"), 0);
  EXPECT_EQ(Find("GET", "/?x=/v1"), 0);
  EXPECT_EQ(Find("GET", ""), -1);
  EXPECT_EQ(Find("GET", "//"), -1);
  EXPECT_EQ(Find("POST", "/v1/messages:batch"), 1);
  EXPECT_EQ(Find("POST", "/v1/messages:batch/"), -1);
  EXPECT_EQ(Find("POST", "/v1/messages"), -1);
}

TEST(RouteTest, FitsTheMethod) {
  EXPECT_EQ(Find("HEAD", "/"), 0);
  EXPECT_EQ(Find("POST", "/"), -1);
  EXPECT_EQ(Find("get", "/"), -1);
  EXPECT_EQ(Find("HEAD", "/v1/messages:batch"), -1);
}

TEST(RouteTest, APlaceholderIsOneSegmentAndAtTheEndWhatIsLeft) {
  EXPECT_EQ(Find("GET", "/v1/messages/a/b"), 2);
  EXPECT_EQ(Find("GET", "/v1/messages//b"), 2);
  EXPECT_EQ(Find("GET", "/v1/messages/a/"), 2);
  EXPECT_EQ(Find("GET", "/v1/messages/a"), -1);
  EXPECT_EQ(Find("GET", "/v1/messages/a/b/c"), 2);
  EXPECT_EQ(Find("POST", "/projects/p/messages:send"), 3);
  EXPECT_EQ(Find("POST", "/projects/p/q/messages:send"), -1);
  EXPECT_EQ(Find("DELETE", "/wpush/m/name"), 4);
  EXPECT_EQ(Find("DELETE", "/wpush"), -1);
}

TEST(RouteTest, LiteralSegmentsMayBeEncoded) {
  EXPECT_EQ(Find("POST", "/projects/p/messages%3Asend"), 3);
  EXPECT_EQ(Find("POST", "/projects/p/messages%3send"), -1);
  EXPECT_EQ(Find("POST", "/projects/p/messages%3asen"), -1);
  EXPECT_EQ(Find("GET", "/v1%2Fmessages/a/b"), -1);
}

}  // namespace
}  // namespace bellwire::http
