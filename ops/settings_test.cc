#include "ops/settings.h"

#include <stdlib.h>

#include <fstream>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A command as daemons have it, and a file for it.
class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    app_.add_option(kConfigFlag, config_);
    app_.add_option("--data_dir", data_dir_)->envname("BELLWIRE_SETTINGS_TEST");
    app_.add_option("--log_level", log_level_)
        ->check(CLI::IsMember({"info", "debug"}))
        ->capture_default_str();
    app_.add_flag("--log_json", log_json_);
    app_.add_option("--drain_seconds", drain_seconds_)->capture_default_str();
    app_.add_option("--server", servers_);
    app_.set_version_flag("--version", std::string("1"));
    unsetenv("BELLWIRE_SETTINGS_TEST");
  }

  void Write(const std::string& text) { std::ofstream(path_) << text; }
  absl::StatusOr<std::vector<Setting>> Resolve(std::vector<std::string> arguments = {}) {
    arguments.push_back("--config=" + path_);
    return ResolveSettings(&app_, arguments);
  }
  // Parses as a main does, and answers what holds.
  std::vector<Setting> Run() {
    auto settings = Resolve();
    EXPECT_TRUE(settings.ok()) << settings.status();
    std::vector<std::string> arguments = FlagsOfFile(*settings);
    std::reverse(arguments.begin(), arguments.end());
    app_.parse(arguments);
    return *settings;
  }
  absl::StatusOr<ReloadedSettings> Reload(std::vector<Setting>* running) {
    return ReloadSettings(&app_, {"--config", path_}, {"log_level", "log_json", "drain_seconds"},
                          running);
  }

  const std::string path_ = testing::TempDir() + "/settings_test.conf";
  CLI::App app_;
  std::string config_, data_dir_, log_level_ = "info";
  bool log_json_ = false;
  int drain_seconds_ = 5;
  std::vector<std::string> servers_;
};

TEST_F(SettingsTest, TheFileGivesWayToTheEnvironmentAndBothToFlags) {
  Write("data_dir = of_file\nlog_level = debug\nserver = a\nserver = b\n");
  EXPECT_THAT(FlagsOfFile(*Resolve()),
              ElementsAre("--data_dir=of_file", "--log_level=debug", "--server=a", "--server=b"));
  setenv("BELLWIRE_SETTINGS_TEST", "of_environment", 1);
  EXPECT_THAT(FlagsOfFile(*Resolve({"--server", "c"})), ElementsAre("--log_level=debug"));
  // An empty variable is as good as none.
  setenv("BELLWIRE_SETTINGS_TEST", "", 1);
  EXPECT_THAT(FlagsOfFile(*Resolve({"--log_level=info", "--server=c"})),
              ElementsAre("--data_dir=of_file"));
}

TEST_F(SettingsTest, SaysWhatHoldsAndWhereItComesFrom) {
  Write("# of a test\ndata_dir = of_file\nserver = a\nserver = b\n");
  const auto settings = Run();
  EXPECT_EQ(RenderSettings(settings),
            "{\"key\":\"data_dir\",\"value\":\"of_file\",\"from\":\"file\",\"where\":\"" + path_ +
                ":2\"}\n"
                "{\"key\":\"log_level\",\"value\":\"info\",\"from\":\"default\"}\n"
                "{\"key\":\"log_json\",\"value\":\"false\",\"from\":\"default\"}\n"
                "{\"key\":\"drain_seconds\",\"value\":\"5\",\"from\":\"default\"}\n"
                "{\"key\":\"server\",\"value\":[\"a\",\"b\"],\"from\":\"file\",\"where\":\"" +
                path_ + ":3\"}\n");
}

