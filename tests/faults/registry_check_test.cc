// `bellwire registry check` on real stores: one that was worked with is sound and stays as it is,
// byte by byte; one flipped bit in any file that the registry reads is reported.

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/check/store_check.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/kv_store.h"
#include "tests/faults/fragile_disk.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using registry::KvStore;
using registry::RecordKind;
using registry::RocksDbEngine;
using registry::StoreCheckReport;

constexpr char kTeam[] = "teamaaaaaa";
constexpr int kDevices = 40;

// What the child that checks found.
enum Verdict { kSound = 0, kReported = 1, kRefused = 2, kFailed = 3 };

std::map<std::string, std::string> Contents(const std::string& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream in(entry.path(), std::ios::binary);
    contents[entry.path().filename()] =
        std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  }
  return contents;
}

// RocksDB keeps blocks that it has read for the process's whole life: each store is opened in a
// child.
int InChild(absl::FunctionRef<int()> run) {
  const pid_t pid = fork();
  if (pid == 0) {
    SetLogLevel(LogLevel::kError);
    _exit(run());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class RegistryCheckTest : public testing::Test {
 protected:
  // Several generations, so that there are tables, a MANIFEST with history, and a log.
  void SetUp() override {
    ASSERT_EQ(InChild([this] {
                for (int generation = 0; generation < 3; ++generation) {
                  if (!Work(generation)) return 1;
                }
                return 0;
              }),
              0);
    std::filesystem::copy(pristine(), damaged());
  }

  std::string data_dir() const { return dir_.path("data"); }
  std::string pristine() const { return data_dir() + "/registry"; }
  std::string damaged() const { return dir_.path("damaged"); }

  std::unique_ptr<KvStore> OpenStore() {
    std::filesystem::create_directories(data_dir());
    auto engine = RocksDbEngine::Open({.directory = pristine(), .clock = &clock_});
    if (!engine.ok()) return nullptr;
    return std::make_unique<KvStore>(*std::move(engine),
                                     KvStore::Options{.clock = &clock_, .random = RandomUint64});
  }

  // What a server does with its store in an hour, and ends without a word.
  bool Work(int generation) {
    const std::unique_ptr<KvStore> store = OpenStore();
    if (store == nullptr) return false;
    bool ok = true;
    admin::v1::Team team;
    team.set_team_id(kTeam);
    ok &= store->PutTeam(team).ok();
    admin::v1::App app;
    app.set_app_id("com.example.mail");
    app.set_team_id(kTeam);
    ok &= store->PutApp(app).ok();
    for (int n = 0; n < kDevices; ++n) {
      const DeviceId device(std::array<uint8_t, 16>{static_cast<uint8_t>(n + 1)});
      const auto registration = store->RegisterApp(device, "com.example.mail");
      internal::v1::Route route;
      route.set_session_id(1);
      route.set_login_number(static_cast<uint64_t>(generation) + 1);
      ok &= registration.ok() && store->Bind(device, route, {}, {}).ok();
      for (int i = 0; i < 12; ++i) {
        internal::v1::Envelope message;
        message.set_message_id(std::string(NewMessageId().bytes()));
        message.set_payload(std::string(300, static_cast<char>(n)));
        message.set_accepted_at_ms(WallNowMs(clock_));
        message.set_expires_at_ms(WallNowMs(clock_) + 3'600'000);
        const auto appended =
            store->Append({device, registration->registration_id, kTeam}, message, {});
        ok &= appended.ok();
        if (i % 3 != 0) continue;
        ok &= store->Acknowledge(device, route, {{appended->seq, clock_.WallNow()}}).ok();
      }
      ok &= store->Commit().ok();
      clock_.Advance(absl::Minutes(1));
      ok &= store->RelayReceipts(20).ok() && store->Sweep(100).ok() && store->Commit().ok();
    }
    return ok;
  }

  static Verdict Check(const std::string& directory) {
    const auto report = registry::CheckStore({.directory = directory}, [](auto, auto) {});
    if (!report.ok()) return kRefused;
    return report->records.sound() ? kSound : kReported;
  }

  std::vector<std::string> Files(absl::string_view kind) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(pristine())) {
      const std::string name = entry.path().filename().string();
      if (entry.file_size() > 0 && (absl::StartsWith(name, kind) || absl::EndsWith(name, kind))) {
        names.push_back(name);
      }
    }
    return names;
  }

  size_t Random(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  // One flipped bit in a copy of the store, `count` times.
  void TryRandomBits(absl::string_view kind, int count) {
    const std::vector<std::string> files = Files(kind);
    ASSERT_FALSE(files.empty()) << kind;
    for (int i = 0; i < count; ++i) {
      const std::string& file = files[Random(files.size())];
      const uint64_t bit = Random(std::filesystem::file_size(pristine() + "/" + file) * 8);
      std::filesystem::copy_file(pristine() + "/" + file, damaged() + "/" + file,
                                 std::filesystem::copy_options::overwrite_existing);
      ASSERT_TRUE(FlipBit(damaged() + "/" + file, bit));
      EXPECT_EQ(InChild([this] { return Check(damaged()); }), kReported)
          << file << " bit " << bit << " (byte " << bit / 8 << ")";
      std::filesystem::copy_file(pristine() + "/" + file, damaged() + "/" + file,
                                 std::filesystem::copy_options::overwrite_existing);
    }
    EXPECT_EQ(InChild([this] { return Check(damaged()); }), kSound);
  }

  // Runs the program; its exit code.
  int RunProgram(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"registry", "check"});
    auto process = Process::Start("check", "cli/bellwire", std::move(arguments));
    if (!process.ok()) return -1;
    const auto code = (*process)->Wait();
    log_ = (*process)->Log();
    return code.value_or(-1);
  }

  TempDir dir_;
  SimulatedClock clock_;
  std::mt19937_64 random_{20261122};
  std::string log_;
};

