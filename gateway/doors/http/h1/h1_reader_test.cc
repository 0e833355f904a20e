#include "gateway/doors/http/h1/h1_reader.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

using Event = H1Reader::Event;

struct Read {
  std::vector<RequestHead> heads;
  std::vector<std::string> bodies;
  int ended = 0;
  // 0: it didn't fail.
  int error = 0;
  std::string why;
};

// Everything that comes of `bytes`, given in pieces of so many.
Read ReadAll(absl::string_view bytes, size_t piece = SIZE_MAX) {
  H1Reader reader("https");
  Read read;
  while (true) {
    switch (reader.Next()) {
      case Event::kMore:
        if (bytes.empty()) return read;
        reader.Feed(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
        break;
      case Event::kHead:
        read.heads.push_back(reader.take_head());
        read.bodies.emplace_back();
        break;
      case Event::kBody:
        read.bodies.back().append(reader.body().data(), reader.body().size());
        break;
      case Event::kEnd:
        ++read.ended;
        break;
      case Event::kError:
        read.error = reader.error_status();
        read.why = std::string(reader.error());
        return read;
    }
  }
}

TEST(H1Reader, ReadsRequestsOneAfterAnotherInAnyPieces) {
  const std::string bytes =
      "POST /a?b=c HTTP/1.1\r\nHost: push.example.com:8443\r\nX-One:  1 \r\nx-one: 2\r\n"
      "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
      "PUT /c HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;a=b\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n"
      "POST /d HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
      "POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (size_t piece = 1; piece < 80; ++piece) {
    const Read read = ReadAll(bytes, piece);
    ASSERT_EQ(read.error, 0) << read.why << " " << piece;
    ASSERT_EQ(read.heads.size(), 5u) << piece;
    EXPECT_EQ(read.ended, 5);
    EXPECT_EQ(read.heads[0].method, "POST");
    EXPECT_EQ(read.heads[0].path, "/a?b=c");
    EXPECT_EQ(read.heads[0].scheme, "https");
    EXPECT_EQ(read.heads[0].authority, "push.example.com:8443");
    ASSERT_EQ(read.heads[0].headers.size(), 3u);
    EXPECT_EQ(read.heads[0].headers[0].name, "x-one");
    EXPECT_EQ(read.heads[0].headers[0].value, "1");
    EXPECT_EQ(read.heads[0].headers[1].value, "2");
    EXPECT_EQ(read.heads[0].content_length, 5u);
    EXPECT_EQ(read.bodies[0], "hello");
    EXPECT_EQ(read.heads[1].method, "GET");
    EXPECT_EQ(read.bodies[2], "hello 0123456789");
    EXPECT_EQ(read.heads[2].content_length, std::nullopt);
    EXPECT_TRUE(read.heads[2].headers.empty());
    EXPECT_EQ(read.heads[3].content_length, 0u);
    EXPECT_EQ(read.bodies[4], "");
  }
}

