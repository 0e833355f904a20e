#include "gateway/doors/http/whole_body.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

constexpr size_t kMaxBody = 10'000;
constexpr Route kRoutes[] = {{"POST", "/test"}, {"GET", "/test"}, {"POST", "/test/{name}"}};

// Keeps each request and the way back to it.
class TestDoor final : public WholeBodyDoor {
 public:
  ~TestDoor() override { AwaitNoCalls(); }
  bool Matches(const RequestHead& head) const override {
    return absl::StartsWith(head.path, "/test");
  }
  absl::Span<const Route> Routes() const override { return kRoutes; }

  std::vector<Request> requests;
  std::vector<Responder> responders;
  // Refuse answers everything with it.
  std::optional<int> answer_at_once;

  Responder Take() {
    Responder last = std::move(responders.back());
    responders.pop_back();
    return last;
  }

 private:
  size_t MaxBodyBytes(const RequestHead&) const override { return kMaxBody; }
  std::optional<Reply> Refuse(const RequestHead& head) const override {
    if (answer_at_once.has_value()) return Reply{.status = *answer_at_once};
    if (head.method == "POST" || head.method == "HEAD") return std::nullopt;
    return Reply{.status = 405, .headers = {{"allow", "POST"}}, .body = "no"};
  }
  void Serve(Request request, Responder responder) override {
    requests.push_back(std::move(request));
    responders.push_back(std::move(responder));
  }
  Reply Error(const RequestHead& head, int status, const absl::Status& why) const override {
    return {.status = status,
            .headers = {{"x-reason", ErrorReason(why)}},
            .body = absl::StrCat(head.path, ": ", why.message())};
  }
};

class WholeBodyTest : public ::testing::Test {
 protected:
  const H2TestClient::Response& Of(int32_t stream) {
    harness_.Run();
    return harness_.client.response(stream);
  }
  TestDoor door_;
  H2Harness harness_{std::vector<Door*>{&door_}};
};

TEST_F(WholeBodyTest, ServesTheWholeRequest) {
  const int32_t stream =
      harness_.client.Request(PostFields("/test?a=1", {{"x-a", "b"}}), "first ", /*open=*/true);
  harness_.Run();
  EXPECT_TRUE(door_.requests.empty());
  harness_.client.AppendBody(stream, "second");
  harness_.client.EndBody(stream);
  harness_.Run();
  ASSERT_EQ(door_.requests.size(), 1u);
  EXPECT_EQ(door_.requests[0].body, "first second");
  EXPECT_EQ(door_.requests[0].head.path, "/test?a=1");
  EXPECT_EQ(*FindHeader(door_.requests[0].head.headers, "x-a"), "b");
  EXPECT_EQ(door_.requests[0].peer, "192.0.2.1:1234");
  door_.Take().Send({.status = 201, .headers = {{"location", "/there"}}, .body = "made"});
  const H2TestClient::Response& response = Of(stream);
  EXPECT_TRUE(response.closed);
  EXPECT_EQ(response.Get(":status"), "201");
  EXPECT_EQ(response.Get("location"), "/there");
  EXPECT_EQ(response.Get("content-length"), "4");
  EXPECT_EQ(response.body, "made");
}

TEST_F(WholeBodyTest, WhatIsNotInTheTableOfRoutesIsNotServed) {
  const int32_t unknown = harness_.client.Request(PostFields("/test-2"), "body");
  EXPECT_EQ(Of(unknown).Get(":status"), "404");
  EXPECT_EQ(Of(unknown).Get("x-reason"), "NO_SUCH_PATH");
  EXPECT_TRUE(door_.requests.empty());
  // Nor by Refuse, whose refusals count all the same.
  door_.answer_at_once = 204;
  EXPECT_EQ(Of(harness_.client.Request(PostFields("/test-2"))).Get(":status"), "404");
  EXPECT_EQ(Of(harness_.client.Request(PostFields("/test/2"))).Get(":status"), "204");
  door_.answer_at_once = 403;
  EXPECT_EQ(Of(harness_.client.Request(PostFields("/test-2"))).Get(":status"), "403");
}

