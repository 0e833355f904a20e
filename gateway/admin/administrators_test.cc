#include "gateway/admin/administrators.h"

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

std::string Hex() { return std::string(64, 'a'); }

TEST(AdministratorsTest, WhatIsRenderedIsReadAgain) {
  const std::vector<AdministratorEntry> entries = {
      {{"alice", AdminRole::kOwner}, DigestOfToken("a")},
      {{"bob@example.com", AdminRole::kOperator}, DigestOfToken("b")},
      {{"monitor", AdminRole::kReadOnly}, DigestOfToken("c")},
      {{"tom", AdminRole::kOperator, "teamteam22"}, DigestOfToken("d")}};
  const auto read = ParseAdministrators(RenderAdministrators(entries));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 4u);
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ((*read)[i].administrator.name, entries[i].administrator.name);
    EXPECT_EQ((*read)[i].administrator.role, entries[i].administrator.role);
    EXPECT_EQ((*read)[i].administrator.team_id, entries[i].administrator.team_id);
    EXPECT_EQ((*read)[i].digest, entries[i].digest);
  }
  EXPECT_TRUE(ParseAdministrators("\n# nobody\n")->empty());
}

TEST(AdministratorsTest, AMistakeNamesItsLine) {
  for (const std::string& line :
       {std::string("alice owner"), absl::StrCat("alice owner ", Hex(), " more"),
        absl::StrCat("alice owner ", Hex(), " teamteam22 more"),
        absl::StrCat("alice root ", Hex()), absl::StrCat("alice Owner ", Hex()),
        absl::StrCat("al/ice owner ", Hex()), absl::StrCat("alice owner ", Hex(), "a"),
        absl::StrCat("alice owner x", Hex().substr(1)), absl::StrCat("first owner ", Hex()),
        absl::StrCat(std::string(kMaxAdministratorNameBytes + 1, 'a'), " owner ", Hex())}) {
    const absl::Status status =
        ParseAdministrators(absl::StrCat("first read-only ", Hex(), "\n", line)).status();
    EXPECT_EQ(ErrorReason(status), "BAD_ADMINISTRATORS") << line;
    EXPECT_EQ(status.message().substr(0, 7), "line 2:") << status;
  }
  std::string many;
  for (size_t i = 0; i <= kMaxAdministrators; ++i) {
    absl::StrAppend(&many, "a", i, " owner ", Hex(), "\n");
  }
  EXPECT_EQ(ErrorReason(ParseAdministrators(many).status()), "BAD_ADMINISTRATORS");
}

}  // namespace
}  // namespace bellwire::gateway
