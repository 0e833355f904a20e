// The core of HTTP/1 against honest clients and hostile bytes, without a socket and without
// waiting.

#include "gateway/doors/http/h1/h1_connection.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/limits.h"
#include "gateway/doors/http/testing/h1_harness.h"
#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

using ::testing::Test;

// Keeps its exchanges, for the test to answer.
class TestDoor final : public Door {
 public:
  struct Seen {
    Exchange* exchange = nullptr;  // Null once it is closed.
    RequestHead head;
    std::string body;
    bool body_ended = false;
    int drained = 0;
    bool consumes = true;
    std::vector<ExchangeHandler::Timeout> timeouts;
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
    return std::make_unique<Handler>(this, seen.back().get());
  }
  Seen& last() { return *seen.back(); }

  std::vector<std::unique_ptr<Seen>> seen;
  bool consumes = true;
  bool answer_at_once = false;
  std::function<void(Seen&, ExchangeHandler::Timeout)> on_timeout;

 private:
  class Handler final : public ExchangeHandler {
   public:
    Handler(TestDoor* door, Seen* seen) : door_(door), seen_(seen) {}
    void OnBody(absl::string_view data) override {
      seen_->body.append(data.data(), data.size());
      if (seen_->consumes) seen_->exchange->Consume(data.size());
    }
    void OnBodyEnd() override { seen_->body_ended = true; }
    void OnDrained() override { ++seen_->drained; }
    void OnTimeout(Timeout why) override {
      seen_->timeouts.push_back(why);
      if (door_->on_timeout) {
        door_->on_timeout(*seen_, why);
      } else {
        seen_->exchange->RespondOnly(why == Timeout::kSlowBody ? 408 : 503, {});
      }
    }
    void OnClosed() override { seen_->exchange = nullptr; }

   private:
    TestDoor* const door_;
    Seen* const seen_;
  };
};

constexpr absl::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class H1ConnectionTest : public Test {
 protected:
  void Make(size_t max_memory) {
    h_ = std::make_unique<H1Harness>(std::vector<Door*>{&door_}, max_memory);
  }
  H1Harness& h() {
    if (h_ == nullptr) Make(kMaxHttpMemoryBytes);
    return *h_;
  }
  // Without the date, which is the clock's.
  static std::string Undated(std::string answer) {
    for (size_t at = answer.find("date: "); at != std::string::npos; at = answer.find("date: ")) {
      answer.erase(at, answer.find("\r\n", at) + 2 - at);
    }
    return answer;
  }
  std::string Answer() { return Undated(h().TakeOutput()); }

  TestDoor door_;
  std::unique_ptr<H1Harness> h_;
};

TEST_F(H1ConnectionTest, ServesRequestsOneAfterAnother) {
  for (int i = 0; i < 3; ++i) {
    h().Send(absl::StrCat("POST /", i, " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"));
    ASSERT_EQ(door_.seen.size(), static_cast<size_t>(i + 1));
    EXPECT_EQ(door_.last().body, "hello");
    EXPECT_TRUE(door_.last().body_ended);
    door_.last().exchange->Respond(200, {{"content-length", "5"}});
    door_.last().exchange->Write("world");
    door_.last().exchange->End();
    EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nworld");
    EXPECT_EQ(door_.last().exchange, nullptr);
    EXPECT_EQ(h().memory(), 0u);
  }
  EXPECT_FALSE(h().connection->done());
  EXPECT_TRUE(h().connection->served());
}

TEST_F(H1ConnectionTest, AnswersHaveADate) {
  h().Send(kGet);
  door_.last().exchange->RespondOnly(200, {});
  const std::string answer = h().TakeOutput();
  EXPECT_TRUE(absl::StrContains(answer, "\r\ndate: ")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, " GMT\r\n")) << answer;
}