TEST_F(WholeBodyTest, APushGoesBeforeTheAnswerFromAnyThread) {
  H2Harness pushed({&door_}, kMaxHttpMemoryBytes, {.enable_push = true});
  for (const bool on_thread : {true, false}) {
    const int32_t stream = pushed.client.Request(PostFields("/test"));
    pushed.Run();
    EXPECT_TRUE(door_.requests.back().can_push);
    {
      Responder responder = door_.Take();
      pushed.thread->set_current(on_thread);
      responder.Push("/there", 410, {{"x", "y"}});
      EXPECT_FALSE(responder.over());
      responder.Send({.status = 204});
      EXPECT_TRUE(responder.over());
    }
    pushed.thread->RunPosted();
    pushed.thread->set_current(true);
    pushed.Run();
    const H2TestClient::Promise promise = pushed.client.promises().back();
    EXPECT_EQ(promise.of_stream, stream);
    EXPECT_EQ(pushed.client.response(promise.stream).headers,
              (Fields{{":status", "410"}, {"x", "y"}}));
    EXPECT_EQ(pushed.client.response(stream).Get(":status"), "204");
  }
  EXPECT_EQ(pushed.client.promises().size(), 2u);
}

TEST_F(WholeBodyTest, APushToNobodyIsNothing) {
  const int32_t stream = harness_.client.Request(PostFields("/test"));
  harness_.Run();
  EXPECT_FALSE(door_.requests[0].can_push);
  Responder responder = door_.Take();
  responder.Push("/there", 410);
  EXPECT_FALSE(responder.over());
  harness_.client.Reset(stream);
  harness_.Run();
  EXPECT_TRUE(responder.over());
  responder.Push("/there", 410);
  responder.Send({.status = 410});
  harness_.Run();
  EXPECT_TRUE(harness_.client.promises().empty());
}

TEST_F(WholeBodyTest, ABodyOfTheBoundIsTaken) {
  harness_.client.Request(PostFields("/test"), std::string(kMaxBody, 'x'));
  harness_.Run();
  ASSERT_EQ(door_.requests.size(), 1u);
  EXPECT_EQ(door_.requests[0].body.size(), kMaxBody);
  door_.Take().Send({});
}

TEST_F(WholeBodyTest, ALongerBodyIsRefused) {
  const int32_t announced =
      harness_.client.Request(PostFields("/test", {{"content-length", absl::StrCat(kMaxBody + 1)}}),
                              std::string(kMaxBody + 1, 'x'));
  EXPECT_EQ(Of(announced).Get(":status"), "413");
  EXPECT_EQ(Of(announced).Get("x-reason"), "BODY_TOO_LARGE");
  const int32_t long_one = harness_.client.Request(
      PostFields("/test", {{"content-length", "1000000"}}), "", /*open=*/true);
  EXPECT_EQ(Of(long_one).Get(":status"), "413") << "not waited for";
  const int32_t sent = harness_.client.Request(PostFields("/test"), std::string(kMaxBody + 1, 'x'));
  EXPECT_EQ(Of(sent).Get(":status"), "413");
  EXPECT_EQ(Of(sent).body, "/test: The body is longer than 10000 bytes.");
  EXPECT_TRUE(door_.requests.empty());
  // The one that was not waited for.
  harness_.Advance(kH2DiscardTime);
  EXPECT_EQ(harness_.connection->exchanges(), 0u);
}

TEST_F(WholeBodyTest, ASlowBodyIsRefused) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x", /*open=*/true);
  harness_.Run();
  harness_.Advance(kHttpBodyGrace + absl::Seconds(1));
  EXPECT_EQ(Of(stream).Get(":status"), "408");
  EXPECT_EQ(Of(stream).Get("x-reason"), "REQUEST_TIMEOUT");
}

