#include "ops/certificate_watch.h"

#include <stdlib.h>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "ops/data_dir_files.h"
#include "ops/init_data_dir.h"

namespace bellwire {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01

class CertificateWatchTest : public ::testing::Test {
 protected:
  CertificateWatchTest() : path_(::testing::TempDir() + "/watch_XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
    EXPECT_TRUE(InitDataDir(DataDir(path_ + "/data"), {"localhost", "127.0.0.1"}, kNow).ok());
  }

  std::string path_;
};

TEST_F(CertificateWatchTest, KnowsAllOfADataDirectory) {
  const DataDir dir(path_ + "/data");
  const std::vector<CertificateState> states = CertificatesOf(dir);
  ASSERT_EQ(states.size(), 4u);
  EXPECT_EQ(states[1].file, dir.server_certificate());
  EXPECT_EQ(states[1].names, (std::vector<std::string>{"localhost", "127.0.0.1"}));
  EXPECT_EQ(states[1].roles, "");
  EXPECT_EQ(states[3].file, dir.internal_node_certificate());
  EXPECT_EQ(states[3].roles, "gateway, connector, registry");
  for (const CertificateState& state : states) {
    EXPECT_EQ(state.not_after, kNow + kCertificateLifetime);
    EXPECT_TRUE(state.IsGood(kNow));
    EXPECT_FALSE(state.IsGood(kNow - absl::Hours(48))) << "it began later";
  }
  EXPECT_TRUE(CertificatesOf(DataDir(path_ + "/none")).empty());
}

TEST_F(CertificateWatchTest, WarnsThirtyDaysAhead) {
  const std::vector<CertificateState> states = CertificatesOf(DataDir(path_ + "/data"));
  const absl::Time end = kNow + kCertificateLifetime;
  EXPECT_EQ(WarnOfExpiry(states, end - absl::Hours(31 * 24)), 0u);
  testing::internal::CaptureStderr();
  EXPECT_EQ(WarnOfExpiry(states, end - absl::Hours(29 * 24)), 4u);
  std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::StrContains(log, "event=certificate_expires")) << log;
  EXPECT_TRUE(absl::StrContains(log, "days=29")) << log;
  EXPECT_TRUE(absl::StrContains(log, "/data/internal/node.pem")) << log;
  testing::internal::CaptureStderr();
  EXPECT_EQ(WarnOfExpiry(states, end + absl::Hours(1)), 4u);
  log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::StrContains(log, "level=error event=certificate_expired")) << log;
}

TEST_F(CertificateWatchTest, EndsAtOnce) {
  const CertificateWatch watch(DataDir(path_ + "/data"), RealClock());
}

}  // namespace
}  // namespace bellwire
