// Receipts by server push, over a real socket, as Node.js's own HTTP/2 client takes them.

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "gateway/doors/http/http_listener.h"
#include "gateway/doors/webpush/webpush_door.h"
#include "gateway/testing/fake_registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::webpush {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

class ReceiptPushTest : public ::testing::Test {
 protected:
  ReceiptPushTest()
      : sealer_(TokenSealer::ForTesting()),
        engine_({.sealer = sealer_.get(), .mailboxes = &registry_, .clock = RealClock()}),
        calls_(sealer_.get(), &registry_, engine_.calls(), RealClock()),
        name_(sealer_->SealMessage({.device_id = *DeviceId::FromBytes("0123456789abcdef"),
                                    .registration_id = 42,
                                    .message_id = *ParseUuid(kUuid)})) {
    registry_.get_message = [this](const internal::v1::GetMessageRequest&)
        -> absl::StatusOr<internal::v1::GetMessageResponse> {
      absl::MutexLock lock(&mutex_);
      ++questions_;
      internal::v1::GetMessageResponse response;
      response.mutable_message()->set_message_id(kUuid);
      response.mutable_message()->set_state(state_);
      response.mutable_message()->set_terminal(state_ != push::v1::STORED);
      return response;
    };
    door_.emplace(WebPushDoor::Options{.engine = &engine_,
                                       .calls = &calls_,
                                       .sealer = sealer_.get(),
                                       .clock = RealClock(),
                                       .receipts = {.first_interval = absl::Milliseconds(1),
                                                    .max_interval = absl::Milliseconds(10)}});
    auto listener =
        http::HttpListener::Start({.ports = {{.address = "127.0.0.1:0", .doors = {&*door_}}}});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  ~ReceiptPushTest() override {
    listener_.reset();
    door_.reset();
  }

  FILE* StartClient(const std::string& mode, const char* direction) {
    return popen(absl::StrCat("node gateway/doors/webpush/receipt_push_client.js http://127.0.0.1:",
                              listener_->port(), " /wpush/r/", name_, " ", mode)
                     .c_str(),
                 direction);
  }
  // What the client printed until its end.
  static std::vector<json> Finish(FILE* client) {
    std::string text;
    for (int c = fgetc(client); c != EOF; c = fgetc(client)) text.push_back(static_cast<char>(c));
    EXPECT_EQ(pclose(client), 0) << text;
    std::vector<json> lines;
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      lines.push_back(json::parse(line, nullptr, false));
    }
    return lines;
  }
  // The registry was asked so often: a reader waits.
  bool AwaitQuestions(int questions) {
    absl::MutexLock lock(&mutex_);
    const auto asked = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return questions_ >= questions; };
    return mutex_.AwaitWithTimeout(absl::Condition(&asked), absl::Seconds(30));
  }
  void SetState(push::v1::Step state) {
    absl::MutexLock lock(&mutex_);
    state_ = state;
  }
  json Promised(int status) const {
    return {{"promised", "GET /wpush/m/" + name_}, {"status", status}};
  }

  const std::unique_ptr<TokenSealer> sealer_;
  gateway::FakeRegistry registry_;
  gateway::SendEngine engine_;
  gateway::MessageCalls calls_;
  const std::string name_;
  absl::Mutex mutex_;
  push::v1::Step state_ ABSL_GUARDED_BY(mutex_) = push::v1::STORED;
  int questions_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<WebPushDoor> door_;
  std::unique_ptr<http::HttpListener> listener_;
};

TEST_F(ReceiptPushTest, ComesWhenTheAppHasAcknowledged) {
  FILE* const client = StartClient("push", "r");
  ASSERT_TRUE(AwaitQuestions(3)) << "the request waits";
  SetState(push::v1::APP_ACKED);
  EXPECT_THAT(Finish(client), UnorderedElementsAre(Promised(204), json{{"status", 204}}));
}

TEST_F(ReceiptPushTest, ComesWhenTheMessageHasExpired) {
  FILE* const client = StartClient("push", "r");
  ASSERT_TRUE(AwaitQuestions(3)) << "the request waits";
  SetState(push::v1::EXPIRED);
  EXPECT_THAT(Finish(client), UnorderedElementsAre(Promised(410), json{{"status", 410}}));
}

TEST_F(ReceiptPushTest, WaitsAsLongAsTheClientSays) {
  EXPECT_THAT(Finish(StartClient("push wait=1", "r")), ElementsAre(json{{"status", 202}}));
  EXPECT_TRUE(AwaitQuestions(3)) << "it did wait";
}

TEST_F(ReceiptPushTest, AClientWithoutPushIsAnsweredAtOnce) {
  EXPECT_THAT(Finish(StartClient("no_push", "r")), ElementsAre(json{{"status", 202}}));
  const std::string url = absl::StrCat("http://127.0.0.1:", listener_->port(), "/wpush/r/", name_);
  for (const char* version : {"--http2-prior-knowledge", "--http1.1"}) {
    FILE* const curl =
        popen(absl::StrCat("curl -sS ", version, " -w '%{http_code}' ", url).c_str(), "r");
    EXPECT_THAT(Finish(curl), ElementsAre(json(202))) << version;
  }
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(questions_, 3);
}

TEST_F(ReceiptPushTest, AClientThatLeavesIsNotWaitedFor) {
  // It leaves when its input ends.
  FILE* const client = StartClient("leave", "w");
  ASSERT_TRUE(AwaitQuestions(3)) << "the request waits";
  EXPECT_EQ(pclose(client), 0);
  // Hangs if something of it is left.
  door_->AwaitNoCalls();
}

}  // namespace
}  // namespace bellwire::webpush
