// Both ends against each other, with the frames carried by hand.

#include "rpc/session_ends.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "rpc/testing/fake_sessions.h"

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::SessionEvent;
using internal::v1::SessionRequest;
using Strings = std::vector<std::string>;

class SessionEndsTest : public testing::Test, public ConnectorApi {
 protected:
  static internal::v1::Attach Attach() {
    internal::v1::Attach attach;
    attach.set_connector_incarnation(5);
    return attach;
  }
  bool HandOver(ConnectorRequest request) override {
    order_.push_back(absl::StrCat("handed ", request.deliver().message().seq()));
    return true;
  }
  static ConnectorRequest Delivery(uint64_t seq) {
    ConnectorRequest request;
    request.mutable_deliver()->mutable_message()->set_seq(seq);
    return request;
  }
  void Pull(const std::string& device) {
    internal::v1::PullRequest request;
    request.set_device_id(device);
    caller_.Pull(request, [this](const absl::StatusOr<internal::v1::PullResponse>& page) {
      order_.push_back(page.ok() ? absl::StrCat("pulled ", page->epoch())
                                 : absl::StrCat("failed ", ErrorReason(page.status())));
    });
  }
  void CarryUp() {
    while (std::optional<SessionRequest> frame = caller_.Next()) {
      if (frame->has_attach()) {
        ++attached_;
      } else {
        server_->OnRequest(*std::move(frame));
      }
    }
  }
  void CarryDown() {
    while (std::optional<SessionEvent> frame = server_->Next()) {
      caller_.OnEvent(*std::move(frame));
    }
  }

  Strings order_;
  int attached_ = 0;
  int caller_wakes_ = 0;
  FakeSessions registry_;
  SessionCaller caller_{Attach(), this, [this] { ++caller_wakes_; }};
  const std::shared_ptr<SessionServer> server_ = std::make_shared<SessionServer>(&registry_, [] {});
};

TEST_F(SessionEndsTest, TheFirstFrameSaysWhoSpeaks) {
  Pull("a");
  const std::optional<SessionRequest> first = caller_.Next();
  ASSERT_TRUE(first.has_value() && first->has_attach());
  EXPECT_EQ(first->attach().connector_incarnation(), 5u);
  EXPECT_TRUE(caller_.Next()->has_pull());
  EXPECT_FALSE(caller_.has_next());
  EXPECT_EQ(caller_wakes_, 1);
}

TEST_F(SessionEndsTest, EveryCallArrivesAndIsAnswered) {
  int answered = 0;
#define BELLWIRE_EXPECT(Contract, Method, Request, Response)                \
  caller_.Method(Request(), [&](const absl::StatusOr<Response>& response) { \
    EXPECT_TRUE(response.ok()) << #Method << response.status();             \
    ++answered;                                                             \
  });
  BELLWIRE_SESSION_METHODS(BELLWIRE_EXPECT)
#undef BELLWIRE_EXPECT
  CarryUp();
  registry_.AnswerAll();
  CarryDown();
  EXPECT_EQ(answered, 10);
  EXPECT_EQ(registry_.calls(), (Strings{"Bind", "Unbind", "Pull", "Ack", "AppAck", "ReportSent",
                                        "RegisterApp", "RemoveApp", "Resume", "HandedOver"}));
  EXPECT_EQ(server_->unanswered(), 0u);
}

TEST_F(SessionEndsTest, AnswersAndHandOversArriveInTheOrderOfTheRegistry) {
  Pull("a");
  Pull("b");
  CarryUp();
  EXPECT_TRUE(server_->HandOver(Delivery(1)));
  registry_.AnswerNext();
  EXPECT_TRUE(server_->HandOver(Delivery(2)));
  EXPECT_TRUE(server_->HandOver(Delivery(3)));
  registry_.AnswerNext();
  EXPECT_TRUE(server_->HandOver(Delivery(4)));
  CarryDown();
  EXPECT_EQ(order_,
            (Strings{"handed 1", "pulled 0", "handed 2", "handed 3", "pulled 0", "handed 4"}));
}

TEST_F(SessionEndsTest, ErrorsKeepAllTheySay) {
  const absl::Status stale = WithMetadata(
      MakeError(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN", "a later one is bound"),
      "winning_login_number", "17");
  absl::Status status;
  caller_.Bind(internal::v1::BindRequest(),
               [&](const absl::StatusOr<internal::v1::BindResponse>& r) { status = r.status(); });
  CarryUp();
  registry_.FailNext(stale);
  CarryDown();
  EXPECT_EQ(status, stale);
}

TEST_F(SessionEndsTest, TheEndOfTheStreamAnswersWhatIsOpenAndWhatComesLater) {
  Pull("a");
  CarryUp();
  Pull("b");
  caller_.End();
  EXPECT_EQ(order_, (Strings{"failed REGISTRY_UNAVAILABLE", "failed REGISTRY_UNAVAILABLE"}));
  Pull("c");
  EXPECT_EQ(order_.back(), "failed REGISTRY_UNAVAILABLE");
  EXPECT_EQ(order_.size(), 3u);
  EXPECT_FALSE(caller_.has_next());
  // The registry's end: an answer that comes late goes nowhere.
  server_->End();
  EXPECT_FALSE(server_->HandOver(Delivery(1)));
  registry_.AnswerAll();
  EXPECT_FALSE(server_->has_next());
}

TEST_F(SessionEndsTest, UnansweredCallsAreBounded) {
  for (size_t i = 0; i < kMaxRegistryQueue; ++i) Pull("a");
  EXPECT_TRUE(order_.empty());
  Pull("a");
  EXPECT_EQ(order_, Strings{"failed OVERLOADED"});
}

TEST_F(SessionEndsTest, ASignOfLifeIsNoCall) {
  caller_.OnEvent(SessionEvent());
  server_->OnRequest(SessionRequest());
  EXPECT_EQ(server_->unanswered(), 0u);
  EXPECT_FALSE(server_->has_next());
  // A call of a later version has an answer.
  SessionRequest unknown;
  unknown.set_id(9);
  server_->OnRequest(unknown);
  const std::optional<SessionEvent> answer = server_->Next();
  ASSERT_TRUE(answer.has_value() && answer->has_error());
  EXPECT_EQ(answer->id(), 9u);
  EXPECT_EQ(answer->error().code(), 12);
}

}  // namespace
}  // namespace bellwire
