#include "device-agent/companion/browser/firefox_profile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

constexpr char kUrl[] = "ws://127.0.0.1:20001/00112233445566778899aabbccddeeff";
constexpr char kOtherUrl[] = "ws://127.0.0.1:20002/ffeeddccbbaa99887766554433221100";

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TEST(FirefoxProfile, OnAndOffLeaveTheUsersOwnSettings) {
  const std::string own = "user_pref(\"a\", 1);\r\n// mine";
  const std::string on = WithPushServer(own, kUrl);
  EXPECT_TRUE(absl::StartsWith(on, own));
  EXPECT_TRUE(
      absl::StrContains(on, absl::StrCat("user_pref(\"dom.push.serverURL\", \"", kUrl, "\");\n")));
  EXPECT_TRUE(
      absl::StrContains(on, "user_pref(\"dom.push.testing.allowInsecureServerURL\", true);\n"));
  EXPECT_EQ(WithPushServer(on, kUrl), on);
  EXPECT_EQ(WithPushServer(WithPushServer(own, kOtherUrl), kUrl), on);
  EXPECT_EQ(WithoutPushServer(on), own + "\n");
  EXPECT_EQ(WithoutPushServer(WithPushServer("", kUrl)), "");
}

TEST(FirefoxProfile, PrefsLoseWhatIsOursOnly) {
  const std::string prefs =
      absl::StrCat("user_pref(\"a\", 1);\nuser_pref(\"dom.push.serverURL\", \"", kUrl,
                   "\");\nuser_pref(\"dom.push.testing.allowInsecureServerURL\", "
                   "true);\nuser_pref(\"b\", 2);\n");
  EXPECT_EQ(WithoutKeptPushServer(prefs, kUrl), "user_pref(\"a\", 1);\nuser_pref(\"b\", 2);\n");
  EXPECT_EQ(WithoutKeptPushServer(prefs, kOtherUrl), prefs);
}

TEST(FirefoxProfile, ProfilesIni) {
  EXPECT_EQ(ProfilesIn("[General]\nPath=no\n[Profile0]\nName=a\nIsRelative=1\nPath=x.default\n\n"
                       "[Profile1]\r\nPath=/elsewhere/y\r\nIsRelative=0\r\n[Install0]\nDefault=z\n",
                       "/f"),
            (std::vector<std::string>{"/f/x.default", "/elsewhere/y"}));
  EXPECT_TRUE(ProfilesIn("", "/f").empty());
}

class FirefoxProfileFiles : public testing::Test {
 protected:
  FirefoxProfileFiles() : profile_(dir_.path("profile")) {
    std::filesystem::create_directory(profile_);
  }

  TempDir dir_;
  const std::string profile_;
};

TEST_F(FirefoxProfileFiles, AreFound) {
  const std::string folder = dir_.path(".config/mozilla/firefox");
  std::filesystem::create_directories(folder + "/x.default");
  Write(folder + "/profiles.ini", "[Profile0]\nPath=x.default\n[Profile1]\nPath=gone\n");
  EXPECT_EQ(FindFirefoxProfiles(dir_.path(""), dir_.path(".config")),
            std::vector<std::string>{folder + "/x.default"});
}

TEST_F(FirefoxProfileFiles, OnIsWrittenOnceAndOffTakesItAway) {
  EXPECT_EQ(TurnFirefoxOn(profile_, kUrl).value(), true);
  EXPECT_EQ(TurnFirefoxOn(profile_, kUrl).value(), false);
  EXPECT_EQ(IsFirefoxOn(profile_, kUrl).value(), true);
  EXPECT_EQ(IsFirefoxOn(profile_, kOtherUrl).value(), false);
  // The file holds the secret.
  struct stat info;
  ASSERT_EQ(stat((profile_ + "/user.js").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  Write(profile_ + "/prefs.js", Read(profile_ + "/user.js"));
  EXPECT_EQ(TurnFirefoxOff(profile_, kUrl).value(), true);
  EXPECT_FALSE(absl::StrContains(Read(profile_ + "/user.js"), kUrl));
  EXPECT_FALSE(absl::StrContains(Read(profile_ + "/prefs.js"), kUrl));
  EXPECT_EQ(TurnFirefoxOff(profile_, kUrl).value(), false);
}

TEST_F(FirefoxProfileFiles, OffWaitsForFirefoxToClose) {
  ASSERT_TRUE(TurnFirefoxOn(profile_, kUrl).ok());
  // Locks of one process don't hinder itself, so another one is the browser.
  int ready[2];
  int done[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(done), 0);
  const pid_t firefox = fork();
  if (firefox == 0) {
    close(done[1]);
    const int fd = open((profile_ + "/.parentlock").c_str(), O_RDWR | O_CREAT, 0600);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    char byte = fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
    _exit(write(ready[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 0 ? 0 : 1);
  }
  char byte = 'n';
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  EXPECT_EQ(ErrorReason(TurnFirefoxOff(profile_, kUrl).status()), "FIREFOX_RUNS");
  EXPECT_EQ(IsFirefoxOn(profile_, kUrl).value(), true);
  close(done[0]);
  close(done[1]);
  int status = -1;
  ASSERT_EQ(waitpid(firefox, &status, 0), firefox);
  EXPECT_EQ(TurnFirefoxOff(profile_, kUrl).value(), true);
}

TEST_F(FirefoxProfileFiles, ALinkStaysALink) {
  const std::string real = dir_.path("dotfiles.js");
  Write(real, "// mine\n");
  std::filesystem::create_symlink(real, profile_ + "/user.js");
  ASSERT_TRUE(TurnFirefoxOn(profile_, kUrl).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(profile_ + "/user.js"));
  EXPECT_TRUE(absl::StrContains(Read(real), kUrl));
}

TEST_F(FirefoxProfileFiles, AProfileMustBeThere) {
  EXPECT_TRUE(absl::IsNotFound(TurnFirefoxOn(dir_.path("none"), kUrl).status()));
}

}  // namespace
}  // namespace bellwire::companion