TEST_F(H1ConnectionTest, AnAnswerOfUnknownLengthIsChunked) {
  h().Send(kGet);
  door_.last().exchange->Respond(200, {{"content-type", "text/event-stream"}});
  door_.last().exchange->Write("data: 1\n\n");
  EXPECT_EQ(Answer(),
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
            "\r\n9\r\ndata: 1\n\n\r\n");
  door_.last().exchange->Write(std::string(20, 'x'));
  EXPECT_EQ(Answer(), "14\r\nxxxxxxxxxxxxxxxxxxxx\r\n");
  door_.last().exchange->End({{"x-trailer", "t"}});
  EXPECT_EQ(Answer(), "0\r\nx-trailer: t\r\n\r\n");
  EXPECT_EQ(h().memory(), 0u);
}

TEST_F(H1ConnectionTest, Http10HasItsAnswersEndByTheConnection) {
  h().Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write("hello");
  door_.last().exchange->End();
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello");
  EXPECT_TRUE(h().connection->done());

  h_.reset();
  h().Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  door_.last().exchange->RespondOnly(200, {});
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_FALSE(h().connection->done());
}

TEST_F(H1ConnectionTest, ConnectionCloseIsTheLastRequest) {
  h().Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\n");
  door_.last().exchange->RespondOnly(200, {});
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(h().connection->done());
  EXPECT_EQ(door_.seen.size(), 1u);
}

