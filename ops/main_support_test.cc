#include "ops/main_support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "common/error.h"
#include "common/log.h"
#include "gmock/gmock.h"
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

TEST(ReadyFileTest, TakesThePlaceOfARegularFileOnly) {
  const std::string directory = TestPath("ready_directory");
  mkdir(directory.c_str(), 0700);
  const std::string fifo = TestPath("ready_fifo");
  unlink(fifo.c_str());
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string link = TestPath("ready_link");
  unlink(link.c_str());
  ASSERT_EQ(symlink("/dev/null", link.c_str()), 0);
  for (const std::string& path : {directory, fifo, link}) {
    struct stat before {
    }, after{};
    ASSERT_EQ(lstat(path.c_str(), &before), 0);
    EXPECT_EQ(WriteReadyFile(path, {}).code(), absl::StatusCode::kInvalidArgument) << path;
    DaemonFlags flags;
    flags.ready_file = path;
    const absl::Status prepared = PrepareProcess(flags);
    EXPECT_NE(RenderFailure(prepared).find(path), std::string::npos) << prepared;
    ASSERT_EQ(lstat(path.c_str(), &after), 0) << path;
    EXPECT_EQ(after.st_ino, before.st_ino) << path;
    EXPECT_EQ(after.st_mode, before.st_mode) << path;
  }
}

TEST(ReadyFileTest, SaysWhichFileItCouldNotWrite) {
  const absl::Status status = WriteReadyFile("/nonexistent/ready.json", {});
  EXPECT_FALSE(status.ok());
  EXPECT_NE(RenderFailure(status).find("/nonexistent/ready.json"), std::string::npos);
}

TEST(PrepareProcessTest, ACrashLeavesNoMemoryUnlessADeveloperWantsIt) {
  DaemonFlags flags;
  flags.core_dumps = true;
  ASSERT_TRUE(PrepareProcess(flags).ok());
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
  ASSERT_TRUE(PrepareProcess(DaemonFlags()).ok());
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
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
  WaitForShutdownSignal(DaemonFlags());
  sender.join();
}

TEST(ShutdownSignalTest, AHangupReloadsAndGoesOn) {
  ASSERT_TRUE(PrepareProcess(DaemonFlags()).ok());
  int reloads = 0;
  std::thread sender([] { kill(getpid(), SIGHUP); });
  WaitForShutdownSignal(DaemonFlags(), [&] {
    if (++reloads < 3) kill(getpid(), SIGHUP);
    if (reloads == 3) kill(getpid(), SIGTERM);
  });
  sender.join();
  EXPECT_EQ(reloads, 3);
  // Nor does one end a drain.
  kill(getpid(), SIGHUP);
}

TEST(ShutdownSignalTest, AHangupWithNothingToReloadIsIgnored) {
  ASSERT_TRUE(PrepareProcess(DaemonFlags()).ok());
  kill(getpid(), SIGHUP);
  kill(getpid(), SIGTERM);
  WaitForShutdownSignal(DaemonFlags());
}

TEST(ShutdownSignalTest, AHangupReadsTheConfigurationAgain) {
  const std::string path = TestPath("hangup.conf");
  std::ofstream(path) << "log_level = info\nready_file = a\n";
  CLI::App app;
  DaemonFlags flags;
  AddDaemonFlags(&app, &flags);
  ASSERT_FALSE(Parse(&app, {"--config", path}).has_value());
  flags.ready_file.clear();
  ASSERT_TRUE(PrepareProcess(flags).ok());
  testing::internal::CaptureStderr();
  kill(getpid(), SIGHUP);
  int reloads = 0;
  std::ofstream(path) << "log_level = error\nlog_json = true\nready_file = b\n";
  WaitForShutdownSignal(flags, [&] {
    if (++reloads == 1) {
      EXPECT_EQ(flags.log_level, "error");
      std::ofstream(path) << "log_levle = info\n";
      kill(getpid(), SIGHUP);
    } else {
      kill(getpid(), SIGTERM);
    }
  });
  const std::string log = testing::internal::GetCapturedStderr();
  // From the first line on in the new format, and without what is no error.
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("shutting_down")));
  EXPECT_THAT(log, testing::HasSubstr("\"event\":\"reload_failed\""));
  EXPECT_THAT(log, testing::HasSubstr("is \\\"log_level\\\" meant?"));
  SetLogLevel(LogLevel::kInfo);
  SetLogFormat(LogFormat::kLogfmt);
}