TEST_F(RegistryCheckTest, AStoreThatWasWorkedWithIsSoundAndStaysAsItIs) {
  const auto before = Contents(pristine());
  EXPECT_EQ(InChild([this] {
              const auto report =
                  registry::CheckStore({.directory = pristine()}, [](auto, auto) {});
              if (!report.ok() || !report->opened || report->table_files == 0) return kFailed;
              for (const auto& p : report->records.problems) {
                std::cerr << p.where << ": " << p.what << "\n";
              }
              const auto& counts = report->records.counts;
              if (counts[static_cast<size_t>(RecordKind::kDevice)] != kDevices) return kFailed;
              if (counts[static_cast<size_t>(RecordKind::kMessage)] == 0) return kFailed;
              return report->records.sound() ? kSound : kReported;
            }),
            kSound);
  EXPECT_EQ(Contents(pristine()), before);
}

TEST_F(RegistryCheckTest, Tables) { TryRandomBits(".sst", 30); }
TEST_F(RegistryCheckTest, Logs) { TryRandomBits(".log", 30); }
TEST_F(RegistryCheckTest, Manifest) { TryRandomBits("MANIFEST", 30); }
TEST_F(RegistryCheckTest, Current) { TryRandomBits("CURRENT", 12); }
TEST_F(RegistryCheckTest, Identity) { TryRandomBits("IDENTITY", 12); }

TEST_F(RegistryCheckTest, EveryDamagedFileIsNamed) {
  std::vector<std::string> files = Files(".sst");
  ASSERT_GE(files.size(), 2);
  files.push_back(Files("MANIFEST")[0]);
  for (const std::string& file : files) {
    ASSERT_TRUE(FlipBit(damaged() + "/" + file, 8 * 20));
  }
  const auto report = registry::CheckStore({.directory = damaged()}, [](auto, auto) {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->opened);
  for (const std::string& file : files) {
    bool named = false;
    for (const auto& p : report->records.problems) {
      named |= absl::StrContains(p.where, file) || absl::StrContains(p.what, file);
    }
    EXPECT_TRUE(named) << file;
  }
}

TEST_F(RegistryCheckTest, AFileThatHasGone) {
  for (const char* kind : {".sst", ".log", "MANIFEST", "CURRENT"}) {
    const std::string file = Files(kind)[0];
    std::filesystem::remove(damaged() + "/" + file);
    EXPECT_EQ(InChild([this] { return Check(damaged()); }), kReported) << file;
    std::filesystem::copy_file(pristine() + "/" + file, damaged() + "/" + file);
  }
}

TEST_F(RegistryCheckTest, TheProgramSaysWhatItFound) {
  EXPECT_EQ(RunProgram({"--data_dir", data_dir()}), 0) << log_;
  EXPECT_EQ(RunProgram({"--store", damaged(), "--json"}), 0) << log_;
  ASSERT_TRUE(FlipBit(damaged() + "/" + Files(".sst")[0], 8 * 100));
  EXPECT_EQ(RunProgram({"--store", damaged()}), 1) << log_;
  EXPECT_EQ(RunProgram({"--store", dir_.path("nothing")}), 2);
  std::filesystem::create_directory(dir_.path("empty"));
  EXPECT_EQ(RunProgram({"--store", dir_.path("empty")}), 2);
  EXPECT_TRUE(absl::StrContains(log_, "no file CURRENT")) << log_;
}

TEST_F(RegistryCheckTest, AStoreThatIsInUseIsNotChecked) {
  const std::unique_ptr<KvStore> store = OpenStore();
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(RunProgram({"--data_dir", data_dir()}), 2);
  EXPECT_TRUE(absl::StrContains(log_, absl::StrCat("in use by another process (pid ", getpid())))
      << log_;
}

TEST_F(RegistryCheckTest, WhileItIsReadNobodyWrites) {
  const auto reader =
      RocksDbEngine::Open({.directory = pristine(), .clock = &clock_, .read_only = true});
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(OpenStore(), nullptr);
  EXPECT_EQ(InChild([this] { return Check(pristine()); }), kSound);
  EXPECT_FALSE((*reader)->Commit({{{registry::Family::kTeams, "x"}, "y"}}).ok());
}

}  // namespace
}  // namespace bellwire::tests
