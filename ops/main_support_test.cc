#include "ops/main_support.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "common/error.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire {
namespace {

std::string TestPath(const std::string& name) { return testing::TempDir() + "/" + name; }

std::optional<int> Parse(CLI::App* app, std::vector<std::string> arguments) {
  std::vector<char*> argv = {const_cast<char*>("test")};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return ParseFlags(app, static_cast<int>(argv.size()), argv.data());
}

TEST(ReadyFileTest, HoldsTheFieldsAndThePid) {
  const std::string path = TestPath("ready.json");
  ASSERT_TRUE(WriteReadyFile(path, {{"device_address", "127.0.0.1:1"}}).ok());
  std::ifstream file(path);
  const nlohmann::json json = nlohmann::json::parse(file);
  EXPECT_EQ(json["device_address"], "127.0.0.1:1");
  EXPECT_EQ(json["pid"], getpid());
}

TEST(ParseFlagsTest, AnAddressIsOneWhereverItIsAskedFor) {
  for (const auto& [text, exit_code] :
       std::vector<std::pair<std::string, std::optional<int>>>{{"127.0.0.1:99999", kExitUsage},
                                                               {"127.0.0.1:-1", kExitUsage},
                                                               {"127.0.0.1", kExitUsage},
                                                               {"127.0.0.1:65535", std::nullopt},
                                                               {"[::]:0", std::nullopt}}) {
    CLI::App app("test", "test");
    std::string of_program, of_command;
    app.add_option("--internal", of_program)->type_name("HOST:PORT");
    CLI::App* const command = app.add_subcommand("serve");
    command->add_option("--listen", of_command)->type_name("HOST:PORT");
    EXPECT_EQ(Parse(&app, {"serve", "--listen", text}), exit_code) << text;
    EXPECT_EQ(Parse(&app, {"--internal", text}), exit_code) << text;
  }
}

TEST(ReadyFileTest, NoPathWritesNothing) { EXPECT_TRUE(WriteReadyFile("", {}).ok()); }

TEST(ReadyFileTest, SaysWhichFileItCouldNotWrite) {
  const absl::Status status = WriteReadyFile("/nonexistent/ready.json", {});
  EXPECT_FALSE(status.ok());
  EXPECT_NE(RenderFailure(status).find("/nonexistent/ready.json"), std::string::npos);
}

TEST(PrepareProcessTest, RemovesAStaleReadyFile) {
  DaemonFlags flags;
  flags.ready_file = TestPath("stale.json");
  ASSERT_TRUE(WriteReadyFile(flags.ready_file, {}).ok());
  ASSERT_TRUE(PrepareProcess(flags).ok());
  EXPECT_NE(access(flags.ready_file.c_str(), F_OK), 0);
}

TEST(PrepareProcessTest, RaisesTheDescriptorLimit) {
  ASSERT_TRUE(PrepareProcess(DaemonFlags()).ok());
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
}

TEST(ShutdownSignalTest, WaitReturnsOnSigterm) {
  ASSERT_TRUE(PrepareProcess(DaemonFlags()).ok());
  std::thread sender([] { kill(getpid(), SIGTERM); });
  WaitForShutdownSignal();
  sender.join();
}

TEST(ParseFlagsTest, ReadsFlags) {
  CLI::App app;
  DaemonFlags flags;
  AddDaemonFlags(&app, &flags);
  EXPECT_FALSE(
      Parse(&app, {"--log_level=debug", "--log_json", "--ready_file", "r.json"}).has_value());
  EXPECT_EQ(flags.log_level, "debug");
  EXPECT_TRUE(flags.log_json);
  EXPECT_EQ(flags.ready_file, "r.json");
}

TEST(ParseFlagsTest, ReadsAConfigFileAndTheCommandLineWins) {
  const std::string path = TestPath("daemon.conf");
  std::ofstream(path) << "log_level=error\nlog_json=true\n";
  CLI::App app;
  DaemonFlags flags;
  AddDaemonFlags(&app, &flags);
  EXPECT_FALSE(Parse(&app, {"--config", path, "--log_level=debug"}).has_value());
  EXPECT_EQ(flags.log_level, "debug");
  EXPECT_TRUE(flags.log_json);
}

TEST(ParseFlagsTest, ASubcommandReadsAConfigFileToo) {
  const std::string path = TestPath("serve.conf");
  std::ofstream(path) << "log_level=error\nshards=3\n";
  CLI::App app;
  app.require_subcommand(1);
  CLI::App* serve = app.add_subcommand("serve", "");
  DaemonFlags flags;
  AddDaemonFlags(serve, &flags);
  int shards = 0;
  serve->add_option("--shards", shards);
  int runs = 0;
  serve->callback([&runs] { ++runs; });
  EXPECT_FALSE(Parse(&app, {"serve", "--log_level", "debug", "--config", path}).has_value());
  EXPECT_EQ(flags.log_level, "debug");
  EXPECT_EQ(shards, 3);
  EXPECT_GE(runs, 1);

  std::ofstream(path) << "shrads=3\n";
  EXPECT_EQ(Parse(&app, {"serve", "--config", path}), kExitUsage);
  EXPECT_EQ(Parse(&app, {"serve", "--config", "/nonexistent"}), kExitUsage);
}

TEST(ParseFlagsTest, UnknownFlagsAreUsageErrors) {
  const std::string path = TestPath("typo.conf");
  std::ofstream(path) << "log_levle=error\n";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--nonsense"}, {"--log_level=loud"}, {"--config", path}}) {
    CLI::App app;
    DaemonFlags flags;
    AddDaemonFlags(&app, &flags);
    EXPECT_EQ(Parse(&app, arguments), kExitUsage) << arguments[0];
  }
}

TEST(ParseFlagsTest, NamesACommandThatDoesNotExist) {
  CLI::App app;
  app.require_subcommand(1);
  app.add_subcommand("serve", "");
  testing::internal::CaptureStderr();
  EXPECT_EQ(Parse(&app, {"swerve"}), kExitUsage);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("no command \"swerve\""),
            std::string::npos);
}

TEST(ParseFlagsTest, HelpAndVersionExitWithZero) {
  for (const char* flag : {"--help", "--version"}) {
    CLI::App app;
    DaemonFlags flags;
    AddDaemonFlags(&app, &flags);
    EXPECT_EQ(Parse(&app, {flag}), kExitOk) << flag;
  }
}

TEST(RenderFailureTest, SaysWhatWhyAndWhatToDo) {
  const absl::Status status =
      WithHint(WithField(MakeError(absl::StatusCode::kInvalidArgument, "TTL_OUT_OF_RANGE",
                                   "ttl is 40 days, at most 28 are kept"),
                         "ttl"),
               "send it later");
  EXPECT_EQ(RenderFailure(status),
            "error: ttl is 40 days, at most 28 are kept (field ttl) [TTL_OUT_OF_RANGE]\n"
            "hint: send it later\n");
}

TEST(RenderFailureTest, AnEmptyMessageShowsTheCode) {
  EXPECT_EQ(RenderFailure(absl::Status(absl::StatusCode::kUnavailable, "")),
            "error: UNAVAILABLE\n");
}

}  // namespace
}  // namespace bellwire
