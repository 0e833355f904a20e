#include "device-agent/enrolment/enrolment.h"

#include <filesystem>
#include <string>

#include "common/clock.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "crypto/certificates.h"
#include "crypto/enrolment_token.h"
#include "crypto/file_util.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

class EnrolmentTest : public ::testing::Test {
 protected:
  std::string path() const { return dir_.path("enrolment"); }

  const TempDir dir_;
  const std::string token_ = NewEnrolmentToken("abcdefgh23");
};

TEST_F(EnrolmentTest, WithoutAFileThereIsNone) {
  Enrolment enrolment(path());
  EXPECT_EQ(enrolment.token(), "");
  enrolment.OnLetIn();
  EXPECT_FALSE(std::filesystem::exists(path())) << "an open server writes nothing";
}

TEST_F(EnrolmentTest, ACertificateIsShownAsALineUntilThePhoneWasLetIn) {
  const absl::Time now = RealClock()->WallNow();
  const auto ca = MakeCertificateAuthority("devices", {now, now + absl::Hours(1)});
  ASSERT_TRUE(ca.ok()) << ca.status();
  Enrolment enrolment(path());
  ASSERT_TRUE(enrolment.TakeUnlessUsed(ca->certificate_pem).ok());
  const std::string line = enrolment.token();
  EXPECT_EQ(line.substr(0, 4), "bwc_");
  EXPECT_EQ(Enrolment(path()).token(), line);
  enrolment.OnLetIn();
  ASSERT_TRUE(enrolment.TakeUnlessUsed(ca->certificate_pem).ok());
  EXPECT_EQ(enrolment.token(), "") << "it was used";
  // By its line, too.
  ASSERT_TRUE(enrolment.Take(line + "\n").ok());
  EXPECT_EQ(enrolment.token(), line);
  EXPECT_EQ(ErrorReason(enrolment.Take("-----BEGIN CERTIFICATE-----\nAAAA")),
            "BAD_DEVICE_CERTIFICATE");
  EXPECT_EQ(ErrorReason(enrolment.Take("bwc_two words")), "BAD_ENROLMENT");
  EXPECT_EQ(enrolment.token(), line) << "what is none changes nothing";
}

TEST_F(EnrolmentTest, ATokenSurvivesUntilThePhoneWasLetIn) {
  ASSERT_TRUE(Enrolment(path()).Take(token_ + "\n").ok());
  EXPECT_EQ(std::filesystem::status(path()).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  Enrolment again(path());
  EXPECT_EQ(again.token(), token_);
  again.OnLetIn();
  EXPECT_EQ(again.token(), "");
  EXPECT_EQ(Enrolment(path()).token(), "");
  EXPECT_EQ(ReadWholeFile(path())->find(token_), std::string::npos) << "the token is not kept";
}

TEST_F(EnrolmentTest, AConfigurationSaysItWithEachStart) {
  {
    Enrolment first(path());
    ASSERT_TRUE(first.TakeUnlessUsed(token_).ok());
    EXPECT_EQ(first.token(), token_);
    first.OnLetIn();
  }
  Enrolment second(path());
  ASSERT_TRUE(second.TakeUnlessUsed(token_).ok());
  EXPECT_EQ(second.token(), "") << "it was used";
  const std::string other = NewEnrolmentToken("abcdefgh23");
  ASSERT_TRUE(second.TakeUnlessUsed(other).ok());
  EXPECT_EQ(second.token(), other);
}

TEST_F(EnrolmentTest, WhatIsNoTokenIsRefusedAndTheOneThereStays) {
  Enrolment enrolment(path());
  ASSERT_TRUE(enrolment.Take(token_).ok());
  EXPECT_EQ(ErrorReason(enrolment.Take("bwe_nonsense")), "BAD_ENROLMENT");
  EXPECT_EQ(ErrorReason(enrolment.Take("")), "BAD_ENROLMENT");
  EXPECT_EQ(enrolment.token(), token_);
  EXPECT_EQ(Enrolment(path()).token(), token_);
}

TEST_F(EnrolmentTest, AFileThatIsNoGoodIsNothing) {
  for (const char* text : {"", "token", "token bwe_short", "nonsense\n", "used"}) {
    ASSERT_TRUE(ReplaceFileAtomically(path(), text, FileAccess::kPrivate).ok());
    EXPECT_EQ(Enrolment(path()).token(), "") << text;
  }
}

TEST_F(EnrolmentTest, ADiskThatRefusesIsSaid) {
  Enrolment enrolment(dir_.path("missing/enrolment"));
  EXPECT_FALSE(enrolment.Take(token_).ok());
  EXPECT_EQ(enrolment.token(), "");
}

}  // namespace
}  // namespace bellwire::agent
