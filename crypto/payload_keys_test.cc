#include "crypto/payload_keys.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "crypto/file_util.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

class PayloadKeysTest : public testing::Test {
 protected:
  std::string Reason(absl::string_view text) {
    return ErrorReason(PayloadKeys::Parse(text, path_).status());
  }

  const TempDir directory_;
  const std::string path_ = directory_.path("keys");
};

TEST_F(PayloadKeysTest, AFileIsMadeOnceAndPrivate) {
  ASSERT_TRUE(PayloadKeys::CreateFile(path_).ok());
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(ErrorReason(PayloadKeys::CreateFile(path_)), "FILE_EXISTS");
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  EXPECT_EQ(ErrorReason(PayloadKeys::FromFile(path_).status()), "FILE_NOT_PRIVATE");
}

TEST_F(PayloadKeysTest, ANewKeyComesFirst) {
  ASSERT_TRUE(PayloadKeys::CreateFile(path_).ok());
  const auto one = PayloadKeys::FromFile(path_);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_EQ((*one)->keys().size(), 1u);
  const std::string old_id = (*one)->newest().id;
  ASSERT_TRUE(PayloadKeys::AddKey(path_).ok());
  const auto two = PayloadKeys::FromFile(path_);
  ASSERT_TRUE(two.ok()) << two.status();
  ASSERT_EQ((*two)->keys().size(), 2u);
  EXPECT_NE((*two)->newest().id, old_id);
  ASSERT_NE((*two)->Find(old_id), nullptr);
  EXPECT_EQ((*two)->Find(old_id)->bytes, (*one)->newest().bytes);
  EXPECT_EQ((*two)->Find("nothing."), nullptr);
}

TEST_F(PayloadKeysTest, NoMoreThanSixteen) {
  ASSERT_TRUE(PayloadKeys::CreateFile(path_).ok());
  for (size_t i = 1; i < PayloadKeys::kMaxKeys; ++i) ASSERT_TRUE(PayloadKeys::AddKey(path_).ok());
  EXPECT_EQ(ErrorReason(PayloadKeys::AddKey(path_)), "TOO_MANY_KEYS");
  const auto keys = PayloadKeys::FromFile(path_);
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ((*keys)->keys().size(), PayloadKeys::kMaxKeys);
}

TEST_F(PayloadKeysTest, ADamagedKeyIsNoticed) {
  ASSERT_TRUE(PayloadKeys::CreateFile(path_).ok());
  std::string text = *ReadPrivateFile(path_);
  EXPECT_TRUE(PayloadKeys::Parse(text, path_).ok());
  // The last digit of the key.
  char& digit = text[text.size() - 2];
  digit = digit == '0' ? '1' : '0';
  const absl::Status status = PayloadKeys::Parse(text, path_).status();
  EXPECT_EQ(ErrorReason(status), "BAD_PAYLOAD_KEY_FILE");
  EXPECT_TRUE(absl::StrContains(status.message(), "line 4 is damaged")) << status;
}

TEST_F(PayloadKeysTest, WhatIsNoKeyIsRefused) {
  EXPECT_EQ(Reason(""), "BAD_PAYLOAD_KEY_FILE");
  EXPECT_EQ(Reason("# nothing but this\n\n"), "BAD_PAYLOAD_KEY_FILE");
  EXPECT_EQ(Reason("0123456789abcdef"), "BAD_PAYLOAD_KEY_FILE");
  EXPECT_EQ(Reason(std::string(81, 'x')), "BAD_PAYLOAD_KEY_FILE");
  ASSERT_TRUE(PayloadKeys::CreateFile(path_).ok());
  const std::string text = *ReadPrivateFile(path_);
  EXPECT_EQ(Reason(text + text), "BAD_PAYLOAD_KEY_FILE") << "the same key twice";
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_EQ(Reason(absl::StrCat(lines[3], " and more")), "BAD_PAYLOAD_KEY_FILE");
}

}  // namespace
}  // namespace bellwire
