#include "registry/server/group_commit.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/server/batch_wait.h"
#include "registry/server/kv_store.h"
#include "registry/server/writer_thread.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

using admin::v1::ListTeamsResponse;
using admin::v1::Team;

Team TeamNamed(const std::string& id) {
  Team team;
  team.set_team_id(id);
  return team;
}

class GroupCommitTest : public testing::Test {
 protected:
  // Puts a team and notes what comes of it.
  void Put(const std::string& id) {
    group_commit_.Submit<Team>(
        [id](Store& store) { return store.PutTeam(TeamNamed(id)); },
        [this, id](absl::StatusOr<Team> team) {
          answers_.push_back(absl::StrCat(id, " ", team.ok() ? "OK" : ErrorReason(team.status())));
        });
  }
  void Count(GroupCommit::Urgency urgency = GroupCommit::Urgency::kNow) {
    group_commit_.Submit<size_t>(
        [](Store& store) -> absl::StatusOr<size_t> { return store.ListTeams()->size(); },
        [this](absl::StatusOr<size_t> size) {
          answers_.push_back(
              absl::StrCat("count ", size.ok() ? absl::StrCat(*size) : ErrorReason(size.status())));
        },
        urgency);
  }
  void CountPatiently() { Count(GroupCommit::Urgency::kPatient); }

  SimulatedClock clock_;
  MemoryEngine engine_;
  KvStore store_{std::make_unique<SharedEngine>(&engine_),
                 {.clock = &clock_, .random = [] { return uint64_t{1}; }}};
  std::vector<std::string> answers_;
  GroupCommit group_commit_{&store_};
};

using Strings = std::vector<std::string>;

TEST_F(GroupCommitTest, WhatWaitsSharesOneSyncAndIsAnsweredInOrder) {
  for (const char* id : {"a", "b", "c"}) Put(id);
  Count();
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(group_commit_.RunBatch().operations, 4);
  EXPECT_EQ(answers_, (Strings{"a OK", "b OK", "c OK", "count 3"}));
  EXPECT_EQ(engine_.syncs(), 1);
  EXPECT_EQ(group_commit_.RunBatch().operations, 0);
  EXPECT_EQ(engine_.syncs(), 1);
}

TEST_F(GroupCommitTest, ReadsAloneNeedNoSync) {
  Count();
  group_commit_.RunBatch();
  EXPECT_EQ(answers_, (Strings{"count 0"}));
  EXPECT_EQ(engine_.syncs(), 0);
}

TEST_F(GroupCommitTest, OneThatFailsLeavesTheOthersAlone) {
  Put("a");
  group_commit_.Submit<Team>(
      [](Store& store) -> absl::StatusOr<Team> {
        Team other = TeamNamed("a");
        other.set_name("other");
        return store.PutTeam(other);
      },
      [this](absl::StatusOr<Team> team) { answers_.push_back(ErrorReason(team.status())); });
  Put("b");
  group_commit_.RunBatch();
  EXPECT_EQ(answers_, (Strings{"a OK", "TEAM_EXISTS", "b OK"}));
  EXPECT_EQ(store_.ListTeams()->size(), 2);
}

TEST_F(GroupCommitTest, AFailedCommitIsAnsweredToAllThatMayHaveSeenIt) {
  engine_.set_fault(MemoryEngine::Fault::kBeforeWrite);
  Put("a");
  Count();
  group_commit_.RunBatch();
  EXPECT_EQ(answers_, (Strings{"a REGISTRY_UNAVAILABLE", "count REGISTRY_UNAVAILABLE"}));
  engine_.set_fault(MemoryEngine::Fault::kNone);
  Count();
  Put("a");
  group_commit_.RunBatch();
  EXPECT_EQ(answers_[2], "count 0");
  EXPECT_EQ(answers_[3], "a OK");
}