TEST_F(WholeBodyTest, ABodyThatFindsNoMemoryIsRefusedForNow) {
  H2Harness harness(std::vector<Door*>{&door_}, /*max_memory_bytes=*/64 * 1024);
  std::vector<int32_t> streams;
  for (int i = 0; i < 10; ++i) {
    streams.push_back(
        harness.client.Request(PostFields("/test"), std::string(kMaxBody, 'x'), /*open=*/true));
  }
  harness.Run();
  int refused = 0;
  for (const int32_t stream : streams) {
    const H2TestClient::Response& response = harness.client.response(stream);
    if (response.Get(":status").empty()) continue;
    ++refused;
    if (response.Get("x-reason").empty()) continue;  // Refused with its head already.
    EXPECT_EQ(response.Get(":status"), "503");
    EXPECT_EQ(response.Get("x-reason"), "OVERLOADED");
  }
  EXPECT_GT(refused, 0);
  EXPECT_LE(harness.memory(), 64u * 1024);
}

TEST_F(WholeBodyTest, ALongHeadIsRefused) {
  const int32_t stream = harness_.client.Request(
      PostFields("/test", {{"x-long", std::string(kMaxHttpHeadBytes, 'x')}}), "x");
  EXPECT_EQ(Of(stream).Get(":status"), "431");
  EXPECT_EQ(Of(stream).Get("x-reason"), "HEAD_TOO_LARGE");
}

TEST_F(WholeBodyTest, ADoorRefusesByTheHead) {
  const int32_t stream = harness_.client.Request(GetFields("/test"), "dropped", /*open=*/true);
  EXPECT_EQ(Of(stream).Get(":status"), "") << "a client that still sends might lose it";
  harness_.client.EndBody(stream);
  EXPECT_EQ(Of(stream).Get(":status"), "405");
  EXPECT_EQ(Of(stream).Get("allow"), "POST");
  EXPECT_EQ(Of(harness_.client.Request(GetFields("/test"))).Get(":status"), "405");
  EXPECT_TRUE(door_.requests.empty());
}

TEST_F(WholeBodyTest, ARefusalWaitsForNoLongAndNoSlowBody) {
  const int32_t endless =
      harness_.client.Request(GetFields("/test"), std::string(100'000, 'x'), /*open=*/true);
  EXPECT_EQ(Of(endless).Get(":status"), "405");
  const int32_t slow = harness_.client.Request(GetFields("/test"), "x", /*open=*/true);
  harness_.Run();
  harness_.Advance(kHttpBodyGrace + absl::Seconds(1));
  EXPECT_EQ(Of(slow).Get(":status"), "405");
  harness_.Advance(kH2DiscardTime);
  EXPECT_EQ(harness_.connection->exchanges(), 0u);
}

TEST_F(WholeBodyTest, AnswersFromAnotherThread) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  harness_.thread->set_current(false);
  door_.Take().Send({.body = "late"});
  EXPECT_EQ(Of(stream).Get(":status"), "");
  harness_.thread->set_current(true);
  harness_.thread->RunPosted();
  EXPECT_EQ(Of(stream).body, "late");
}

TEST_F(WholeBodyTest, AnAnswerThatNobodyWaitsForIsDropped) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  harness_.thread->set_current(false);
  door_.Take().Send({.body = "late"});
  harness_.thread->set_current(true);
  harness_.client.Reset(stream);
  harness_.Run();
  EXPECT_EQ(harness_.connection->exchanges(), 0u);
  harness_.thread->RunPosted();
  EXPECT_EQ(Of(stream).Get(":status"), "");

  harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  harness_.connection.reset();
  door_.Take().Send({.body = "later"});
}

TEST_F(WholeBodyTest, ADroppedResponderIsAnError) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  door_.responders.clear();
  EXPECT_EQ(Of(stream).Get(":status"), "500");
  EXPECT_EQ(Of(stream).Get("x-reason"), "INTERNAL");
}