TEST(ShutdownSignalTest, AHangupNamesWhatNeedsARestart) {
  const std::string path = TestPath("restart.conf");
  std::ofstream(path) << "ready_file = a\n";
  CLI::App app;
  DaemonFlags flags;
  AddDaemonFlags(&app, &flags);
  ASSERT_FALSE(Parse(&app, {"--config", path}).has_value());
  flags.ready_file.clear();
  ASSERT_TRUE(PrepareProcess(flags).ok());
  std::ofstream(path) << "ready_file = b\nlog_json = true\n";
  testing::internal::CaptureStderr();
  kill(getpid(), SIGHUP);
  WaitForShutdownSignal(flags, [] { kill(getpid(), SIGTERM); });
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("\"event\":\"settings_changed\",\"keys\":\"log_json\""));
  EXPECT_THAT(log, testing::HasSubstr("\"event\":\"restart_needed\",\"keys\":\"ready_file\""));
  EXPECT_EQ(flags.ready_file, "");
  SetLogFormat(LogFormat::kLogfmt);
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

TEST(ParseFlagsTest, TheFileGivesWhatIsRequired) {
  const std::string path = TestPath("required.conf");
  std::ofstream(path) << "registry_address = here:1\n";
  const auto parse = [](std::vector<std::string> arguments) {
    CLI::App app("", "test");
    DaemonFlags flags;
    AddDaemonFlags(&app, &flags);
    std::string address;
    int shards = 0;
    app.add_option("--registry_address", address)->type_name("HOST:PORT")->required();
    app.add_option("--shards", shards)->check(CLI::Range(1, 9));
    testing::internal::CaptureStderr();
    const std::optional<int> exit_code = Parse(&app, std::move(arguments));
    return std::make_pair(exit_code, testing::internal::GetCapturedStderr());
  };
  EXPECT_EQ(parse({"--config", path}).first, std::nullopt);
  EXPECT_EQ(parse({}).first, kExitUsage);
  // What the parser refuses is traced to its line.
  std::ofstream(path) << "registry_address = here:1\nshards = 10\n";
  EXPECT_EQ(parse({"--config", path, "--shards=1"}).first, std::nullopt);
  const auto [exit_code, error] = parse({"--config", path});
  EXPECT_EQ(exit_code, kExitUsage);
  EXPECT_THAT(error, testing::HasSubstr("--shards: "));
  EXPECT_THAT(error, testing::HasSubstr("(in " + path + ":2)\nhint: see `test --help`"));
}

TEST(ParseFlagsTest, ShowsWhatHoldsAndExits) {
  const std::string path = TestPath("show.conf");
  std::ofstream(path) << "log_level = error\n";
  CLI::App app;
  app.require_subcommand(1);
  CLI::App* serve = app.add_subcommand("serve", "");
  DaemonFlags flags;
  AddDaemonFlags(serve, &flags);
  testing::internal::CaptureStdout();
  EXPECT_EQ(Parse(&app, {"serve", "--show_config", "--config", path, "--log_json"}), kExitOk);
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_THAT(shown,
              testing::HasSubstr(R"({"key":"log_level","value":"error","from":"file","where":")" +
                                 path + ":1\"}\n"));
  EXPECT_THAT(shown, testing::HasSubstr(R"({"key":"log_json","value":"true","from":"flag"})"));
  EXPECT_THAT(shown, testing::HasSubstr(R"({"key":"ready_file","value":null,"from":"default"})"));
}