TEST_F(GroupCommitTest, NothingIsAnsweredOkBeforeItsSync) {
  engine_.set_fault(MemoryEngine::Fault::kBeforeSync);
  Put("a");
  group_commit_.RunBatch();
  EXPECT_EQ(answers_, (Strings{"a REGISTRY_UNAVAILABLE"}));
  engine_.Crash(MemoryEngine::Unsynced::kLost);
  EXPECT_EQ(store_.ListTeams()->size(), 0);
}

TEST_F(GroupCommitTest, ABatchIsBounded) {
  for (size_t i = 0; i < kMaxGroupCommitOperations + 10; ++i) Count();
  EXPECT_EQ(group_commit_.RunBatch().operations, kMaxGroupCommitOperations);
  EXPECT_EQ(group_commit_.RunBatch().operations, 10);
}

TEST_F(GroupCommitTest, AFullQueueAnswersOverloadedAtOnce) {
  for (size_t i = 0; i < kMaxRegistryQueue; ++i) Count();
  EXPECT_TRUE(answers_.empty());
  absl::Status refused;
  group_commit_.Submit<Team>([](Store& store) { return store.PutTeam(TeamNamed("a")); },
                             [&](absl::StatusOr<Team> team) { refused = team.status(); });
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(refused), "OVERLOADED");
  EXPECT_TRUE(RetryAfter(refused).has_value());
  group_commit_.RunBatch();
  Put("b");
  while (group_commit_.RunBatch().operations != 0) {
  }
  EXPECT_EQ(answers_.back(), "b OK");
}

TEST_F(GroupCommitTest, ClosedItRunsWhatWaitsAndRefusesTheRest) {
  Put("a");
  group_commit_.Close();
  Put("b");
  EXPECT_EQ(answers_, (Strings{"b REGISTRY_UNAVAILABLE"}));
  EXPECT_TRUE(group_commit_.WaitForWork(absl::InfiniteDuration()));
  group_commit_.RunBatch();
  EXPECT_EQ(answers_.back(), "a OK");
  EXPECT_FALSE(group_commit_.WaitForWork(absl::InfiniteDuration()));
}

TEST_F(GroupCommitTest, CompanyIsWaitedForUntilItIsThereOrNobodyCanCome) {
  Put("a");
  std::thread other([this] { Put("b"); });
  group_commit_.WaitForCompany(2, absl::InfiniteDuration());
  EXPECT_EQ(group_commit_.RunBatch().operations, 2);
  other.join();
  group_commit_.Close();
  group_commit_.WaitForCompany(1, absl::InfiniteDuration());
}

TEST_F(GroupCommitTest, CompanyThatDoesNotComeIsNotWaitedForLonger) {
  Put("a");
  group_commit_.WaitForCompany(2, absl::Microseconds(1));
  EXPECT_EQ(group_commit_.RunBatch().operations, 1);
}

TEST_F(GroupCommitTest, WhatIsPatientKeepsTheNextUrgentOneCompany) {
  CountPatiently();
  std::thread other([this] { Put("a"); });
  group_commit_.WaitForUrgent(absl::InfiniteDuration());
  other.join();
  EXPECT_EQ(group_commit_.RunBatch().operations, 2);
  EXPECT_EQ(engine_.syncs(), 1);
  EXPECT_EQ(answers_, (Strings{"count 0", "a OK"}));
}

TEST_F(GroupCommitTest, WhatIsPatientWaitsNoLongerThanItsTime) {
  CountPatiently();
  group_commit_.WaitForUrgent(absl::Microseconds(1));
  EXPECT_TRUE(group_commit_.WaitForWork(absl::InfiniteDuration()));
  EXPECT_EQ(group_commit_.RunBatch().operations, 1);
}