TEST_F(WholeBodyTest, HeadAndNoContentHaveNoBody) {
  Fields fields = GetFields("/test");
  fields[0].second = "HEAD";
  const int32_t head = harness_.client.Request(fields);
  harness_.Run();
  door_.Take().Send({.body = "four"});
  EXPECT_EQ(Of(head).Get("content-length"), "4");
  EXPECT_EQ(Of(head).body, "");
  EXPECT_TRUE(Of(head).closed);
  const int32_t post = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  door_.Take().Send({.status = 204});
  EXPECT_EQ(Of(post).Get(":status"), "204");
  EXPECT_EQ(Of(post).Get("content-length"), "");
  EXPECT_TRUE(Of(post).closed);
}

TEST_F(WholeBodyTest, WhatIsUnderWayIsAnsweredWhenTheServerGoes) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  harness_.connection->EndExchanges();
  EXPECT_EQ(Of(stream).Get(":status"), "503");
  EXPECT_EQ(Of(stream).Get("x-reason"), "SHUTTING_DOWN");
  door_.Take().Send({.body = "late"});
  EXPECT_EQ(Of(stream).body, "/test: This gateway is shutting down. Send the request again.");
}

TEST_F(WholeBodyTest, StreamsAnAnswer) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  const std::shared_ptr<ReplyStream> reply =
      door_.Take().Stream(200, {{"content-type", "text/event-stream"}});
  int taken = 0;
  reply->Write("data: 1\n\n", [&taken](bool ok) { taken += ok ? 1 : 0; });
  EXPECT_EQ(taken, 1);
  EXPECT_EQ(Of(stream).Get("content-type"), "text/event-stream");
  EXPECT_EQ(Of(stream).Get("content-length"), "");
  EXPECT_EQ(Of(stream).body, "data: 1\n\n");
  EXPECT_FALSE(Of(stream).closed);
  // It waits while the client takes nothing.
  const std::string large(kHttpStreamBufferBytes * 3, 'x');
  reply->Write(large, [&taken](bool ok) { taken += ok ? 10 : 0; });
  EXPECT_EQ(taken, 1);
  EXPECT_EQ(Of(stream).body.size(), large.size() + 9);
  EXPECT_EQ(taken, 11);
  reply->End();
  EXPECT_TRUE(Of(stream).closed);
  EXPECT_EQ(Of(stream).error, 0u);
}

TEST_F(WholeBodyTest, AStreamHearsThatItsClientIsGone) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  const std::shared_ptr<ReplyStream> reply = door_.Take().Stream(200, {});
  int closed = 0;
  reply->OnClosed([&closed] { ++closed; });
  harness_.Run();
  std::optional<bool> taken;
  reply->Write(std::string(kHttpStreamBufferBytes, 'x'), [&taken](bool ok) { taken = ok; });
  EXPECT_EQ(taken, std::nullopt);
  harness_.client.Reset(stream);
  harness_.Run();
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(taken, false);
  reply->Write("more", [&taken](bool ok) { taken = !ok; });
  EXPECT_EQ(taken, true);
  reply->End();
}

TEST_F(WholeBodyTest, AStreamEndsWithTheServer) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  const std::shared_ptr<ReplyStream> reply = door_.Take().Stream(200, {});
  int closed = 0;
  reply->OnClosed([&closed] { ++closed; });
  harness_.Run();
  harness_.connection->EndExchanges();
  EXPECT_EQ(closed, 1);
  EXPECT_TRUE(Of(stream).closed);
  EXPECT_EQ(Of(stream).error, 0u);
}

TEST_F(WholeBodyTest, AnAbandonedStreamIsCutOff) {
  const int32_t stream = harness_.client.Request(PostFields("/test"), "x");
  harness_.Run();
  door_.Take().Stream(200, {});
  EXPECT_TRUE(Of(stream).closed);
  EXPECT_NE(Of(stream).error, 0u);
}

}  // namespace
}  // namespace bellwire::http
