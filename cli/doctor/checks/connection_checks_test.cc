#include "cli/doctor/checks/connection_checks.h"

#include <errno.h>
#include <openssl/x509_vfy.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using Step = ConnectionFacts::Step;
using Kind = ConnectionFacts::Kind;
using device::v1::GoAway;

ConnectionFacts Connection(Step failed) {
  ConnectionFacts facts;
  facts.address = "push.example.com:7444";
  facts.server_name = "push.example.com";
  facts.failed = failed;
  facts.ca_path = "/etc/bellwire/ca.pem";
  facts.message = "the system's words";
  facts.our_time = absl::FromUnixSeconds(1'800'000'000);
  return facts;
}

// The only finding's cause; "" if there is none.
std::string CauseOf(const ConnectionFacts& facts, Part part = Part::kAgent) {
  Findings findings;
  CheckConnection(part, facts, &findings);
  if (findings.empty()) return "";
  EXPECT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].part, part);
  EXPECT_EQ(findings[0].subject, facts.address);
  EXPECT_FALSE(findings[0].what.empty() || findings[0].to_do.empty());
  return findings[0].cause;
}

TEST(ConnectionChecksTest, EveryStepThatFailsHasACause) {
  EXPECT_EQ(CauseOf(Connection(Step::kNone)), "");
  EXPECT_EQ(CauseOf(Connection(Step::kAddress)), "BAD_ADDRESS");
  EXPECT_EQ(CauseOf(Connection(Step::kName)), "NAME_NOT_RESOLVED");
  EXPECT_EQ(CauseOf(Connection(Step::kProtocol)), "WRONG_PORT");
  EXPECT_EQ(CauseOf(Connection(Step::kTls)), "TLS_FAILED");
  EXPECT_EQ(CauseOf(Connection(Step::kAnswer)), "NOT_A_BELLWIRE_PORT");
  for (const Step step : {Step::kTls, Step::kAnswer}) {
    ConnectionFacts silent = Connection(step);
    silent.timed_out = true;
    EXPECT_EQ(CauseOf(silent), "PORT_DOES_NOT_ANSWER");
  }
  ConnectionFacts plain = Connection(Step::kTls);
  plain.not_tls = true;
  EXPECT_EQ(CauseOf(plain), "NOT_TLS");
}

TEST(ConnectionChecksTest, TcpFailsInWaysOfItsOwn) {
  const auto with_error = [](int error) {
    ConnectionFacts facts = Connection(Step::kTcp);
    facts.error = error;
    return facts;
  };
  EXPECT_EQ(CauseOf(with_error(ECONNREFUSED)), "PORT_CLOSED");
  EXPECT_EQ(CauseOf(with_error(ENETUNREACH)), "NO_ROUTE");
  EXPECT_EQ(CauseOf(with_error(EHOSTUNREACH)), "NO_ROUTE");
  EXPECT_EQ(CauseOf(with_error(EMFILE)), "NO_CONNECTION");
  ConnectionFacts lost = Connection(Step::kTcp);
  lost.timed_out = true;
  EXPECT_EQ(CauseOf(lost), "SERVER_UNREACHABLE");
  EXPECT_EQ(CauseOf(lost, Part::kServer), "SERVER_UNREACHABLE");
}

TEST(ConnectionChecksTest, ACertificateIsRefusedForAReason) {
  const auto refused = [](int error) {
    ConnectionFacts facts = Connection(Step::kTrust);
    facts.verify_error = error;
    facts.certificate = CertificateFacts{.parsed = true, .names = {"localhost"}, .pin = "aa"};
    return facts;
  };
  EXPECT_EQ(CauseOf(refused(0)), "WRONG_PIN");
  EXPECT_EQ(CauseOf(Connection(Step::kTrust)), "CA_UNUSABLE");
  EXPECT_EQ(CauseOf(refused(X509_V_ERR_CERT_HAS_EXPIRED)), "CERTIFICATE_EXPIRED");
  EXPECT_EQ(CauseOf(refused(X509_V_ERR_CERT_NOT_YET_VALID)), "CERTIFICATE_NOT_YET_VALID");
  EXPECT_EQ(CauseOf(refused(X509_V_ERR_HOSTNAME_MISMATCH)), "CERTIFICATE_LACKS_NAME");
  EXPECT_EQ(CauseOf(refused(X509_V_ERR_IP_ADDRESS_MISMATCH)), "CERTIFICATE_LACKS_NAME");
  EXPECT_EQ(CauseOf(refused(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)), "WRONG_CA");
  EXPECT_EQ(CauseOf(refused(X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)), "WRONG_CA");
  EXPECT_EQ(CauseOf(refused(X509_V_ERR_INVALID_PURPOSE)), "CERTIFICATE_NOT_TRUSTED");
}

TEST(ConnectionChecksTest, AServerThatCantServeSaysWhy) {
  const auto gone_away = [](GoAway::Reason reason) {
    ConnectionFacts facts = Connection(Step::kAnswer);
    facts.go_away = reason;
    return facts;
  };
  EXPECT_EQ(CauseOf(gone_away(GoAway::OVERLOADED)), "SERVER_OVERLOADED");
  EXPECT_EQ(CauseOf(gone_away(GoAway::LOGIN_TIMEOUT)), "SERVER_OVERLOADED");
  EXPECT_EQ(CauseOf(gone_away(GoAway::DRAINING)), "SERVER_STOPS");
  ConnectionFacts draining = Connection(Step::kAnswer);
  draining.kind = Kind::kProviderPort;
  draining.http_status = 503;
  EXPECT_EQ(CauseOf(draining), "SERVER_STOPS");
}

TEST(ConnectionChecksTest, NamesThePort) {
  Findings findings;
  ConnectionFacts facts = Connection(Step::kTcp);
  facts.kind = Kind::kAdminPort;
  facts.error = ECONNREFUSED;
  CheckConnection(Part::kServer, facts, &findings);
  facts.failed = Step::kProtocol;
  CheckConnection(Part::kServer, facts, &findings);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_THAT(findings[0].what, testing::HasSubstr("the admin port"));
  EXPECT_THAT(findings[1].what, testing::HasSubstr("no admin port"));
  EXPECT_THAT(findings[1].to_do, testing::HasSubstr("--admin_listen"));
}

TEST(ConnectionChecksTest, AClockMayDifferByHalfAMinute) {
  ConnectionFacts facts = Connection(Step::kNone);
  facts.server_time = facts.our_time - kMaxClockDifference;
  EXPECT_EQ(CauseOf(facts), "");
  facts.server_time = facts.our_time - kMaxClockDifference - absl::Seconds(1);
  EXPECT_EQ(CauseOf(facts), "CLOCK_DIFFERS");
  facts.server_time = facts.our_time + kMaxClockDifference + absl::Seconds(1);
  EXPECT_EQ(CauseOf(facts), "CLOCK_DIFFERS");
}

}  // namespace
}  // namespace bellwire::cli
