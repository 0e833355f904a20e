#include "gateway/doors/console/live_streams.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "gateway/doors/http/testing/h1_harness.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using Answer = LiveSource::Answer;

// Says what the test gives it.
class Script final : public LiveSource {
 public:
  explicit Script(std::vector<absl::StatusOr<Answer>> answers) : answers_(std::move(answers)) {}

  void Ask(Then then) override {
    if (next_ == answers_.size()) return std::move(then)(Answer{});
    std::move(then)(answers_[next_++]);
  }
  absl::Duration interval() const override { return absl::Milliseconds(1); }

 private:
  const std::vector<absl::StatusOr<Answer>> answers_;
  size_t next_ = 0;
};

constexpr http::Route kRoutes[] = {{"GET", "/"}};

// Answers every request with a stream of `answers`.
class StreamDoor final : public http::WholeBodyDoor {
 public:
  ~StreamDoor() override {
    streams.Stop();
    AwaitNoCalls();
  }
  bool Matches(const http::RequestHead&) const override { return true; }
  absl::Span<const http::Route> Routes() const override { return kRoutes; }

  std::vector<absl::StatusOr<Answer>> answers;
  LiveStreams streams{RealClock()};

 private:
  size_t MaxBodyBytes(const http::RequestHead&) const override { return 0; }
  void Serve(http::Request, http::Responder responder) override {
    streams.Start(std::move(responder), std::make_unique<Script>(answers));
  }
  http::Reply Error(const http::RequestHead&, int status, const absl::Status&) const override {
    return {.status = status};
  }
};

class LiveStreamsTest : public ::testing::Test {
 protected:
  LiveStreamsTest() {
    // The streams' thread posts to the connection's, which is the test's.
    harness_.thread->set_current(false);
  }

  void TearDown() override { harness_.thread->End(); }

  // What the client got, once it has `text`.
  std::string ReadUntil(absl::string_view text) {
    std::string got = harness_.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!absl::StrContains(got, text)) {
      harness_.thread->AwaitPosted();
      harness_.thread->RunPosted();
      got += harness_.TakeOutput();
    }
    return got;
  }

  StreamDoor door_;
  http::H1Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(LiveStreamsTest, WritesEachChangeOnceAndEndsWithTheLast) {
  door_.answers = {Answer{"one"}, Answer{}, Answer{}, Answer{"two"}, Answer{"three", true}};
  const std::string got = ReadUntil("event: end");
  EXPECT_TRUE(absl::StrContains(got, "content-type: text/event-stream\r\n")) << got;
  EXPECT_TRUE(absl::StrContains(got, "data: one\n\n")) << got;
  EXPECT_LT(got.find("data: one"), got.find("data: two")) << got;
  EXPECT_LT(got.find("data: two"), got.find("data: three")) << got;
  EXPECT_LT(got.find("data: three"), got.find("event: end\ndata: {}\n\n")) << got;
}

TEST_F(LiveStreamsTest, SaysWhyItEnds) {
  door_.answers = {Answer{"one"},
                   MakeError(absl::StatusCode::kUnauthenticated, "NO_SESSION", "log in")};
  const std::string got = ReadUntil("event: end");
  EXPECT_TRUE(absl::StrContains(got, "NO_SESSION")) << got;
}

TEST_F(LiveStreamsTest, ADrainEndsThoseThatAreThere) {
  door_.answers = {Answer{"one"}};
  const std::string begun = ReadUntil("data: one");
  EXPECT_EQ(door_.streams.size(), 1u);
  door_.streams.Drain();
  std::string got;
  while (!absl::StrContains(got, "SHUTTING_DOWN")) {
    harness_.thread->AwaitPosted();
    harness_.thread->RunPosted();
    got += harness_.TakeOutput();
  }
}

}  // namespace
}  // namespace bellwire::gateway