TEST_F(GroupCommitTest, UrgencyEndsWithItsBatch) {
  Put("a");
  EXPECT_TRUE(group_commit_.RunBatch().urgent);
  CountPatiently();
  EXPECT_FALSE(group_commit_.RunBatch().urgent);
  const MonotonicTime began = RealClock()->Monotonic();
  group_commit_.WaitForUrgent(absl::Milliseconds(1));
  EXPECT_GE(RealClock()->Monotonic() - began, absl::Milliseconds(1));
}

TEST_F(GroupCommitTest, AWholeBatchOfPatientOnesWaitsForNobody) {
  for (size_t i = 0; i < kMaxGroupCommitOperations; ++i) CountPatiently();
  group_commit_.WaitForUrgent(absl::InfiniteDuration());
}

TEST_F(GroupCommitTest, ClosedNothingIsWaitedFor) {
  CountPatiently();
  group_commit_.Close();
  group_commit_.WaitForUrgent(absl::InfiniteDuration());
}

TEST_F(GroupCommitTest, DestroyedItAnswersWhatWaits) {
  std::string answer;
  {
    GroupCommit group_commit(&store_);
    group_commit.Submit<Team>(
        [](Store& store) { return store.PutTeam(TeamNamed("a")); },
        [&](absl::StatusOr<Team> team) { answer = ErrorReason(team.status()); });
  }
  EXPECT_EQ(answer, "REGISTRY_UNAVAILABLE");
}

// An operation may submit the next one from its answer.
TEST_F(GroupCommitTest, AnAnswerMaySubmit) {
  group_commit_.Submit<Team>([](Store& store) { return store.PutTeam(TeamNamed("a")); },
                             [this](absl::StatusOr<Team>) { Put("b"); });
  group_commit_.RunBatch();
  EXPECT_EQ(group_commit_.RunBatch().operations, 1);
  EXPECT_EQ(answers_, (Strings{"b OK"}));
}

// Holds up every commit until it is let go.
class SlowEngine final : public KvEngine {
 public:
  explicit SlowEngine(KvEngine* engine) : engine_(engine) {}
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override {
    return engine_.Get(family, key);
  }
  absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
      const override {
    return engine_.Scan(family, from, to, visit);
  }
  absl::Status Commit(const WriteSet& writes) override {
    if (!entered.HasBeenNotified()) entered.Notify();
    go_on.WaitForNotification();
    return engine_.Commit(writes);
  }

  absl::Notification entered;
  absl::Notification go_on;

 private:
  SharedEngine engine_;
};

TEST(WriterThreadTest, ConcurrentAppendsShareSyncs) {
  constexpr int kThreads = 8;
  constexpr int kEach = 100;
  SimulatedClock clock;
  MemoryEngine memory;
  auto slow = std::make_unique<SlowEngine>(&memory);
  SlowEngine* const engine = slow.get();
  KvStore store(std::move(slow), {.clock = &clock, .random = [] { return uint64_t{1}; }});
  GroupCommit group_commit(&store);
  absl::BlockingCounter answered(1 + kThreads * kEach);
  const auto put = [&](const std::string& id) {
    group_commit.Submit<Team>([id](Store& s) { return s.PutTeam(TeamNamed(id)); },
                              [&](absl::StatusOr<Team> team) {
                                EXPECT_TRUE(team.ok()) << team.status();
                                answered.DecrementCount();
                              });
  };
  {
    WriterThread writer(&group_commit, &store, &clock);
    put("first");
    engine->entered.WaitForNotification();
    // The first sync runs; all of these come meanwhile.
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) put(absl::StrCat(t, "-", i));
      });
    }
    for (std::thread& thread : threads) thread.join();
    engine->go_on.Notify();
    answered.Wait();
  }
  EXPECT_EQ(memory.syncs(), 2) << "one for the first, one for the other 800";
}

class WaitingWriterTest : public testing::Test {
 protected:
  using Urgency = GroupCommit::Urgency;