TEST(H1Reader, KnowsWhatIsSaidOfTheConnection) {
  const auto head_of = [](H1Reader* reader, absl::string_view bytes) {
    reader->Feed(bytes);
    EXPECT_EQ(reader->Next(), Event::kHead);
  };
  H1Reader reader("http");
  head_of(&reader, "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_TRUE(reader.keep_alive());
  EXPECT_TRUE(reader.expects_continue());
  EXPECT_EQ(reader.take_head().scheme, "http");
  EXPECT_EQ(reader.Next(), Event::kEnd);
  head_of(&reader, "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n");
  EXPECT_FALSE(reader.keep_alive());
  EXPECT_FALSE(reader.expects_continue());
  EXPECT_EQ(reader.Next(), Event::kEnd);
  head_of(&reader, "GET / HTTP/1.0\r\n\r\n");
  EXPECT_FALSE(reader.keep_alive());
  EXPECT_TRUE(reader.is_http_1_0());
  EXPECT_EQ(reader.Next(), Event::kEnd);
  head_of(&reader, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(reader.keep_alive());
}

TEST(H1Reader, TakesATargetInAbsoluteForm) {
  const Read read = ReadAll(
      "GET HTTP://other.example:80/a?b HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET https://other.example HTTP/1.1\r\nHost: a\r\n\r\n"
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(read.heads.size(), 3u) << read.why;
  EXPECT_EQ(read.heads[0].authority, "other.example:80");
  EXPECT_EQ(read.heads[0].path, "/a?b");
  EXPECT_EQ(read.heads[0].scheme, "http");
  EXPECT_EQ(read.heads[1].path, "/");
  EXPECT_EQ(read.heads[2].path, "*");
}

// What another parser may read differently (request smuggling), and what is no HTTP.
TEST(H1Reader, RefusesWhatCouldBeReadInTwoWays) {
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::string> bad = {
      post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
      post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
      post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      post + "Content-Length: 5, 5\r\n\r\nhello",
      post + "Content-Length: +5\r\n\r\nhello",
      post + "Content-Length: -1\r\n\r\n",
      post + "Content-Length: 0x5\r\n\r\nhello",
      post + "Content-Length: 5 5\r\n\r\nhello",
      post + "Content-Length:\r\n\r\n",
      post + "Content-Length: 18446744073709551616\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: identity\r\n\r\n",
      post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding:\r\n\r\n",
      post + "Transfer-Encoding\r\n : chunked\r\n\r\n",
      post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "X: a\r\n b\r\n\r\n",
      post + "X: a\r\n\tContent-Length: 5\r\n\r\nhello",
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\nContent-Length: 5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
      std::string("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 35),
      "GET / HTTP/1.1\r\nHost: a\r\nX\x7f: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
      "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
      "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
      "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
      "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      chunked + "5 \r\nhello\r\n0\r\n\r\n",
      chunked + " 5\r\nhello\r\n0\r\n\r\n",
      chunked + "+5\r\nhello\r\n0\r\n\r\n",
      chunked + "0x5\r\nhello\r\n0\r\n\r\n",
      chunked + "-5\r\nhello\r\n0\r\n\r\n",
      chunked + "\r\nhello\r\n0\r\n\r\n",
      chunked + "10000000000000000\r\nhello\r\n0\r\n\r\n",
      chunked + "5\nhello\r\n0\r\n\r\n",
      chunked + "5\rhello\r\n0\r\n\r\n",
      chunked + "5;a\nb\r\nhello\r\n0\r\n\r\n",
      chunked + "5\r\nhelloX\r\n0\r\n\r\n",
      chunked + "5\r\nhello\n0\r\n\r\n",
      chunked + "5\r\nhello0\r\n\r\n",
      chunked + "0\r\nX: a\nY: b\r\n\r\n",
      chunked + "0\r\nContent-Length: 5\r\n\r\n",
      chunked + "0\r\nX Y: a\r\n\r\n",
  };
  for (const std::string& bytes : bad) {
    for (const size_t piece : {SIZE_MAX, size_t{1}}) {
      const Read read = ReadAll(bytes, piece);
      EXPECT_EQ(read.error, 400) << bytes << "\n" << piece;
    }
  }
  EXPECT_EQ(ReadAll("GET / HTTP/2.0\r\nHost: a\r\n\r\n").error, 505);
  EXPECT_EQ(ReadAll("GET / HTTP/1.2\r\nHost: a\r\n\r\n").error, 505);
  EXPECT_EQ(ReadAll("GET /\r\n\r\n").error, 400);
  EXPECT_EQ(ReadAll(post + "Expect: more\r\n\r\n").error, 417);
}

TEST(H1Reader, HeadsAreBounded) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\n";
  // Doors answer these by themselves.
  const Read truncated =
      ReadAll(begin + "X: " + std::string(kMaxHttpHeadBytes, 'x') + "\r\n\r\n", 1000);
  ASSERT_EQ(truncated.heads.size(), 1u);
  EXPECT_TRUE(truncated.heads[0].truncated);
  // And nobody these: whether they end or not.
  const std::string hopeless = begin + "X: " + std::string(kMaxHttpHopelessHeadBytes, 'x');
  EXPECT_EQ(ReadAll(hopeless, 1000).error, 431);
  EXPECT_EQ(ReadAll(hopeless + "\r\n\r\n").error, 431);
  EXPECT_EQ(ReadAll("GET /" + std::string(kMaxHttpHopelessHeadBytes, 'x'), 1000).error, 431);
  std::string many = begin;
  while (many.size() < kMaxHttpHopelessHeadBytes) many += "a:\r\n";
  EXPECT_EQ(ReadAll(many + "\r\n").error, 431);
}

TEST(H1Reader, LinesOfChunksAndTrailersAreBounded) {
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& begin :
       {std::string("5;a="), std::string("0\r\nX: "), std::string("0")}) {
    const Read read = ReadAll(chunked + begin + std::string(2 * kMaxH1ChunkLineBytes, '0'), 1000);
    EXPECT_EQ(read.error, 400) << begin;
  }
}

}  // namespace
}  // namespace bellwire::http
