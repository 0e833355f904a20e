#include "ops/config_file.h"

#include <fstream>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ConfigFileTest, LinesOfKeyAndValue) {
  const auto entries = ParseConfigFile(
      "# a comment\r\n"
      "\n"
      "server = push.example.com:7444\r\n"
      "server=[::1]:7444   # a comment\n"
      "  start_app_hook =  /usr/bin/start app#1 now\t\n"
      "public_url = \"https://push.example.com/a #b\" # and one more\n"
      "quoted = \"#\"");
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_THAT(*entries, ElementsAre(ConfigEntry{3, "server", "push.example.com:7444"},
                                    ConfigEntry{4, "server", "[::1]:7444"},
                                    ConfigEntry{5, "start_app_hook", "/usr/bin/start app#1 now"},
                                    ConfigEntry{6, "public_url", "https://push.example.com/a #b"},
                                    ConfigEntry{7, "quoted", "#"}));
  EXPECT_THAT(*ParseConfigFile(""), IsEmpty());
}

TEST(ConfigFileTest, WhatIsWrongIsSaidWithItsLine) {
  const auto error = [](absl::string_view text) {
    const auto entries = ParseConfigFile(text);
    EXPECT_EQ(ErrorReason(entries.status()), "BAD_CONFIG_FILE") << text;
    return std::string(entries.status().message());
  };
  EXPECT_EQ(error("a = 1\nlog_json\n"), "2: \"log_json\" is not of the form key = value");
  EXPECT_THAT(error("two words = 1"), HasSubstr("1: \"two words = 1\" is not of the form"));
  EXPECT_THAT(error("= 1"), HasSubstr("is not of the form"));
  EXPECT_EQ(error("\n\nshards =\n"), "3: shards has no value: leave the line out for the default");
  EXPECT_EQ(error("shards = # 4"), "1: shards has no value: leave the line out for the default");
  EXPECT_THAT(error("shards = \"\""), HasSubstr("has no value"));
  EXPECT_EQ(error("a = \"b"), "1: a quote is not closed");
  EXPECT_EQ(error("a = \"b\" c"), "1: something follows the closing quote");
  EXPECT_THAT(error("[serve]"), HasSubstr("1: there are no sections"));
  EXPECT_THAT(error(absl::string_view("a = b\0c", 7)), HasSubstr("1: a control character"));
}

TEST(ConfigFileTest, ErrorsOfAFileNameIt) {
  const std::string path = testing::TempDir() + "/config_file_test.conf";
  std::ofstream(path) << "a = 1\nb\n";
  EXPECT_THAT(std::string(ReadConfigFile(path).status().message()), HasSubstr(path + ":2: \"b\""));
  std::ofstream(path) << "a = 1\n";
  EXPECT_THAT(*ReadConfigFile(path), ElementsAre(ConfigEntry{1, "a", "1"}));
  std::ofstream(path) << std::string(kMaxConfigFileBytes, '\n');
  EXPECT_TRUE(ReadConfigFile(path).ok());
  std::ofstream(path) << std::string(kMaxConfigFileBytes + 1, '\n');
  EXPECT_THAT(std::string(ReadConfigFile(path).status().message()),
              HasSubstr(path + ": more than 65536 bytes"));
  for (const std::string& unreadable : {std::string("/nonexistent/x.conf"), testing::TempDir()}) {
    EXPECT_THAT(std::string(ReadConfigFile(unreadable).status().message()),
                HasSubstr(unreadable + ": can't be read: "));
  }
}

}  // namespace
}  // namespace bellwire
