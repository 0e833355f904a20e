// An agent at a server that takes enrolled devices only, and one whose device was revoked.

#include <memory>
#include <string>
#include <vector>

#include "crypto/enrolment_token.h"
#include "device-agent/testing/agent_core_fixture.h"

namespace bellwire::agent {
namespace {

constexpr char kMail[] = "com.example.mail";

class AgentCoreEnrolmentTest : public AgentCoreFixture {
 protected:
  // Closes the connection as a connector does that turns the device away.
  void TurnAway(device::v1::GoAway::Reason reason) {
    device::v1::ConnectorFrame frame;
    frame.mutable_go_away()->set_reason(reason);
    frame.mutable_go_away()->set_detail("the server says why");
    server_.Send(frame);
    server_.Drop();
    Run(kSoon);
  }
  // An agent without a session, at a server that does not know it.
  void StartTurnedAway() {
    KillAgent();
    server_.Drop();
    server_.answers_logins = false;
    StartAgent();
    Run(kSoon);
    TurnAway(device::v1::GoAway::NOT_ENROLLED);
  }
  // As this user: what the agent answers. Empty: nothing.
  std::string Enroll(const std::string& token, AppOwner who) {
    auto app = App("", true, std::move(who));
    v1::AppFrame frame;
    frame.mutable_enroll()->set_token(token);
    app->Send(frame);
    Run(absl::Milliseconds(20));
    if (!app->errors.empty()) return v1::Error::Code_Name(app->errors.back());
    if (app->enrolled.empty()) return "";
    return app->enrolled.back().not_needed() ? "not needed" : "taken";
  }

  const std::string token_ = NewEnrolmentToken("abcdefgh23");
};

TEST_F(AgentCoreEnrolmentTest, ATokenIsShownUntilTheServerLetsThePhoneIn) {
  StartTurnedAway();
  ASSERT_FALSE(server_.logins.empty());
  EXPECT_EQ(server_.logins.back().enrolment_token(), "");
  const size_t before = server_.logins.size();
  Run(absl::Minutes(50));
  EXPECT_EQ(server_.logins.size(), before) << "it does not hammer";
  v1::Status status;
  core_->FillStatus(&status);
  EXPECT_NE(status.last_error().find("NOT_ENROLLED"), std::string::npos) << status.last_error();
  EXPECT_NE(status.last_error().find("bellwire agent enroll"), std::string::npos);

  server_.answers_logins = true;
  EXPECT_EQ(Enroll(token_, 0), "taken");
  Run(kSoon);
  RunUntilReady();
  EXPECT_EQ(server_.logins.back().enrolment_token(), token_);
  EXPECT_EQ(Enroll(token_, kAgentUid), "not needed");
  // It is let in, and never shows it again.
  server_.Drop();
  Run(kSoon);
  RunUntilReady();
  EXPECT_EQ(server_.logins.back().enrolment_token(), "");
}

TEST_F(AgentCoreEnrolmentTest, ATokenSurvivesTheAgent) {
  StartTurnedAway();
  EXPECT_EQ(Enroll(token_, 0), "taken");
  KillAgent();
  server_.answers_logins = true;
  StartAgent();
  RunUntilReady();
  EXPECT_EQ(server_.logins.back().enrolment_token(), token_);
}

TEST_F(AgentCoreEnrolmentTest, NoAppEnrolsThePhone) {
  StartTurnedAway();
  EXPECT_EQ(Enroll(token_, kUser), "PERMISSION_DENIED");
  EXPECT_EQ(Enroll("bwe_nonsense", 0), "PROTOCOL_ERROR");
  const size_t before = server_.logins.size();
  Run(absl::Minutes(50));
  EXPECT_EQ(server_.logins.size(), before);
}

TEST_F(AgentCoreEnrolmentTest, ARevokedPhoneSaysSoAndStaysAwayForAnHour) {
  RunUntilReady();
  auto app = App(kMail);
  const size_t before = server_.logins.size();
  TurnAway(device::v1::GoAway::REVOKED);
  Run(absl::Minutes(59));
  EXPECT_EQ(server_.logins.size(), before);
  v1::Status status;
  core_->FillStatus(&status);
  EXPECT_NE(status.last_error().find("REVOKED"), std::string::npos) << status.last_error();
  EXPECT_NE(status.last_error().find("the server says why"), std::string::npos);
  Run(absl::Minutes(2));
  EXPECT_EQ(server_.logins.size(), before + 1);
}

}  // namespace
}  // namespace bellwire::agent
