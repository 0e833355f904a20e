// A process with a store in RocksDB whose payloads are sealed is killed again and again in the
// midst of rotations, under load: nothing that it said is lost, and the former keys are not needed
// afterwards. RocksDB's threads don't survive a fork, so this process never opens the store itself.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "crypto/payload_keys.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/sealing/sealed_engine.h"
#include "registry/server/kv_store.h"

namespace bellwire::registry {
namespace {

constexpr char kTeam[] = "teamaaaaaa";
constexpr char kApp[] = "com.example.mail";
constexpr int kDevices = 8;
// Below what the mailboxes of all devices hold.
constexpr int kMaxMessages = 90 * kDevices;
constexpr int kRounds = 8;

class SealedCrashTest : public testing::Test {
 protected:
  // In a child process.
  void Open(const std::vector<uint8_t>& keys) {
    store_.reset();
    auto rocks = RocksDbEngine::Open({.directory = directory_.path("store"), .clock = RealClock()});
    ASSERT_TRUE(rocks.ok()) << rocks.status();
    RocksDbEngine* const disk = rocks->get();
    auto sealed = SealedEngine::Open(
        *std::move(rocks), {.clock = RealClock(),
                            .keys = PayloadKeys::ForTesting(keys),
                            .forget_old_versions = [disk] { return disk->ForgetOldVersions(); }});
    ASSERT_TRUE(sealed.ok()) << sealed.status();
    sealed_ = sealed->get();
    store_ = std::make_unique<KvStore>(
        *std::move(sealed), KvStore::Options{.clock = RealClock(),
                                             .random = [this] { return next_id_++; },
                                             .chores = {sealed_}});
    for (int d = 0; d < kDevices; ++d) {
      // Answers the one that is there; its id was made by the first process.
      const auto registered = store_->RegisterApp(Device(d), kApp);
      if (registered.ok()) tokens_[d] = {Device(d), registered->registration_id, kTeam};
    }
  }
  static DeviceId Device(int n) {
    return DeviceId(std::array<uint8_t, 16>{static_cast<uint8_t>(n * 37)});
  }
  void Append(int n) {
    Envelope message;
    message.set_message_id(absl::StrCat(absl::Hex(n, absl::kZeroPad16)));
    message.set_payload(absl::StrCat("text ", n));
    message.set_accepted_at_ms(absl::ToUnixMillis(RealClock()->WallNow()));
    message.set_expires_at_ms(message.accepted_at_ms() + 3'600'000);
    const auto appended = store_->Append(tokens_[n % kDevices], message, {});
    ASSERT_TRUE(appended.ok()) << appended.status();
    ASSERT_TRUE(store_->Commit().ok());
  }
  // A step of what goes on in the background. Whether more is left.
  bool Step() {
    const auto swept = store_->Sweep(16);
    EXPECT_TRUE(swept.ok()) << swept.status();
    EXPECT_TRUE(store_->Commit().ok());
    return swept.ok() && swept->chores;
  }

  // Runs `work` in a process of its own, which says numbers on `out`. Killed after `words` of them;
  // 0: never. Answers what it said, and whether all went well.
  std::pair<std::vector<int>, bool> InChild(size_t words, absl::FunctionRef<void(int out)> work) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      work(ends[1]);
      _exit(HasFailure() ? 1 : 0);
    }
    close(ends[1]);
    std::vector<int> said;
    for (int n = 0; read(ends[0], &n, sizeof(n)) == sizeof(n);) {
      said.push_back(n);
      if (said.size() == words) kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return {said, killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)};
  }

  TempDir directory_;
  std::unique_ptr<KvStore> store_;
  // The store's.
  SealedEngine* sealed_ = nullptr;
  std::array<TokenRef, kDevices> tokens_;
  uint64_t next_id_ = 1;
};

TEST_F(SealedCrashTest, KillsInTheMidstOfRotationsLoseNothing) {
  std::vector<uint8_t> keys = {1};
  std::set<int> said;
  int next = 0;
  for (int round = 0; round < kRounds; ++round) {
    // At other places of a rotation each time: after 5 messages, 16, 27, …
    const auto [numbers, went_well] =
        InChild(/*words=*/5 + 11 * static_cast<size_t>(round), [&](int out) {
          Open(keys);
          if (round == 0) {
            admin::v1::Team team;
            team.set_team_id(kTeam);
            ASSERT_TRUE(store_->PutTeam(team).ok());
            admin::v1::App app;
            app.set_app_id(kApp);
            app.set_team_id(kTeam);
            ASSERT_TRUE(store_->PutApp(app).ok());
            ASSERT_TRUE(store_->Commit().ok());
            Open(keys);
            ASSERT_TRUE(store_->Commit().ok());
          }
          for (int n = next; n < kMaxMessages && !HasFailure(); ++n) {
            Append(n);
            Step();
            if (write(out, &n, sizeof(n)) != sizeof(n)) return;
          }
        });
    ASSERT_TRUE(went_well) << "round " << round;
    for (const int n : numbers) said.insert(n);
    // The message that it was at may be there, unsaid.
    next = *said.rbegin() + 2;
    // Every second round begins another rotation, in the midst of the one before.
    if (round % 2 == 1) keys.insert(keys.begin(), static_cast<uint8_t>(keys.size() + 1));
  }
  const auto [found, went_well] = InChild(/*words=*/0, [&](int out) {
    Open(keys);
    // The tables are rewritten beside.
    while (Step() && !HasFailure()) std::this_thread::yield();
    EXPECT_EQ(sealed_->Describe().former_key_ids_size(), 0);
    Open({keys.front()});
    for (const TokenRef& token : tokens_) {
      const auto page =
          store_->Pull(token.device, 0, {.max_bytes = 1 << 20, .max_messages = 1000});
      ASSERT_TRUE(page.ok()) << page.status();
      for (const Envelope& message : page->messages) {
        const int n = std::stoi(message.payload().substr(5));
        EXPECT_EQ(message.payload(), absl::StrCat("text ", n));
        if (write(out, &n, sizeof(n)) != sizeof(n)) return;
      }
    }
    CheckReport report;
    CheckRecords(
        *sealed_, [](uint64_t) {}, &report);
    for (const CheckProblem& p : report.problems) ADD_FAILURE() << p.where << ": " << p.what;
  });
  EXPECT_TRUE(went_well);
  const std::set<int> there(found.begin(), found.end());
  for (const int n : said) EXPECT_EQ(there.count(n), 1u) << n;
  EXPECT_GT(said.size(), 100u);
}

}  // namespace
}  // namespace bellwire::registry
