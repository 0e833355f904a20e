// The core of HTTP/2 against an honest client and against hostile bytes, without a socket and
// without waiting. Each bound of common/limits.h that it names is reached here.

#include "gateway/doors/http/h2/h2_connection.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/doors/http/testing/h2_test_client.h"
#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

// Keeps its exchanges, for the test to answer.
class TestDoor final : public Door {
 public:
  struct Seen {
    Exchange* exchange = nullptr;  // Null once it is closed.
    RequestHead head;
    std::string body;
    bool body_ended = false;
    int drained = 0;
    std::vector<ExchangeHandler::Timeout> timeouts;
    // Takes body bytes off flow control at once.
    bool consumes = true;
  };

  bool Matches(const RequestHead& head) const override { return head.path != "/elsewhere"; }
  std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) override {
    seen.push_back(std::make_unique<Seen>());
    seen.back()->exchange = exchange;
    seen.back()->head = exchange->head();
    seen.back()->consumes = consumes;
    if (answer_at_once) {
      exchange->RespondOnly(204, {});
      return nullptr;
    }
    return std::make_unique<Handler>(seen.back().get());
  }

  Seen& last() { return *seen.back(); }

  std::vector<std::unique_ptr<Seen>> seen;
  bool GoAwayFailsRequests() const override { return goaway_hurts; }

  bool consumes = true;
  bool answer_at_once = false;
  bool goaway_hurts = false;

 private:
  class Handler final : public ExchangeHandler {
   public:
    explicit Handler(Seen* seen) : seen_(seen) {}
    void OnBody(absl::string_view data) override {
      seen_->body.append(data.data(), data.size());
      if (seen_->consumes) seen_->exchange->Consume(data.size());
    }
    void OnBodyEnd() override { seen_->body_ended = true; }
    void OnDrained() override { ++seen_->drained; }
    void OnTimeout(Timeout why) override {
      seen_->timeouts.push_back(why);
      if (why == Timeout::kShutdown) seen_->exchange->RespondOnly(503, {});
    }
    void OnClosed() override { seen_->exchange = nullptr; }

   private:
    Seen* const seen_;
  };
};

class H2ConnectionTest : public ::testing::Test {
 protected:
  // After the first exchange of SETTINGS.
  H2Harness& h() {
    if (harness_ == nullptr) Make({});
    return *harness_;
  }
  void Make(H2TestClient::Options options, size_t max_memory = kMaxHttpMemoryBytes) {
    harness_ = std::make_unique<H2Harness>(std::vector<Door*>{&door_}, max_memory, options);
    harness_->Run();
  }

  // The connection told the peer so, and is done.
  void ExpectCalmed(const char* reason) {
    const std::string output = h().TakeOutput();
    h().client.Input(output);
    EXPECT_EQ(h().client.goaway().value_or(0), uint32_t{NGHTTP2_ENHANCE_YOUR_CALM}) << reason;
    EXPECT_STREQ(h().connection->end_reason(), reason);
    EXPECT_TRUE(h().connection->done());
  }

  TestDoor door_;
  std::unique_ptr<H2Harness> harness_;
};

TEST_F(H2ConnectionTest, ServesARequestWithBodyAndTrailers) {
  const int32_t id =
      h().client.Request(PostFields("/a?b=c", {{"x-one", "1"}, {"x-one", "2"}}), "hello");
  h().Run();
  ASSERT_EQ(door_.seen.size(), 1u);
  EXPECT_EQ(door_.last().head.method, "POST");
  EXPECT_EQ(door_.last().head.path, "/a?b=c");
  EXPECT_EQ(door_.last().head.authority, "localhost");
  ASSERT_EQ(door_.last().head.headers.size(), 2u);
  EXPECT_EQ(door_.last().head.headers[1].value, "2");
  EXPECT_EQ(door_.last().body, "hello");
  EXPECT_TRUE(door_.last().body_ended);

  door_.last().exchange->Respond(200, {{"content-type", "text/plain"}});
  door_.last().exchange->Write("wor");
  h().Run();
  EXPECT_EQ(h().client.response(id).body, "wor") << "what is written leaves before the end";
  door_.last().exchange->Write("ld");
  door_.last().exchange->End({{"x-trailer", "t"}});
  h().Run();
  const auto& response = h().client.response(id);
  EXPECT_EQ(response.Get(":status"), "200");
  EXPECT_EQ(response.body, "world");
  ASSERT_EQ(response.trailers.size(), 1u);
  EXPECT_EQ(response.trailers[0].second, "t");
  EXPECT_TRUE(response.closed);
  EXPECT_EQ(response.error, 0u);
  EXPECT_EQ(door_.last().exchange, nullptr) << "OnClosed";
  EXPECT_EQ(h().memory(), 0u) << "nothing is charged any more";
}

