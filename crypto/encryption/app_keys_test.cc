#include "crypto/encryption/app_keys.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/error.h"
#include "crypto/encryption/encrypted_token.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

class AppKeysTest : public testing::Test {
 protected:
  AppKeysTest() { std::filesystem::remove(path_); }
  void Write(const std::string& contents) {
    std::ofstream(path_) << contents;
    std::filesystem::permissions(path_, std::filesystem::perms(0600));
  }
  const std::string path_ = testing::TempDir() + "/app_keys";
};

TEST_F(AppKeysTest, TheyAreMadeOnceAndReadAgain) {
  const auto first = AppKeys::LoadOrCreate(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const auto second = AppKeys::LoadOrCreate(path_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->recipient(), (*first)->recipient());

  const EncryptedToken token{"00", (*first)->recipient()};
  EXPECT_EQ((*second)->Decrypt(*EncryptPayload(token, "hello")).value(), "hello");
  EXPECT_NE((*AppKeys::Generate())->recipient(), (*first)->recipient());
}

TEST_F(AppKeysTest, ReplacedOnesReadNothingThatWasSentBefore) {
  const EncryptedToken token{"00", (*AppKeys::LoadOrCreate(path_))->recipient()};
  const auto replaced = AppKeys::Replace(path_);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_EQ((*AppKeys::LoadOrCreate(path_))->recipient(), (*replaced)->recipient());
  const auto text = (*replaced)->Decrypt(*EncryptPayload(token, "old"));
  EXPECT_EQ(ErrorReason(text.status()), "BAD_ENCRYPTION");
  EXPECT_FALSE(AppKeys::Replace(testing::TempDir() + "/nowhere/app_keys").ok());
}

TEST_F(AppKeysTest, ADamagedFileIsNotReplaced) {
  const std::string good = (*AppKeys::Generate())->Format();
  ASSERT_TRUE(AppKeys::Parse(good).ok());
  const std::string bad[] = {
      "",
      "x",
      good.substr(0, good.size() - 1),
      good + "\n",
      absl::StrCat("x", good.substr(good.find("-----END"))),
      absl::StrReplaceAll(good, {{"PRIVATE KEY-----\n", "PRIVATE KEY-----\nA"}}),
  };
  for (const std::string& contents : bad) {
    Write(contents);
    const auto keys = AppKeys::LoadOrCreate(path_);
    EXPECT_EQ(ErrorReason(keys.status()), "BAD_APP_KEYS") << contents;
    EXPECT_TRUE(absl::IsFailedPrecondition(keys.status()));
    std::filesystem::remove(path_);
  }
  Write(good);
  std::filesystem::permissions(path_, std::filesystem::perms(0644));
  EXPECT_EQ(ErrorReason(AppKeys::LoadOrCreate(path_).status()), "FILE_NOT_PRIVATE");
}

}  // namespace
}  // namespace bellwire