TEST_F(SettingsTest, AKeyThatIsNoFlagIsRefusedWithASuggestion) {
  const auto error = [this](const std::string& text) {
    Write(text);
    const auto settings = Resolve();
    EXPECT_EQ(ErrorReason(settings.status()), "BAD_CONFIG_FILE") << text;
    return std::string(settings.status().message());
  };
  EXPECT_EQ(error("\nlog_levle = debug\n"),
            path_ + ":2: there is no key \"log_levle\"; is \"log_level\" meant?");
  EXPECT_EQ(error("log-json = true\n"),
            path_ + ":1: there is no key \"log-json\"; is \"log_json\" meant?");
  EXPECT_EQ(error("nothing_like_it = 1\n"), path_ + ":1: there is no key \"nothing_like_it\"");
  // Not settings.
  for (const char* key : {"config", "help", "version", "show_config"}) {
    EXPECT_THAT(error(std::string(key) + " = x\n"), HasSubstr("there is no key")) << key;
  }
  EXPECT_EQ(error("log_level = info\nlog_level = debug\n"),
            path_ + ":2: log_level has a value in " + path_ + ":1 already and takes one only");
}

TEST_F(SettingsTest, AnErrorOfTheParserIsTracedToItsLine) {
  Write("\nlog_level = loud\n");
  const auto settings = Resolve();
  EXPECT_EQ(PlaceOf("--log_level: loud is not one of them", *settings), " (in " + path_ + ":2)");
  EXPECT_EQ(PlaceOf("--log_level_of_others: x", *settings), "");
  EXPECT_EQ(PlaceOf("--drain_seconds: x", *settings), "");
}

TEST_F(SettingsTest, AReloadTakesUpWhatCanChangeAndNamesTheRest) {
  Write("log_level = debug\ndata_dir = a\n");
  std::vector<Setting> running = Run();
  EXPECT_EQ(log_level_, "debug");
  auto reloaded = Reload(&running);
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_THAT(reloaded->changed, IsEmpty());
  EXPECT_THAT(reloaded->need_restart, IsEmpty());

  Write("log_json = true\ndata_dir = b\ndrain_seconds = 7\n");
  for (int i = 0; i < 2; ++i) {
    reloaded = Reload(&running);
    ASSERT_TRUE(reloaded.ok()) << reloaded.status();
    // What needs a restart does so until there was one.
    EXPECT_THAT(reloaded->need_restart, ElementsAre("data_dir"));
    if (i == 0) {
      EXPECT_THAT(reloaded->changed, ElementsAre("log_level", "log_json", "drain_seconds"));
    } else {
      EXPECT_THAT(reloaded->changed, IsEmpty());
    }
    EXPECT_EQ(log_level_, "info");
    EXPECT_TRUE(log_json_);
    EXPECT_EQ(drain_seconds_, 7);
    EXPECT_EQ(data_dir_, "a");
  }

  Write("data_dir = a\n");
  EXPECT_THAT(Reload(&running)->changed, ElementsAre("log_json", "drain_seconds"));
  EXPECT_FALSE(log_json_);
  EXPECT_EQ(drain_seconds_, 5);
}

TEST_F(SettingsTest, ABadFileChangesNothing) {
  Write("log_json = true\n");
  std::vector<Setting> running = Run();
  for (const char* text : {"log_json = false\ndrain_seconds = soon\n", "log_level = loud\n",
                           "log_json = false\nno_such_key = 1\n", "[section]\n"}) {
    Write(text);
    const auto reloaded = Reload(&running);
    EXPECT_EQ(ErrorReason(reloaded.status()), "BAD_CONFIG_FILE") << text;
    EXPECT_THAT(std::string(reloaded.status().message()), HasSubstr(path_ + ":")) << text;
    EXPECT_TRUE(log_json_) << text;
    EXPECT_EQ(drain_seconds_, 5) << text;
    EXPECT_EQ(log_level_, "info") << text;
  }
  Write("log_json = true\n");
  EXPECT_THAT(Reload(&running)->changed, IsEmpty());
}

TEST_F(SettingsTest, AReloadLeavesWhatIsStronger) {
  setenv("BELLWIRE_SETTINGS_TEST", "of_environment", 1);
  Write("");
  std::vector<Setting> running = Run();
  Write("data_dir = of_file\n");
  const auto reloaded = Reload(&running);
  EXPECT_THAT(reloaded->changed, IsEmpty());
  EXPECT_THAT(reloaded->need_restart, IsEmpty());
  unsetenv("BELLWIRE_SETTINGS_TEST");
}

}  // namespace
}  // namespace bellwire
