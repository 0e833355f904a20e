#include "device-agent/apps/app_policy.h"

#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

constexpr char kBank[] = "com.bank.app";

AppPolicy Policy(absl::string_view text) {
  absl::StatusOr<AppPolicy> policy = AppPolicy::Parse(text);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *std::move(policy) : AppPolicy();
}

TEST(AppPolicyTest, WithoutOneEverybodyMay) { EXPECT_TRUE(AppPolicy().Allows(kBank, 1000, "")); }

TEST(AppPolicyTest, EachConditionOfARuleMustHold) {
  const AppPolicy policy = Policy(
      "# The bank's.\n"
      "com.bank.app uid=1001 executable=/usr/bin/bank\tsandbox=flatpak:com.bank.app # all "
      "three\r\n");
  const AppOwner bank(1001, "flatpak:com.bank.app");
  EXPECT_TRUE(policy.Allows(kBank, bank, "/usr/bin/bank"));
  EXPECT_FALSE(policy.Allows(kBank, AppOwner(1002, bank.sandbox), "/usr/bin/bank"));
  EXPECT_FALSE(policy.Allows(kBank, AppOwner(0, bank.sandbox), "/usr/bin/bank")) << "nor may root";
  EXPECT_FALSE(policy.Allows(kBank, AppOwner(1001), "/usr/bin/bank"));
  EXPECT_FALSE(policy.Allows(kBank, AppOwner(1001, "flatpak:evil"), "/usr/bin/bank"));
  EXPECT_FALSE(policy.Allows(kBank, bank, "/usr/bin/bank (deleted)"));
  EXPECT_FALSE(policy.Allows(kBank, bank, "")) << "what can't be read is not right";
  EXPECT_TRUE(policy.Allows("com.example.mail", 1002, "")) << "nobody pinned it";
}

TEST(AppPolicyTest, OneOfSeveralRulesMustHold) {
  const AppPolicy policy = Policy("com.bank.app uid=1001\ncom.bank.app uid=1002\n");
  EXPECT_EQ(policy.rules(), 2u);
  EXPECT_TRUE(policy.Allows(kBank, 1001, ""));
  EXPECT_TRUE(policy.Allows(kBank, 1002, ""));
  EXPECT_FALSE(policy.Allows(kBank, 1003, ""));
}

TEST(AppPolicyTest, AStarIsForAllThatNoLineNames) {
  const AppPolicy closed = Policy("* nobody\ncom.bank.app uid=1001");
  EXPECT_TRUE(closed.Allows(kBank, 1001, ""));
  EXPECT_FALSE(closed.Allows(kBank, 1002, ""));
  EXPECT_FALSE(closed.Allows("com.example.mail", 1001, ""));
  const AppPolicy mine = Policy("* uid=1001\ncom.bank.app nobody");
  EXPECT_TRUE(mine.Allows("com.example.mail", 1001, ""));
  EXPECT_FALSE(mine.Allows(kBank, 1001, "")) << "the star is not for it";
}

TEST(AppPolicyTest, AnEmptyFileIsAnErrorAndNotAnOpenDoor) {
  for (const char* text : {"", "\n\n", "# com.bank.app uid=1001\n"}) {
    const absl::Status status = AppPolicy::Parse(text).status();
    EXPECT_EQ(ErrorReason(status), "BAD_POLICY") << text;
  }
}

TEST(AppPolicyTest, AMistakeNamesItsLine) {
  for (const char* line :
       {"com.bank.app", "bank uid=1", "** uid=1", "com.bank.app uid=", "com.bank.app uid=alice",
        "com.bank.app uid=-1", "com.bank.app uid=4294967296", "com.bank.app uid=1 uid=2",
        "com.bank.app executable=bank", "com.bank.app executable=/a executable=/b",
        "com.bank.app sandbox=", "com.bank.app sandbox=a sandbox=b", "com.bank.app nobody uid=1",
        "com.bank.app uid=1 nobody", "com.bank.app user=1", "com.bank.app everybody"}) {
    const absl::Status status =
        AppPolicy::Parse(absl::StrCat("com.a.b uid=1\n", line, "\n")).status();
    EXPECT_EQ(ErrorReason(status), "BAD_POLICY") << line;
    EXPECT_EQ(status.message().substr(0, 7), "line 2:") << status;
  }
  std::string many;
  for (size_t i = 0; i <= kMaxPolicyRules; ++i) absl::StrAppend(&many, "com.a.b uid=", i, "\n");
  EXPECT_EQ(ErrorReason(AppPolicy::Parse(many).status()), "BAD_POLICY");
}

TEST(AppPolicyTest, AFileThatOthersCanWriteIsRefused) {
  const TempDir dir;
  const std::string path = dir.path("policy");
  EXPECT_TRUE(absl::IsNotFound(AppPolicy::Load(path).status()));
  std::ofstream(path) << "com.bank.app uid=1001\n";
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  ASSERT_TRUE(AppPolicy::Load(path).ok()) << AppPolicy::Load(path).status();
  EXPECT_EQ(AppPolicy::Load(path)->rules(), 1u);
  for (const mode_t mode : {0664, 0646}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_EQ(ErrorReason(AppPolicy::Load(path).status()), "POLICY_NOT_PRIVATE") << mode;
  }
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  std::ofstream(path) << "com.bank.app\n";
  const absl::Status status = AppPolicy::Load(path).status();
  EXPECT_NE(status.message().find(path), std::string::npos) << status;
  EXPECT_NE(status.message().find("line 1"), std::string::npos) << status;
}

}  // namespace
}  // namespace bellwire::agent