  absl::Notification* Put(const std::string& id, Urgency urgency) {
    auto answered = std::make_unique<absl::Notification>();
    group_commit_.Submit<Team>(
        [id](Store& store) { return store.PutTeam(TeamNamed(id)); },
        [answered = answered.get()](absl::StatusOr<Team>) { answered->Notify(); }, urgency);
    return answers_.emplace_back(std::move(answered)).get();
  }

  // After a batch of two, to a writer that waits so after each: a patient operation and then `second`. Expects that
  // the first waits for the second and shares its sync.
  void ExpectOneSyncForTwo(BatchWait (*wait_after)(const GroupCommit::Batch&), Urgency second) {
    Put("a", Urgency::kNow);
    absl::Notification* const begun = Put("b", Urgency::kNow);
    WriterThread writer(&group_commit_, &store_, &clock_, nullptr, wait_after);
    begun->WaitForNotification();
    absl::Notification* const first = Put("c", Urgency::kPatient);
    // Time for a writer that waits for nobody to take it.
    EXPECT_FALSE(first->WaitForNotificationWithTimeout(absl::Milliseconds(50)));
    Put("d", second)->WaitForNotification();
    first->WaitForNotification();
    EXPECT_EQ(engine_.syncs(), 2);
  }

  SimulatedClock clock_;
  MemoryEngine engine_;
  KvStore store_{std::make_unique<SharedEngine>(&engine_),
                 {.clock = &clock_, .random = [] { return uint64_t{1}; }}};
  std::vector<std::unique_ptr<absl::Notification>> answers_;
  GroupCommit group_commit_{&store_};
};

TEST_F(WaitingWriterTest, WaitsForWhoIsUrgentIfToldSo) {
  ExpectOneSyncForTwo(
      [](const GroupCommit::Batch&) {
        return BatchWait{BatchWait::For::kUrgent, absl::InfiniteDuration()};
      },
      Urgency::kNow);
}

TEST_F(WaitingWriterTest, WaitsForAsManyAsTheBatchHadIfToldSo) {
  ExpectOneSyncForTwo(
      [](const GroupCommit::Batch& batch) {
        return BatchWait{batch.operations == 2 ? BatchWait::For::kCompany : BatchWait::For::kNobody,
                         absl::InfiniteDuration()};
      },
      Urgency::kPatient);
}

TEST(WriterThreadTest, SweepsWhenNothingElseHappensAndStopsWhenTold) {
  SimulatedClock clock;
  KvStore store(std::make_unique<MemoryEngine>(),
                {.clock = &clock, .random = [] { return uint64_t{7}; }});
  const DeviceId device(std::array<uint8_t, 16>{1});
  ASSERT_TRUE(store.PutTeam(TeamNamed("team")).ok());
  admin::v1::App app;
  app.set_team_id("team");
  app.set_app_id("com.example.mail");
  ASSERT_TRUE(store.PutApp(app).ok());
  const TokenRef token{device, *store.RegisterApp(device, "com.example.mail"), "team"};
  Envelope message;
  message.set_message_id(std::string(16, 'm'));
  message.set_accepted_at_ms(WallNowMs(clock) - 10'000);
  message.set_expires_at_ms(WallNowMs(clock) - 1);
  ASSERT_TRUE(store.Append(token, message, {}).ok());
  ASSERT_TRUE(store.Commit().ok());
  const auto get = [&] {
    return store.GetMessage(token, *MessageId::FromBytes(std::string(16, 'm')));
  };
  EXPECT_EQ(get()->state(), push::v1::STORED);

  GroupCommit group_commit(&store);
  absl::Notification swept;
  {
    WriterThread writer(&group_commit, &store, &clock);
    // The sweep follows the first batch at the latest.
    group_commit.Submit<size_t>([](Store&) -> absl::StatusOr<size_t> { return 0; },
                                [&](absl::StatusOr<size_t>) { swept.Notify(); });
    swept.WaitForNotification();
  }
  EXPECT_EQ(get()->state(), push::v1::EXPIRED);
}

}  // namespace
}  // namespace bellwire::registry
