#include "gateway/doors/http/request_head.h"

#include <string>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

// The four pseudo fields.
void Begin(RequestHeadReader* reader) {
  reader->Add(":method", "GET");
  reader->Add(":scheme", "https");
  reader->Add(":authority", "localhost");
  reader->Add(":path", "/");
}

bool Takes(absl::string_view name, absl::string_view value) {
  RequestHeadReader reader;
  Begin(&reader);
  EXPECT_TRUE(reader.Add(name, value));
  return reader.Finish();
}

TEST(RequestHeadTest, KeepsWhatItIsGivenInOrder) {
  RequestHeadReader reader;
  Begin(&reader);
  reader.Add("cookie", "a=1");
  reader.Add("content-length", "42");
  reader.Add("cookie", "b=2");
  ASSERT_TRUE(reader.Finish());
  const RequestHead head = reader.Take();
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.content_length, 42u);
  ASSERT_EQ(head.headers.size(), 3u);
  EXPECT_EQ(head.headers[2].value, "b=2");
  EXPECT_EQ(*FindHeader(head.headers, "cookie"), "a=1");
  EXPECT_EQ(FindHeader(head.headers, "x"), nullptr);
  EXPECT_FALSE(head.truncated);
}

TEST(RequestHeadTest, RefusesWhatTheNextParserMightReadOtherwise) {
  EXPECT_TRUE(Takes("x-ok", "any \t text, \xc3\xa4 included"));
  EXPECT_TRUE(Takes("te", "trailers"));
  for (const char* name : {"", "X-Upper", "a b", "a:b", "a\r", "\xc3\xa4"}) {
    EXPECT_FALSE(Takes(name, "1")) << name;
  }
  for (const char* value : {" lead", "trail ", "tail\t", "a\nb", "a\rb", "\x7f", "\x01"}) {
    EXPECT_FALSE(Takes("x", value)) << value;
  }
  EXPECT_FALSE(Takes("x", absl::string_view("\0", 1)));
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    EXPECT_FALSE(Takes(name, "x")) << name;
  }
  EXPECT_FALSE(Takes("te", "trailers, gzip"));
  for (const char* length : {"", "-1", "+1", "0x1", "1 ", "99999999999999999999"}) {
    EXPECT_FALSE(Takes("content-length", length)) << length;
  }
}

TEST(RequestHeadTest, PseudoFieldsComeFirstAndOnce) {
  EXPECT_FALSE(Takes(":path", "/again"));
  EXPECT_FALSE(Takes(":status", "200"));
  EXPECT_FALSE(Takes(":protocol", "websocket"));
  RequestHeadReader late;
  late.Add(":method", "GET");
  late.Add("x", "1");
  late.Add(":path", "/");
  late.Add(":scheme", "https");
  EXPECT_FALSE(late.Finish());
  RequestHeadReader connect;
  connect.Add(":method", "CONNECT");
  connect.Add(":authority", "example.com:443");
  EXPECT_FALSE(connect.Finish()) << "this is no proxy";
  for (const char* path : {"", "x", "/a b", "/a\n"}) {
    RequestHeadReader reader;
    reader.Add(":method", "GET");
    reader.Add(":scheme", "https");
    reader.Add(":path", path);
    EXPECT_FALSE(reader.Finish()) << path;
  }
}

TEST(RequestHeadTest, TrailersHaveNoPseudoFields) {
  RequestHeadReader good(/*trailers=*/true);
  good.Add("x", "1");
  EXPECT_TRUE(good.Finish());
  RequestHeadReader bad(/*trailers=*/true);
  bad.Add(":path", "/");
  EXPECT_FALSE(bad.Finish());
  RequestHeadReader length(/*trailers=*/true);
  length.Add("content-length", "1");
  EXPECT_FALSE(length.Finish());
}

TEST(RequestHeadTest, ALongHeadIsCutAndAHopelessOneGivenUp) {
  RequestHeadReader reader;
  Begin(&reader);
  const std::string value(1000, 'v');
  size_t fields = 0;
  while (reader.Add("x", value)) ++fields;
  EXPECT_NEAR(static_cast<double>(fields), kMaxHttpHopelessHeadBytes / 1033., 2);
  ASSERT_TRUE(reader.Finish());
  EXPECT_LE(reader.bytes(), kMaxHttpHeadBytes);
  const RequestHead head = reader.Take();
  EXPECT_TRUE(head.truncated);
  EXPECT_EQ(head.path, "/");
  EXPECT_LE(head.headers.size(), kMaxHttpHeadBytes / 1000);
}

}  // namespace
}  // namespace bellwire::http