TEST_F(H1ConnectionTest, HeadAndNoContentHaveNoBody) {
  h().Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  door_.last().exchange->Respond(200, {{"content-length", "5"}});
  door_.last().exchange->Write("hello");
  door_.last().exchange->End();
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  h().Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write("hello");
  door_.last().exchange->End();
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\n\r\n");
  h().Send(kGet);
  door_.last().exchange->Respond(204, {});
  door_.last().exchange->Write("hello");
  door_.last().exchange->End();
  EXPECT_EQ(Answer(), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_FALSE(h().connection->done());
}

TEST_F(H1ConnectionTest, PipelinedRequestsWaitForTheirTurn) {
  const std::string many =
      absl::StrCat(kGet, "POST /2 HTTP/1.1\r\nHost: a\r\n", "Content-Length: 5\r\n\r\nhello", kGet);
  h().Send(many);
  ASSERT_EQ(door_.seen.size(), 1u);
  // One read's bytes wait here, and no more.
  h().Send("x");
  EXPECT_EQ(h().waiting(), 1u);
  for (size_t i = 1; i <= 3; ++i) {
    ASSERT_EQ(door_.seen.size(), i);
    door_.last().exchange->RespondOnly(200, {});
    EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  }
  EXPECT_EQ(door_.seen[1]->body, "hello");
  EXPECT_EQ(h().waiting(), 0u);
}

TEST_F(H1ConnectionTest, PipelinedRequestsThatAreAnsweredAtOnce) {
  door_.answer_at_once = true;
  std::string many;
  for (int i = 0; i < 1000; ++i) many.append(kGet.data(), kGet.size());
  const std::string answer = Undated(h().Ask(many));
  EXPECT_EQ(door_.seen.size(), 1000u);
  EXPECT_EQ(answer.size(), 1000 * absl::string_view("HTTP/1.1 204 No Content\r\n\r\n").size());
  EXPECT_EQ(h().memory(), 0u);
}

TEST_F(H1ConnectionTest, AClientThatWaitsIsToldToGoOn) {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(h().Ask(head), "HTTP/1.1 100 Continue\r\n\r\n");
  h().Send("hello");
  EXPECT_EQ(door_.last().body, "hello");
  door_.last().exchange->RespondOnly(200, {});
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  // Whoever is refused isn't.
  door_.answer_at_once = true;
  EXPECT_EQ(Undated(h().Ask(head)), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(h().connection->done()) << "no body comes";
}

TEST_F(H1ConnectionTest, AShortRestOfABodyThatNobodyWantsIsReadForTheNextRequest) {
  h().Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  door_.last().exchange->RespondOnly(401, {});
  EXPECT_EQ(Answer(), "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
  h().Send(absl::StrCat("world", kGet));
  EXPECT_EQ(Answer(), "");
  ASSERT_EQ(door_.seen.size(), 2u);
  EXPECT_EQ(door_.seen[0]->body, "hello");
  door_.last().exchange->RespondOnly(200, {});
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  // It must come, though.
  h().Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  door_.last().exchange->RespondOnly(401, {});
  EXPECT_NE(Answer(), "");
  h().Advance(kH1DiscardTime - absl::Milliseconds(1));
  EXPECT_FALSE(h().connection->done());
  h().Advance(absl::Milliseconds(1));
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H1ConnectionTest, ALongRestIsDroppedBeforeTheEnd) {
  const std::string close =
      "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
  const std::string rest(kMaxH1DiscardBytes + 1, 'x');
  h().Send(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ", rest.size() + 5,
                        "\r\n\r\nhello"));
  door_.last().exchange->RespondOnly(413, {});
  EXPECT_EQ(Answer(), close);
  EXPECT_FALSE(h().connection->done()) << "a reset would take the answer away";
  h().Send(rest);
  EXPECT_EQ(Answer(), "");
  EXPECT_EQ(door_.last().body, "hello");
  EXPECT_TRUE(h().connection->done());

  h_.reset();
  h().Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello");
  door_.last().exchange->RespondOnly(413, {});
  EXPECT_EQ(Answer(), close);
  h().Send("what is no chunk");
  EXPECT_EQ(Answer(), "");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H1ConnectionTest, MalformedRequestsAreRefusedAndEndTheConnection) {
  const std::string answer = Undated(h().Ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"));
  EXPECT_EQ(answer,
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 34\r\n"
            "connection: close\r\n\r\nThis request has two Host fields.\n");
  EXPECT_TRUE(h().connection->done());
  EXPECT_STREQ(h().connection->end_reason(), "malformed");
  EXPECT_TRUE(door_.seen.empty());

  h_.reset();
  h().Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n");
  EXPECT_TRUE(absl::StartsWith(h().TakeOutput(), "HTTP/1.1 400 "));
  EXPECT_TRUE(h().connection->done());
  EXPECT_EQ(door_.last().exchange, nullptr);
}

TEST_F(H1ConnectionTest, WhatNoDoorWantsIsNotFound) {
  EXPECT_TRUE(absl::StartsWith(h().Ask("GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n"),
                               "HTTP/1.1 404 Not Found\r\n"));
  EXPECT_FALSE(h().connection->done());
}

TEST_F(H1ConnectionTest, ADoorSplitsNoAnswer) {
  h().Send(kGet);
  door_.last().exchange->RespondOnly(
      200, {{"x-bad", "a\r\nset-cookie: b"}, {"transfer-encoding", "x"}, {"x-good", "c"}});
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\nx-good: c\r\ncontent-length: 0\r\n\r\n");
}

TEST_F(H1ConnectionTest, AnAnswerIsNeverLongerThanItSaid) {
  h().Send(kGet);
  door_.last().exchange->Respond(200, {{"content-length", "3"}});
  door_.last().exchange->Write("hello");
  door_.last().exchange->End();
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhel");
  h().Send(kGet);
  door_.last().exchange->Respond(200, {{"content-length", "6"}});
  door_.last().exchange->Write("hello");
  Answer();
  door_.last().exchange->End();
  EXPECT_TRUE(h().connection->done()) << "only the end tells that it is short";
}

TEST_F(H1ConnectionTest, AResetIsAnErrorOrTheEnd) {
  h().Send(kGet);
  door_.last().exchange->Reset(Exchange::ResetReason::kInternalError);
  EXPECT_EQ(Answer(),
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n"
            "connection: close\r\n\r\n");
  EXPECT_TRUE(h().connection->done());
  h_.reset();
  h().Send(kGet);
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write("some");
  Answer();
  door_.last().exchange->Reset(Exchange::ResetReason::kInternalError);
  EXPECT_EQ(Answer(), "");
  EXPECT_TRUE(h().connection->done());
  h_.reset();
  EXPECT_EQ(door_.last().exchange, nullptr);
}

TEST_F(H1ConnectionTest, ABodyThatIsNotTakenHoldsItsClientUp) {
  door_.consumes = false;
  const size_t window = static_cast<size_t>(kHttpStreamWindowBytes);
  h().Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  for (size_t sent = 0; sent < 2 * window; sent += 1000) h().Send(std::string(1000, 'x'));
  EXPECT_LE(door_.last().body.size(), window + 1000);
  EXPECT_GE(h().waiting(), window - 2000);
  EXPECT_LE(h().memory(), window + 16 * 1024);
  // It isn't slow meanwhile.
  h().Advance(10 * kHttpBodyGrace);
  EXPECT_TRUE(door_.last().timeouts.empty());
  door_.last().exchange->Consume(door_.last().body.size());
  h().TakeOutput();
  EXPECT_GE(door_.last().body.size(), 2 * window - 1000);
}

TEST_F(H1ConnectionTest, AnAnswerThatIsNotTakenHoldsItsDoorUp) {
  h().Send(kGet);
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write(std::string(kHttpStreamBufferBytes, 'x'));
  EXPECT_GE(door_.last().exchange->buffered_bytes(), kHttpStreamBufferBytes);
  EXPECT_EQ(door_.last().drained, 0);
  h().TakeOutput();
  EXPECT_EQ(door_.last().exchange->buffered_bytes(), 0u);
  EXPECT_EQ(door_.last().drained, 1);
}

TEST_F(H1ConnectionTest, SlowHeadsEndAndIdleConnectionsToo) {
  h().Send("GET / HT");
  h().Advance(kH1HeadTimeout - absl::Seconds(1));
  h().Send("TP/1.1\r\n");
  EXPECT_FALSE(h().connection->done());
  EXPECT_TRUE(absl::StartsWith(h().Advance(absl::Seconds(1)), "HTTP/1.1 408 "));
  EXPECT_TRUE(h().connection->done());
  EXPECT_STREQ(h().connection->end_reason(), "slow_head");

  h_.reset();
  h().Advance(kHttpFirstRequestTimeout - absl::Seconds(1));
  EXPECT_FALSE(h().connection->done());
  EXPECT_EQ(h().Advance(absl::Seconds(1)), "");
  EXPECT_TRUE(h().connection->done());

  h_.reset();
  door_.answer_at_once = true;
  h().Ask(kGet);
  h().Advance(kH1IdleTimeout - absl::Seconds(1));
  EXPECT_FALSE(h().connection->done());
  h().Advance(absl::Seconds(1));
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H1ConnectionTest, ARequestThatRunsIsNotIdle) {
  h().Send(kGet);
  h().Advance(absl::Hours(2));
  EXPECT_FALSE(h().connection->done());
  door_.last().exchange->RespondOnly(200, {});
  EXPECT_NE(Answer(), "");
}

TEST_F(H1ConnectionTest, SlowBodiesEnd) {
  h().Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx");
  h().Advance(kHttpBodyGrace - absl::Seconds(1));
  h().Send(std::string(10 * kHttpBodyBytesPerSecond, 'x'));
  h().Advance(absl::Seconds(9));
  EXPECT_TRUE(door_.last().timeouts.empty());
  EXPECT_TRUE(absl::StartsWith(h().Advance(absl::Seconds(3)), "HTTP/1.1 408 "));
  ASSERT_EQ(door_.last().timeouts.size(), 1u);
  EXPECT_EQ(door_.last().timeouts[0], ExchangeHandler::Timeout::kSlowBody);
}

TEST_F(H1ConnectionTest, DeadlinesComeAndMayBeMissed) {
  h().Send(kGet);
  door_.last().exchange->SetDeadline(h().clock.Monotonic() + absl::Seconds(5));
  EXPECT_GT(h().changes, 0);
  door_.on_timeout = [](TestDoor::Seen&, ExchangeHandler::Timeout) {};
  h().Advance(absl::Seconds(5));
  ASSERT_EQ(door_.last().timeouts.size(), 1u);
  EXPECT_EQ(door_.last().timeouts[0], ExchangeHandler::Timeout::kDeadline);
  EXPECT_TRUE(h().connection->done()) << "nothing was answered";
}

TEST_F(H1ConnectionTest, WhoReadsNothingIsCutOff) {
  h().Send(kGet);
  door_.last().exchange->Respond(200, {});
  door_.last().exchange->Write(std::string(100'000, 'x'));
  h().connection->TakeOutput();
  h().connection->SetBlocked(true);
  h().Advance(kHttpWriteStall - absl::Seconds(1));
  EXPECT_FALSE(h().connection->done());
  h().Advance(absl::Seconds(1));
  EXPECT_TRUE(h().connection->done());
  EXPECT_STREQ(h().connection->end_reason(), "reads_nothing");
}

TEST_F(H1ConnectionTest, MemoryIsBounded) {
  Make(64 * 1024);
  door_.consumes = false;
  h().Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  h().Send(std::string(100'000, 'x'));
  EXPECT_TRUE(absl::StartsWith(h().TakeOutput(), "HTTP/1.1 503 "));
  EXPECT_LE(h().memory(), 64u * 1024);
  h_.reset();
  Make(16 * 1024);
  EXPECT_TRUE(absl::StartsWith(h().Ask("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x')),
                               "HTTP/1.1 503 "));
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H1ConnectionTest, AnswersThatNobodyTakesAreBoundedByTheMemoryOfTheirPeer) {
  constexpr size_t kMemory = 256 * 1024;
  Make(kMemory);
  h().Send(kGet);
  door_.last().exchange->Respond(200, {});
  for (int i = 0; i < 10 && !h().connection->done(); ++i) {
    door_.last().exchange->Write(std::string(64 * 1024, 'x'));
    EXPECT_LE(h().memory(), kMemory);
  }
  EXPECT_TRUE(h().connection->done());
  EXPECT_STREQ(h().connection->end_reason(), "takes_no_answers");
}

TEST_F(H1ConnectionTest, ADrainFinishesTheRequestThatRuns) {
  h().Send(absl::StrCat(kGet, kGet));
  h().connection->Drain();
  EXPECT_FALSE(h().connection->done());
  door_.last().exchange->RespondOnly(200, {});
  EXPECT_EQ(Answer(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(h().connection->done());
  EXPECT_EQ(door_.seen.size(), 1u);

  h_.reset();
  h().connection->Drain();
  EXPECT_TRUE(h().connection->done());

  h_.reset();
  h().Send("GET / HT");
  h().connection->Drain();
  EXPECT_FALSE(h().connection->done()) << "a request that is under way is served";
  h().Send("TP/1.1\r\nHost: a\r\n\r\n");
  door_.last().exchange->RespondOnly(200, {});
  EXPECT_NE(Answer(), "");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H1ConnectionTest, TheEndAnswersWhatRuns) {
  h().Send(kGet);
  h().connection->Drain();
  h().connection->EndExchanges();
  EXPECT_EQ(Answer(),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n"
            "connection: close\r\n\r\n");
  EXPECT_TRUE(h().connection->done());
}

TEST_F(H1ConnectionTest, BehindAProxyTheClientIsTheOneItNames) {
  const net::CidrList proxies = *net::CidrList::Parse({"10.0.0.0/8"});
  FairShares shares(kMaxHttpMemoryBytes);
  const TrustedProxy proxy{.proxies = &proxies, .memory = &shares};
  h_ = std::make_unique<H1Harness>(std::vector<Door*>{&door_}, kMaxHttpMemoryBytes, &proxy);
  h().Send(
      "POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1, 203.0.113.7\r\n"
      "Content-Length: 5\r\n\r\nhello");
  EXPECT_EQ(door_.last().exchange->peer(), "203.0.113.7:0");
  EXPECT_GT(shares.taken(), 0u) << "it is charged to the client";
  EXPECT_EQ(h().memory(), 0u);
  door_.last().exchange->RespondOnly(200, {});
  Answer();
  EXPECT_EQ(shares.taken(), 0u);
  h().Send(kGet);
  EXPECT_EQ(door_.last().exchange->peer(), "192.0.2.1:1234");
  h_.reset();
}

}  // namespace
}  // namespace bellwire::http
