#include "device-agent/companion/browser/browser_door.h"

#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

TEST(BrowserDoor, StaysTheSameAndIsPrivate) {
  TempDir dir;
  const std::string path = dir.path("browsers.json");
  const auto first = LoadOrCreateBrowserDoor(path);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->secret.size(), 32u);
  EXPECT_EQ(first->url(), absl::StrCat("ws://127.0.0.1:", first->port, "/", first->secret));
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  const auto second = LoadOrCreateBrowserDoor(path);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->url(), first->url());

  const auto other = LoadOrCreateBrowserDoor(dir.path("others.json"));
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->secret, first->secret);
}

TEST(BrowserDoor, RefusesAFileThatOthersMayRead) {
  TempDir dir;
  const std::string path = dir.path("browsers.json");
  ASSERT_TRUE(LoadOrCreateBrowserDoor(path).ok());
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(ErrorReason(LoadOrCreateBrowserDoor(path).status()), "FILE_NOT_PRIVATE");
}

TEST(BrowserDoor, RefusesNonsense) {
  TempDir dir;
  for (const char* text :
       {"", "{}", "[1]", R"({"port":70000,"secret":"00112233445566778899aabbccddeeff"})",
        R"({"port":80,"secret":"short"})", R"({"port":"80","secret":7})"}) {
    const std::string path = dir.path("browsers.json");
    std::ofstream(path) << text;
    ASSERT_EQ(chmod(path.c_str(), 0600), 0);
    EXPECT_EQ(ErrorReason(LoadOrCreateBrowserDoor(path).status()), "BAD_BROWSER_DOOR") << text;
  }
}

class CheckUpgradeTest : public testing::Test {
 protected:
  const BrowserDoor door_{.port = 20001, .secret = "00112233445566778899aabbccddeeff"};
  const std::string target_ = "/" + door_.secret;
  const std::string url_ = door_.url();

  bool Takes(absl::string_view target, std::vector<absl::string_view> hosts,
             std::vector<absl::string_view> origins) {
    return CheckUpgrade(door_, {target, std::move(hosts), std::move(origins)}).ok();
  }
};

TEST_F(CheckUpgradeTest, TakesFirefoxAndPrograms) {
  EXPECT_TRUE(Takes(target_, {"127.0.0.1:20001"}, {url_}));
  EXPECT_TRUE(Takes(target_, {"127.0.0.1:20001"}, {}));
}

TEST_F(CheckUpgradeTest, RefusesPages) {
  for (const char* origin : {"https://example.com", "null", "", "http://127.0.0.1:20001",
                             "ws://127.0.0.1:20001", "moz-extension://0123"}) {
    EXPECT_FALSE(Takes(target_, {"127.0.0.1:20001"}, {origin})) << origin;
  }
  EXPECT_FALSE(Takes(target_, {"127.0.0.1:20001"}, {url_, url_}));
}

TEST_F(CheckUpgradeTest, RefusesOtherHosts) {
  for (const char* host : {"localhost:20001", "127.0.0.1", "127.0.0.1:20002", "rebound.example"}) {
    EXPECT_FALSE(Takes(target_, {host}, {url_})) << host;
  }
  EXPECT_FALSE(Takes(target_, {}, {url_}));
  EXPECT_FALSE(Takes(target_, {"127.0.0.1:20001", "127.0.0.1:20001"}, {url_}));
}

TEST_F(CheckUpgradeTest, RefusesOtherPaths) {
  for (const std::string& target :
       {std::string("/"), std::string(""), target_ + "/", target_ + "?x",
        std::string("/00112233445566778899aabbccddeefe"), door_.secret}) {
    EXPECT_FALSE(Takes(target, {"127.0.0.1:20001"}, {url_})) << target;
  }
}

}  // namespace
}  // namespace bellwire::companion