TEST(ParseFlagsTest, PrintsItsHelpAsJson) {
  CLI::App app("", "test");
  app.add_subcommand("serve", "Serves");
  testing::internal::CaptureStdout();
  EXPECT_EQ(Parse(&app, {"--help_json"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(testing::internal::GetCapturedStdout())["commands"][0]["name"],
            "serve");
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

// Two commands over one variable, as the commands of a group have.
struct Group {
  Group() {
    app.require_subcommand(1);
    for (CLI::App* command : {app.add_subcommand("create", ""), app.add_subcommand("list", "")}) {
      command->add_option("--server", server)->envname("BELLWIRE_TEST_SERVER");
      command->add_option("--text", text);
      AddDaemonFlags(command, &flags);
    }
  }
  CLI::App app{"", "group"};
  DaemonFlags flags;
  std::string server = "default";
  std::string text;
};

TEST(ParseFlagsTest, AFlagBeatsTheEnvironmentAndTheEnvironmentTheFile) {
  setenv("BELLWIRE_TEST_SERVER", "environment", 1);
  const std::string file = TestPath("server.conf");
  std::ofstream(file) << "server=file\n";
  const auto server = [](std::vector<std::string> arguments) {
    Group group;
    EXPECT_FALSE(Parse(&group.app, std::move(arguments)).has_value());
    return group.server;
  };
  for (const char* command : {"create", "list"}) {
    EXPECT_EQ(server({command, "--server", "flag"}), "flag") << command;
    EXPECT_EQ(server({command, "--server=flag", "--config", file}), "flag") << command;
    EXPECT_EQ(server({command, "--config", file}), "environment") << command;
    EXPECT_EQ(server({command}), "environment") << command;
  }
  unsetenv("BELLWIRE_TEST_SERVER");
  EXPECT_EQ(server({"list", "--config=" + file}), "file");
  EXPECT_EQ(server({"list"}), "default");
}

TEST(ParseFlagsTest, AnEmptyValueIsRefusedUnlessItMeansSomething) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"create", "--server", ""}, {"create", "--ready_file", ""}}) {
    Group group;
    testing::internal::CaptureStderr();
    EXPECT_EQ(Parse(&group.app, arguments), kExitUsage);
    EXPECT_NE(testing::internal::GetCapturedStderr().find(arguments[1] + ": the value is empty"),
              std::string::npos);
  }
  Group group;
  std::string empty;
  std::vector<char*> argv = {const_cast<char*>("test"), const_cast<char*>("create"),
                             const_cast<char*>("--text"), empty.data()};
  EXPECT_FALSE(ParseFlags(&group.app, 4, argv.data(), {"--text"}).has_value());
}

TEST(ParseFlagsTest, WhatIsMisspeltIsNamedAndWhatIsMeantSuggested) {
  const auto error = [](std::vector<std::string> arguments) {
    Group group;
    testing::internal::CaptureStderr();
    EXPECT_EQ(Parse(&group.app, std::move(arguments)), kExitUsage);
    return testing::internal::GetCapturedStderr();
  };
  using testing::HasSubstr;
  EXPECT_THAT(error({"create", "--ready-file=x"}),
              HasSubstr("there is no flag --ready-file; is --ready_file meant?"));
  EXPECT_THAT(error({"create", "--sever", "x"}),
              HasSubstr("there is no flag --sever; is --server meant?"));
  EXPECT_THAT(error({"create", "--unlike_anything"}),
              HasSubstr("there is no flag --unlike_anything\n"));
  EXPECT_THAT(error({"crate"}), HasSubstr("there is no command \"crate\"; is \"create\" meant?"));
  // Help for what does not exist is no help.
  EXPECT_THAT(error({"nosuch", "--help"}), HasSubstr("there is no command \"nosuch\"\n"));
  EXPECT_THAT(error({"--server", "x", "create"}), HasSubstr("--server comes too early"));
  EXPECT_THAT(error({"create", "word"}), HasSubstr("\"word\" is one word too many"));
}

TEST(ParseFlagsTest, ClosedStandardDescriptorsAreHeld) {
  EXPECT_EXIT(
      {
        for (int fd = 0; fd < 3; ++fd) close(fd);
        Group group;
        (void)Parse(&group.app, {"create"});
        char byte = 0;
        const bool held =
            read(0, &byte, 1) < 0 && write(1, &byte, 1) < 0 && write(2, &byte, 1) == 1;
        const bool free = open("/dev/null", O_RDONLY) > 2;
        _exit(held && free ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(ParseFlagsTest, HelpThatCantBeWrittenIsAFailure) {
  EXPECT_EXIT(
      {
        close(1);
        Group group;
        _exit(*Parse(&group.app, {"create", "--help"}));
      },
      testing::ExitedWithCode(kExitFailure), "can't write to standard output");
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

TEST(RenderFailureTest, WhatAPeerWroteMovesNoCursor) {
  EXPECT_EQ(RenderFailure(WithHint(absl::NotFoundError("no \033[2J"), "two\nlines")),
            "error: no \\x1b[2J\nhint: two\\x0alines\n");
}

TEST(RenderFailureTest, AnEmptyMessageShowsTheCode) {
  EXPECT_EQ(RenderFailure(absl::Status(absl::StatusCode::kUnavailable, "")),
            "error: UNAVAILABLE\n");
}

}  // namespace
}  // namespace bellwire