TEST_F(H2ConnectionTest, AnAnswerBeforeTheRequestsEndStopsTheRequest) {
  const int32_t id = h().client.Request(PostFields("/"), "some", /*open=*/true);
  h().Run();
  door_.last().exchange->RespondOnly(401, {});
  h().Run();
  EXPECT_EQ(h().client.response(id).Get(":status"), "401");
  // Not at once: the client would lose what it was answered while it sends.
  EXPECT_FALSE(h().client.response(id).closed);
  h().client.AppendBody(id, std::string(1000, 'x'));
  h().Run();
  EXPECT_EQ(door_.last().body, "some");
  h().Advance(kH2DiscardTime);
  EXPECT_TRUE(h().client.response(id).closed);
  EXPECT_EQ(h().client.response(id).error, 0u);
  EXPECT_EQ(h().memory(), 0u);
}

TEST_F(H2ConnectionTest, AfterTheAnswerARequestMayEndInPeace) {
  const int32_t id = h().client.Request(PostFields("/"), "some", /*open=*/true);
  h().Run();
  door_.last().exchange->Respond(413, {});
  door_.last().exchange->Write("too long");
  door_.last().exchange->End();
  h().client.AppendBody(id, std::string(100'000, 'x'));
  h().client.EndBody(id);
  h().Run();
  EXPECT_EQ(h().client.response(id).Get(":status"), "413");
  EXPECT_EQ(h().client.response(id).body, "too long");
  EXPECT_TRUE(h().client.response(id).closed);
  EXPECT_EQ(h().client.response(id).error, 0u);
}

// What a client sends although it has its answer: no more than a window of each stream, and others
// on its connection are served meanwhile.
TEST_F(H2ConnectionTest, ARestThatIsDroppedIsBounded) {
  door_.answer_at_once = true;
  const std::string endless(8 * kHttpStreamWindowBytes, 'x');
  std::vector<int32_t> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(h().client.Request(PostFields("/"), endless, true));
  h().Run();
  for (const int32_t id : ids) EXPECT_EQ(h().client.response(id).Get(":status"), "204");
  const int32_t other = h().client.Request(GetFields("/"));
  h().Run();
  EXPECT_TRUE(h().client.response(other).closed);
  EXPECT_EQ(h().connection->exchanges(), ids.size());
  h().Advance(kH2DiscardTime);
  EXPECT_EQ(h().connection->exchanges(), 0u);
  EXPECT_EQ(h().memory(), 0u);
  EXPECT_STREQ(h().connection->end_reason(), "");
}

TEST_F(H2ConnectionTest, NobodyIsListenedToAfterTheEnd) {
  const int32_t answered = h().client.Request(PostFields("/"), "some", /*open=*/true);
  const int32_t waiting = h().client.Request(PostFields("/"), "some", /*open=*/true);
  h().Run();
  door_.seen[0]->exchange->RespondOnly(413, {});
  h().Run();
  h().connection->Drain();
  h().Run();
  EXPECT_FALSE(h().connection->done());
  h().connection->EndExchanges();
  h().Run();
  EXPECT_EQ(h().client.response(answered).Get(":status"), "413");
  EXPECT_EQ(h().client.response(waiting).Get(":status"), "503");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H2ConnectionTest, AnAnswerBeforeABodyThatIsHereAlreadyReachesItsClient) {
  door_.answer_at_once = true;
  for (const size_t size : {5u, 60'000u}) {
    const int32_t id = h().client.Request(PostFields("/", {{"content-length", absl::StrCat(size)}}),
                                          std::string(size, 'x'));
    // All of it in one read.
    h().Send(h().client.Output());
    h().Run();
    EXPECT_EQ(h().client.response(id).Get(":status"), "204") << size;
    EXPECT_TRUE(h().client.response(id).closed) << size;
    EXPECT_EQ(h().client.response(id).error, 0u) << size;
  }
}

TEST_F(H2ConnectionTest, WhatNoDoorWantsIsNotFound) {
  const int32_t id = h().client.Request(GetFields("/elsewhere"));
  h().Run();
  EXPECT_EQ(h().client.response(id).Get(":status"), "404");
  EXPECT_TRUE(door_.seen.empty());
}

TEST_F(H2ConnectionTest, TheSchemeOfRealClientsIsTaken) {
  Fields fields = GetFields("/");
  fields[1].second = "https:";
  h().client.Request(fields);
  h().Run();
  ASSERT_EQ(door_.seen.size(), 1u);
  EXPECT_EQ(door_.last().head.scheme, "https:");
}

TEST_F(H2ConnectionTest, MalformedRequestsAreResetAndReachNoDoor) {
  Fields no_path = GetFields("/");
  no_path.pop_back();
  const std::vector<Fields> bad = {
      no_path,
      GetFields("/", {{":path", "/again"}}),
      GetFields("/", {{"x", "1"}, {":late", "1"}}),
      GetFields("/", {{"connection", "close"}}),
      GetFields("/", {{"transfer-encoding", "chunked"}}),
      GetFields("/", {{"te", "gzip"}}),
      GetFields("/", {{"x", "a\r\nb: c"}}),
      GetFields("/", {{"x", std::string("a\0b", 3)}}),
      GetFields("/", {{"content-length", "1"}, {"content-length", "1"}}),
      GetFields("/", {{"content-length", "-1"}}),
      GetFields("/", {{"content-length", "5"}}),
      GetFields("no slash"),
  };
  for (const Fields& fields : bad) {
    const int32_t id = h().client.Request(fields);
    h().Run();
    EXPECT_TRUE(h().client.response(id).closed);
    EXPECT_EQ(h().client.response(id).error, uint32_t{NGHTTP2_PROTOCOL_ERROR})
        << fields.back().first << ": " << fields.back().second;
  }
  // Client libraries don't let this through.
  h().Send(RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1001,
                    RawFields(GetFields("/", {{"Upper", "1"}}))));
  h().TakeOutput();
  EXPECT_EQ(h().connection->exchanges(), 0u);
  EXPECT_TRUE(door_.seen.empty());
}

TEST_F(H2ConnectionTest, MoreBodyThanAnnouncedIsMalformed) {
  // Too much body for its content-length, which is known only on the way.
  const int32_t id = h().client.Request(PostFields("/", {{"content-length", "3"}}), "four");
  h().Run();
  EXPECT_EQ(h().client.response(id).error, uint32_t{NGHTTP2_PROTOCOL_ERROR});
  for (const auto& seen : door_.seen) EXPECT_EQ(seen->exchange, nullptr);
}

TEST_F(H2ConnectionTest, AResetTellsTheDoor) {
  const int32_t id = h().client.Request(PostFields("/"), "x", /*open=*/true);
  h().Run();
  h().client.Reset(id);
  h().Run();
  EXPECT_EQ(door_.last().exchange, nullptr);
  EXPECT_EQ(h().connection->exchanges(), 0u);
}

TEST_F(H2ConnectionTest, AStreamThatIsNotReadHoldsItsClientUpAndNobodyElse) {
  door_.consumes = false;
  h().client.Request(PostFields("/"), std::string(2 * kHttpStreamWindowBytes, 'x'));
  h().Run();
  EXPECT_EQ(door_.last().body.size(), size_t{kHttpStreamWindowBytes});
  EXPECT_GE(h().memory(), size_t{kHttpStreamWindowBytes}) << "what is not taken is charged";
  TestDoor::Seen& slow = door_.last();
  const int32_t other = h().client.Request(PostFields("/"), "quick");
  h().Run();
  EXPECT_EQ(door_.last().body, "quick");
  door_.last().exchange->RespondOnly(200, {});
  h().Run();
  EXPECT_TRUE(h().client.response(other).closed);
  slow.consumes = true;
  slow.exchange->Consume(slow.body.size());
  h().Run();
  EXPECT_EQ(slow.body.size(), size_t{2 * kHttpStreamWindowBytes});
}

TEST_F(H2ConnectionTest, UnreadBodiesOfOneConnectionAreBoundedByItsWindow) {
  door_.consumes = false;
  for (int i = 0; i < 10; ++i) {
    h().client.Request(PostFields("/"), std::string(kHttpStreamWindowBytes, 'x'));
  }
  h().Run();
  size_t held = 0;
  for (const auto& seen : door_.seen) held += seen->body.size();
  EXPECT_EQ(held, size_t{kHttpConnectionWindowBytes});
}

TEST_F(H2ConnectionTest, AWriterHearsWhenThereIsRoomAgain) {
  Make({.initial_window = 1000});
  const int32_t id = h().client.Request(GetFields("/"));
  h().Run();
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write(std::string(kHttpStreamBufferBytes, 'x'));
  h().Run();
  EXPECT_EQ(door_.last().drained, 0);
  EXPECT_EQ(door_.last().exchange->buffered_bytes(), kHttpStreamBufferBytes - 1000);
  for (size_t sent = 1000; door_.last().drained == 0 && sent < kHttpStreamBufferBytes;
       sent += 1000) {
    h().client.Consume(id, 1000);
    h().Run();
  }
  EXPECT_EQ(door_.last().drained, 1);
  EXPECT_LT(door_.last().exchange->buffered_bytes(), kHttpStreamBufferBytes / 2);
}

// --- Server push. ---

TEST_F(H2ConnectionTest, APushIsAPromiseAndItsAnswer) {
  // The client does not say that it takes pushes: that is the default (RFC 9113, 6.5.2).
  Make({.enable_push = true});
  const int32_t id = h().client.Request(GetFields("/"));
  h().Run();
  ASSERT_TRUE(door_.last().exchange->CanPush());
  EXPECT_TRUE(door_.last().exchange->Push("/pushed", 204, {{"x", "y"}}));
  EXPECT_EQ(h().connection->pushes(), 1u);
  h().Run();
  ASSERT_EQ(h().client.promises().size(), 1u);
  const H2TestClient::Promise promise = h().client.promises()[0];
  EXPECT_EQ(promise.of_stream, id);
  EXPECT_EQ(promise.request, GetFields("/pushed"));
  EXPECT_EQ(h().client.response(promise.stream).headers, (Fields{{":status", "204"}, {"x", "y"}}));
  EXPECT_TRUE(h().client.response(promise.stream).closed);
  EXPECT_EQ(h().client.response(promise.stream).error, 0u);
  EXPECT_EQ(h().connection->pushes(), 0u);
  EXPECT_FALSE(h().client.response(id).closed) << "the request itself is still to be answered";
  // In the middle of the answer too, and not after it.
  door_.last().exchange->Respond(200, {});
  EXPECT_TRUE(door_.last().exchange->Push("/second", 410, {}));
  door_.last().exchange->End();
  EXPECT_FALSE(door_.last().exchange->Push("/third", 410, {}));
  h().Run();
  ASSERT_EQ(h().client.promises().size(), 2u);
  EXPECT_EQ(h().client.response(h().client.promises()[1].stream).Get(":status"), "410");
  EXPECT_TRUE(h().client.response(id).closed);
  EXPECT_FALSE(h().client.goaway().has_value());
  EXPECT_EQ(h().memory(), 0u);
}

TEST_F(H2ConnectionTest, WhoTakesNoPushGetsNone) {
  const std::vector<H2TestClient::Options> clients = {
      {.enable_push = false}, {.enable_push = true, .max_concurrent_streams = 0}};
  for (const H2TestClient::Options& client : clients) {
    Make(client);
    h().client.Request(GetFields("/"));
    h().Run();
    EXPECT_FALSE(door_.last().exchange->CanPush());
    EXPECT_FALSE(door_.last().exchange->Push("/pushed", 204, {}));
    h().Run();
    EXPECT_TRUE(h().client.promises().empty());
  }
}

TEST_F(H2ConnectionTest, PushesThatAreNotReadAreBounded) {
  for (const size_t streams : {size_t{3}, kMaxHttpPushes + 10}) {
    Make({.enable_push = true, .max_concurrent_streams = static_cast<uint32_t>(streams)});
    h().client.Request(GetFields("/"));
    h().Run();
    const size_t before = h().memory();
    const size_t most = std::min(streams, kMaxHttpPushes);
    for (size_t i = 0; i < most; ++i) EXPECT_TRUE(door_.last().exchange->Push("/p", 204, {}));
    EXPECT_FALSE(door_.last().exchange->Push("/p", 204, {}));
    EXPECT_EQ(h().memory(), before + most * kHttpRequestBytes);
    h().Run();
    EXPECT_EQ(h().client.promises().size(), most);
    EXPECT_EQ(h().memory(), before);
    EXPECT_TRUE(door_.last().exchange->Push("/p", 204, {})) << "those before are read";
    EXPECT_FALSE(door_.last().exchange->Push(std::string(kHttpRequestBytes, '/'), 204, {}));
  }
}

TEST_F(H2ConnectionTest, APushWithoutMemoryIsNotMade) {
  Make({.enable_push = true}, /*max_memory=*/1 << 20);
  h().client.Request(GetFields("/"));
  h().Run();
  ASSERT_EQ(door_.seen.size(), 1u);
  while (door_.last().exchange->Charge(kHttpRequestBytes / 2)) {
  }
  EXPECT_TRUE(door_.last().exchange->CanPush());
  EXPECT_FALSE(door_.last().exchange->Push("/p", 204, {}));
  EXPECT_EQ(h().connection->pushes(), 0u);
}

TEST_F(H2ConnectionTest, APushWhoseRequestIsResetIsGivenBack) {
  Make({.enable_push = true});
  const int32_t id = h().client.Request(GetFields("/"));
  h().Run();
  EXPECT_TRUE(door_.last().exchange->Push("/p", 204, {}));
  // Before the promise goes out.
  h().client.Reset(id);
  h().Run();
  EXPECT_EQ(door_.last().exchange, nullptr);
  EXPECT_EQ(h().connection->pushes(), 0u);
  EXPECT_EQ(h().memory(), 0u);
  // Nor does it stay when the connection goes.
  h().client.Request(GetFields("/"));
  h().Run();
  EXPECT_TRUE(door_.last().exchange->Push("/p", 204, {}));
  h().connection.reset();
  EXPECT_EQ(h().memory(), 0u);
}

// --- Bounds. ---

TEST_F(H2ConnectionTest, StreamsOfOneConnectionAreBounded) {
  for (uint32_t i = 0; i < kMaxHttpStreams + 10; ++i) h().client.Request(GetFields("/"));
  h().Run();
  // An honest client keeps the rest to itself.
  EXPECT_EQ(h().connection->exchanges(), size_t{kMaxHttpStreams});
  EXPECT_FALSE(h().connection->done());
  // One that doesn't is refused.
  std::string raw;
  for (uint32_t i = 0; i < 10; ++i) {
    raw += RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                    100'001 + 2 * i, RawFields(GetFields("/")));
  }
  h().Send(raw);
  EXPECT_EQ(h().connection->exchanges(), size_t{kMaxHttpStreams});
}

TEST_F(H2ConnectionTest, ABurstOfRequestsLeavesOthersTheirTurn) {
  const int turns = h().turns;
  for (int i = 0; i < 4 * kMaxHttpRequestsPerTurn; ++i) h().client.Request(GetFields("/"));
  h().Send(h().client.Output());
  EXPECT_GE(h().turns - turns, 4);
  EXPECT_EQ(door_.seen.size(), size_t{4 * kMaxHttpRequestsPerTurn}) << "and none is lost";
}

TEST_F(H2ConnectionTest, RapidResetEndsTheConnection) {
  std::string raw;
  uint32_t id = 1;
  const auto limit = static_cast<uint32_t>(kHttpResetBurst);
  for (uint32_t i = 0; i <= limit; ++i, id += 2) {
    raw += RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id,
                    RawFields(GetFields("/")));
    raw += RawFrame(NGHTTP2_RST_STREAM, 0, id, std::string("\0\0\0\x08", 4));
  }
  h().Send(raw);
  ExpectCalmed("resets");
  EXPECT_LE(door_.seen.size(), size_t{limit} + 1);
}

TEST_F(H2ConnectionTest, MakingUsResetEndsTheConnectionToo) {
  // Each stream is fine until its window is updated beyond what there is (CVE-2025-8671).
  uint32_t id = 1;
  for (uint32_t i = 0; i <= kHttpResetBurst && !h().connection->done(); ++i, id += 2) {
    h().Send(RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, RawFields(PostFields("/"))) +
             RawFrame(NGHTTP2_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff"));
    h().client.Input(h().TakeOutput());
  }
  EXPECT_STREQ(h().connection->end_reason(), "resets");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H2ConnectionTest, ResetsAtAnHonestRateGoOnForEver) {
  for (int i = 0; i < 5000; ++i) {
    const int32_t id = h().client.Request(GetFields("/"));
    h().Run();
    h().client.Reset(id);
    h().Run();
    h().Advance(absl::Seconds(1) / kHttpResetsPerSecond);
  }
  EXPECT_FALSE(h().connection->done());
}

TEST_F(H2ConnectionTest, CancellingAFractionOfManyCallsIsNoAbuse) {
  // All at one moment: the answers earn the resets.
  for (int i = 0; i < 20'000; ++i) {
    const int32_t id = h().client.Request(GetFields("/"));
    h().Run();
    if (i % 10 == 0) {
      h().client.Reset(id);
    } else {
      door_.last().exchange->RespondOnly(204, {});
    }
    h().Run();
  }
  EXPECT_FALSE(h().connection->done());
}

TEST_F(H2ConnectionTest, EndlessContinuationsEndTheConnection) {
  std::string raw =
      RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, RawFields(GetFields("/")));
  for (size_t i = 0; i <= kMaxHttpContinuations; ++i) {
    raw += RawFrame(NGHTTP2_CONTINUATION, 0, 1, RawFields({{"x", "y"}}));
  }
  h().Send(raw);
  ExpectCalmed("continuations");
  EXPECT_TRUE(door_.seen.empty());
}

TEST_F(H2ConnectionTest, ALongHeadIsAnsweredAndAHopelessOneIsNot) {
  const std::string field(1000, 'v');
  Fields fields = GetFields("/elsewhere");
  for (size_t bytes = 0; bytes <= kMaxHttpHeadBytes; bytes += field.size()) {
    fields.emplace_back("x", field);
  }
  const int32_t id = h().client.Request(fields);
  h().Run();
  EXPECT_EQ(h().client.response(id).Get(":status"), "431");
  EXPECT_FALSE(h().connection->done());

  const std::string piece = RawFields({{"x", std::string(15'000, 'v')}});
  std::string raw = RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1001, piece);
  for (size_t bytes = 0; bytes <= kMaxHttpHopelessHeadBytes; bytes += piece.size()) {
    raw += RawFrame(NGHTTP2_CONTINUATION, 0, 1001, piece);
  }
  h().Send(raw);
  ExpectCalmed("head_bytes");
}

TEST_F(H2ConnectionTest, AnHpackBombIsCutShort) {
  // One field that fills the dynamic table, then a byte for each repetition (RFC 7541, 6.1).
  std::string block = RawFields(GetFields("/"));
  const std::string big(3900, 'v');
  block += std::string("\x40\x01x", 3);
  block += std::string("\x7f\xbd\x1d", 3) + big;  // 3,900 = 127 + 0x3d + (0x1d << 7)
  block += std::string(8000, '\xbe');             // Index 62, the newest.
  h().Send(RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block));
  ExpectCalmed("head_bytes");
}

TEST_F(H2ConnectionTest, FramesThatCarryNothingAreBounded) {
  const std::vector<std::pair<const char*, std::string>> floods = {
      {"PING", RawFrame(NGHTTP2_PING, 0, 0, std::string(8, 'p'))},
      {"SETTINGS", RawFrame(NGHTTP2_SETTINGS, 0, 0, "")},
      {"WINDOW_UPDATE", RawFrame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\0\0\0\x01", 4))},
      {"PRIORITY", RawFrame(NGHTTP2_PRIORITY, 0, 1, std::string("\0\0\0\0\x10", 5))},
      {"empty DATA", RawFrame(NGHTTP2_DATA, 0, 1, "")},
  };
  for (const auto& [name, frame] : floods) {
    SCOPED_TRACE(name);
    Make({});
    h().client.Request(PostFields("/"), "x", /*open=*/true);
    h().Run();
    // Its answers are read, so that nothing piles up.
    for (int i = 0; i < 2 * kHttpControlFrameBurst && !h().connection->done(); ++i) {
      h().Send(frame);
      h().client.Input(h().TakeOutput());
    }
    EXPECT_STREQ(h().connection->end_reason(), "control_frames");
    EXPECT_TRUE(h().connection->done());
  }
}

TEST_F(H2ConnectionTest, AcksThatNobodyReadsAreBounded) {
  std::string raw;
  for (size_t i = 0; i <= kMaxHttpOutboundAcks; ++i) {
    raw += RawFrame(NGHTTP2_PING, 0, 0, std::string(8, 'p'));
  }
  h().Send(raw);
  EXPECT_STREQ(h().connection->end_reason(), "unread_acks");
}

TEST_F(H2ConnectionTest, PingsEveryTenSecondsAreWelcome) {
  for (int i = 0; i < 1000; ++i) {
    // Idle connections end in time, so there is a call now and then.
    if (i % 100 == 0) h().client.Request(GetFields("/elsewhere"));
    h().client.Ping();
    h().Run();
    h().Advance(absl::Seconds(10));
  }
  EXPECT_EQ(h().client.pings_answered(), 1000);
  EXPECT_FALSE(h().connection->done());
}

TEST_F(H2ConnectionTest, MemoryOfAPeerIsBounded) {
  constexpr size_t kMemory = 1024 * 1024;
  Make({}, kMemory);
  door_.consumes = false;
  for (int i = 0; i < 4; ++i) {
    h().client.Request(PostFields("/"), std::string(kHttpStreamWindowBytes, 'x'), /*open=*/true);
    h().Run();
  }
  EXPECT_LE(h().memory(), kMemory / 2) << "a peer alone may have half";
  ASSERT_FALSE(door_.seen.back()->timeouts.empty());
  EXPECT_EQ(door_.seen.back()->timeouts[0], ExchangeHandler::Timeout::kNoMemory);
  EXPECT_EQ(door_.seen.back()->exchange, nullptr) << "who doesn't answer is reset";
  EXPECT_NE(door_.seen.front()->exchange, nullptr);
}

TEST_F(H2ConnectionTest, RequestsThatNoMemoryIsLeftForAreRefused) {
  Make({}, 4 * MemoryAccount::kStep);
  std::vector<int32_t> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(h().client.Request(GetFields("/")));
  h().Run();
  EXPECT_LT(h().connection->exchanges(), 20u);
  EXPECT_EQ(h().client.response(ids.back()).error, uint32_t{NGHTTP2_REFUSED_STREAM})
      << "safe to try again";
}

// --- Time. ---

// Answers that nobody takes are of the same memory. Beyond it a short one is still written, and the
// stream of a longer one is reset.
TEST_F(H2ConnectionTest, AnswersThatNobodyTakesAreBoundedByTheMemoryOfTheirPeer) {
  constexpr size_t kMemory = 256 * 1024;
  Make({.initial_window = 0}, kMemory);
  for (int i = 0; i < 20; ++i) {
    const int32_t id = h().client.Request(GetFields("/"));
    h().Run();
    if (door_.last().exchange == nullptr) continue;
    door_.last().exchange->Respond(200, {});
    door_.last().exchange->Write(std::string(i % 2 == 0 ? 64 * 1024 : 100, 'x'));
    h().Run();
    if (i % 2 == 1) {
      EXPECT_FALSE(h().client.response(id).closed) << i;
    }
    EXPECT_LE(h().memory(), kMemory);
  }
  EXPECT_EQ(h().client.response(1).error, 0u);
  EXPECT_EQ(door_.seen[18]->exchange, nullptr) << "reset";
  EXPECT_FALSE(h().connection->done());
}

TEST_F(H2ConnectionTest, ASlowBodyTimesOut) {
  const int32_t id = h().client.Request(PostFields("/"), "x", /*open=*/true);
  h().Run();
  h().Advance(kHttpBodyGrace - absl::Seconds(1));
  EXPECT_TRUE(door_.last().timeouts.empty());
  h().Advance(absl::Seconds(2));
  ASSERT_EQ(door_.last().timeouts.size(), 1u);
  EXPECT_EQ(door_.last().timeouts[0], ExchangeHandler::Timeout::kSlowBody);
  h().Run();
  EXPECT_EQ(h().client.response(id).error, uint32_t{NGHTTP2_CANCEL});
}

TEST_F(H2ConnectionTest, ABodyAtTheLeastRateIsNotSlow) {
  const int32_t id = h().client.Request(PostFields("/"), "x", /*open=*/true);
  h().Run();
  for (int second = 0; second < 300; ++second) {
    h().client.AppendBody(id, std::string(kHttpBodyBytesPerSecond, 'x'));
    h().Run();
    h().Advance(absl::Seconds(1));
  }
  EXPECT_TRUE(door_.last().timeouts.empty());
}

TEST_F(H2ConnectionTest, PausesAreAllowedWhereADoorAllowsThem) {
  h().client.Request(PostFields("/"), "x", /*open=*/true);
  h().Run();
  door_.last().exchange->AllowPauses(true);
  h().Advance(absl::Hours(10));
  EXPECT_TRUE(door_.last().timeouts.empty());
  door_.last().exchange->AllowPauses(false);
  h().Advance(kHttpBodyGrace + absl::Seconds(1));
  EXPECT_EQ(door_.last().timeouts.size(), 1u);
}

TEST_F(H2ConnectionTest, WeAreNotWaitedFor) {
  // The client may send no more, because the door takes nothing.
  door_.consumes = false;
  h().client.Request(PostFields("/"), std::string(kHttpStreamWindowBytes + 1, 'x'), /*open=*/true);
  h().Run();
  h().Advance(10 * kHttpBodyGrace);
  EXPECT_TRUE(door_.last().timeouts.empty());
}

TEST_F(H2ConnectionTest, ADeadlineComes) {
  h().client.Request(GetFields("/"));
  h().Run();
  door_.last().exchange->SetDeadline(h().clock.Monotonic() + absl::Seconds(3));
  h().Advance(absl::Milliseconds(2990));
  EXPECT_TRUE(door_.last().timeouts.empty());
  h().Advance(absl::Milliseconds(20));
  ASSERT_EQ(door_.last().timeouts.size(), 1u);
  EXPECT_EQ(door_.last().timeouts[0], ExchangeHandler::Timeout::kDeadline);
}

TEST_F(H2ConnectionTest, AnAnswerThatNobodyTakesIsDropped) {
  Make({.initial_window = 0});
  const int32_t id = h().client.Request(GetFields("/"));
  h().Run();
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write("x");
  door_.last().exchange->End();
  h().Advance(kHttpWriteStall - absl::Seconds(1));
  EXPECT_NE(door_.last().exchange, nullptr);
  h().Advance(absl::Seconds(2));
  EXPECT_EQ(door_.last().exchange, nullptr);
  EXPECT_EQ(h().client.response(id).error, uint32_t{NGHTTP2_CANCEL});
}

TEST_F(H2ConnectionTest, AConnectionThatTakesNothingIsCut) {
  h().client.Request(GetFields("/"));
  h().Run();
  h().connection->SetBlocked(true);
  h().Advance(kHttpWriteStall + absl::Seconds(1));
  EXPECT_TRUE(h().connection->done());
  EXPECT_STREQ(h().connection->end_reason(), "reads_nothing");
}

TEST_F(H2ConnectionTest, WhoNeverSaysHelloIsCut) {
  harness_ = std::make_unique<H2Harness>(std::vector<Door*>{&door_});
  h().Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  h().clock.Advance(kHttpHandshakeTimeout);
  h().connection->OnTimer();
  h().TakeOutput();
  EXPECT_TRUE(h().connection->done());
  EXPECT_STREQ(h().connection->end_reason(), "no_settings");
}

TEST_F(H2ConnectionTest, AConnectionThatIsNeverUsedIsSentAwaySoon) {
  h().Advance(kHttpFirstRequestTimeout - absl::Seconds(1));
  EXPECT_FALSE(h().connection->done());
  h().Advance(absl::Seconds(2));
  EXPECT_TRUE(h().connection->done());
  EXPECT_EQ(h().client.goaway().value_or(99), uint32_t{NGHTTP2_NO_ERROR});
}

TEST_F(H2ConnectionTest, AnIdleConnectionIsSentAwayInTime) {
  h().client.Request(GetFields("/elsewhere"));
  h().Run();
  h().Advance(kHttpIdleTimeout - absl::Seconds(1));
  EXPECT_FALSE(h().connection->done());
  EXPECT_GT(h().client.pings(), 0) << "and was asked for signs of life";
  h().Advance(absl::Seconds(2));
  EXPECT_TRUE(h().connection->done());
  EXPECT_EQ(h().client.goaway().value_or(99), uint32_t{NGHTTP2_NO_ERROR});
}

TEST_F(H2ConnectionTest, ADeadPeerIsFound) {
  h().client.Request(GetFields("/"));
  h().Run();
  // Nothing comes from it, not even the answer to a PING.
  const MonotonicTime end = h().clock.Monotonic() + kHttpKeepaliveInterval + kHttpKeepaliveTimeout;
  while (h().clock.Monotonic() < end) {
    h().clock.Advance(absl::Seconds(1));
    if (h().connection->next_deadline() <= h().clock.Monotonic()) h().connection->OnTimer();
    h().TakeOutput();
  }
  EXPECT_TRUE(h().connection->done());
  EXPECT_STREQ(h().connection->end_reason(), "silent");
}

// --- The end. ---

TEST_F(H2ConnectionTest, ADrainLetsExchangesFinish) {
  const int32_t id = h().client.Request(GetFields("/"));
  h().Run();
  h().connection->Drain();
  h().Run();
  EXPECT_EQ(h().client.goaway().value_or(99), uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_FALSE(h().connection->done());
  door_.last().exchange->RespondOnly(200, {});
  h().Run();
  EXPECT_EQ(h().client.response(id).Get(":status"), "200");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H2ConnectionTest, ADrainWaitsForAPauseWhereGoAwayWouldFailRequests) {
  door_.goaway_hurts = true;
  h().client.Request(GetFields("/"));
  h().Run();
  h().connection->Drain();
  h().Advance(absl::Minutes(1));
  EXPECT_FALSE(h().client.goaway().has_value());
  // The next of a batch comes when one is answered.
  door_.last().exchange->RespondOnly(200, {});
  h().Run();
  h().Advance(absl::Milliseconds(100));
  const int32_t id = h().client.Request(GetFields("/"));
  h().Run();
  h().Advance(absl::Minutes(1));
  EXPECT_FALSE(h().client.goaway().has_value());
  door_.last().exchange->RespondOnly(200, {});
  h().Run();
  EXPECT_EQ(h().client.response(id).Get(":status"), "200");
  h().Advance(absl::Seconds(1));
  EXPECT_EQ(h().client.goaway().value_or(99), uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H2ConnectionTest, WhatADrainCannotWaitForIsAnswered) {
  const int32_t id = h().client.Request(GetFields("/"));
  h().Run();
  h().connection->Drain();
  h().Run();
  h().connection->EndExchanges();
  h().Run();
  EXPECT_EQ(h().client.response(id).Get(":status"), "503");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H2ConnectionTest, ADrainGoesOnThoughItsPingIsNotAnswered) {
  h();
  h().connection->Drain();
  h().TakeOutput();
  h().clock.Advance(kHttpDrainNotice);
  h().connection->OnTimer();
  h().TakeOutput();
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H2ConnectionTest, TheEndOfTheConnectionTellsTheDoors) {
  h().client.Request(GetFields("/"));
  h().Run();
  h().connection.reset();
  EXPECT_EQ(door_.last().exchange, nullptr);
  EXPECT_EQ(h().memory(), 0u);
}

TEST_F(H2ConnectionTest, BytesThatAreNoHttp2EndIt) {
  harness_ = std::make_unique<H2Harness>(std::vector<Door*>{&door_});
  h().Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H2ConnectionTest, UsedOutsideOfItsMethodsItAsksForAFlush) {
  h().client.Request(GetFields("/"));
  h().Run();
  const int before = h().changes;
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write("x");
  EXPECT_EQ(h().changes, before + 1) << "once until the output is taken";
  h().Run();
  door_.last().exchange->Write("y");
  EXPECT_EQ(h().changes, before + 2);
}

}  // namespace
}  // namespace bellwire::http
