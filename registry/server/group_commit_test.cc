#include "registry/server/group_commit.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/types/span.h"
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
        Owner::Operator(), [id](Store& store) { return store.PutTeam(TeamNamed(id)); },
        [this, id](absl::StatusOr<Team> team) {
          answers_.push_back(absl::StrCat(id, " ", team.ok() ? "OK" : ErrorReason(team.status())));
        });
  }
  void Count(GroupCommit::Urgency urgency = GroupCommit::Urgency::kNow) {
    group_commit_.Submit<size_t>(
        Owner::Operator(),
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
      Owner::Operator(),
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

// Where reads are round trips, those of a batch are one, and those of who comes late are one more.
TEST(PrefetchingGroupCommitTest, TheDevicesOfABatchAreFetchedTogether) {
  SimulatedClock clock;
  MemoryEngine engine;
  std::vector<std::vector<std::string>> fetched;
  KvStore store(std::make_unique<SharedEngine>(&engine),
                {.clock = &clock,
                 .random = [] { return uint64_t{1}; },
                 .prefetch = [&](absl::Span<const std::string> devices) {
                   fetched.emplace_back(devices.begin(), devices.end());
                 }});
  GroupCommit group_commit(&store);
  int answered = 0;
  const auto submit = [&](Owner owner) {
    group_commit.Submit<bool>(
        owner, [](Store&) { return absl::StatusOr<bool>(true); },
        [&](absl::StatusOr<bool> done) { answered += done.ok() ? 1 : 0; });
  };
  for (uint8_t n = 0; n < 200; ++n) {
    submit(Owner::Devices().About(DeviceId(std::array<uint8_t, 16>{n})));
  }
  const GroupCommit::Batch batch = group_commit.RunBatch([&](size_t ran) {
    EXPECT_EQ(ran, 200u);
    // A team that has just become active.
    submit(Owner::Team("new").About(DeviceId(std::array<uint8_t, 16>{0xee})));
  });
  EXPECT_EQ(batch.operations, 201u);
  EXPECT_EQ(answered, 201);
  ASSERT_EQ(fetched.size(), 2u);
  EXPECT_EQ(fetched[0].size(), 200u);
  EXPECT_EQ(fetched[1], (std::vector<std::string>{std::string("\xee") + std::string(15, '\0')}));
}

TEST_F(GroupCommitTest, ABatchIsBounded) {
  for (size_t i = 0; i < kMaxGroupCommitOperations + 10; ++i) Count();
  EXPECT_EQ(group_commit_.RunBatch().operations, kMaxGroupCommitOperations);
  EXPECT_EQ(group_commit_.RunBatch().operations, 10);
}

TEST_F(GroupCommitTest, AFullQueueAnswersOverloadedAtOnce) {
  for (size_t i = 0; i < kMaxRegistryQueue / 2; ++i) Count();
  EXPECT_TRUE(answers_.empty());
  absl::Status refused;
  group_commit_.Submit<Team>(
      Owner::Operator(), [](Store& store) { return store.PutTeam(TeamNamed("a")); },
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
        Owner::Operator(), [](Store& store) { return store.PutTeam(TeamNamed("a")); },
        [&](absl::StatusOr<Team> team) { answer = ErrorReason(team.status()); });
  }
  EXPECT_EQ(answer, "REGISTRY_UNAVAILABLE");
}

// An operation may submit the next one from its answer.
TEST_F(GroupCommitTest, AnAnswerMaySubmit) {
  group_commit_.Submit<Team>(
      Owner::Operator(), [](Store& store) { return store.PutTeam(TeamNamed("a")); },
      [this](absl::StatusOr<Team>) { Put("b"); });
  group_commit_.RunBatch();
  EXPECT_EQ(group_commit_.RunBatch().operations, 1);
  EXPECT_EQ(answers_, (Strings{"b OK"}));
}

// What teams have queued; `answers_` gets each team's name when it is served.
class FairGroupCommitTest : public GroupCommitTest {
 protected:
  // `while_running`: what happens while the operation runs.
  void Call(
      const std::string& team, std::function<void()> while_running = [] {}) {
    group_commit_.Submit<size_t>(
        Owner::Team(team),
        [while_running = std::move(while_running)](Store&) -> absl::StatusOr<size_t> {
          while_running();
          return 0;
        },
        [this, team](absl::StatusOr<size_t> served) {
          answers_.push_back(served.ok() ? team : ErrorReason(served.status()));
        });
  }
  void CallMany(const std::string& team, size_t count) {
    for (size_t i = 0; i < count; ++i) Call(team);
  }
  // How many were answered before the first of this team.
  ptrdiff_t AnsweredBefore(const std::string& team) {
    return std::find(answers_.begin(), answers_.end(), team) - answers_.begin();
  }
};

TEST_F(FairGroupCommitTest, ATeamIsInTheNextBatchWhateverOthersHaveQueued) {
  for (int i = 0; i < 100; ++i) CallMany(absl::StrCat("noisy", i), 80);
  for (int i = 0; i < 4; ++i) group_commit_.RunBatch();
  answers_.clear();
  Call("quiet");
  group_commit_.RunBatch();
  EXPECT_EQ(AnsweredBefore("quiet"), 0);
}

TEST_F(FairGroupCommitTest, ATeamThatComesWhileABatchRunsTakesPartInIt) {
  CallMany("noisy", 10);
  Call("noisy", [this] { Call("quiet"); });
  CallMany("noisy", 5000);
  const GroupCommit::Batch batch = group_commit_.RunBatch();
  EXPECT_LE(AnsweredBefore("quiet"), 8) << "noisy itself has just become active";
  EXPECT_EQ(batch.operations, kMinGroupCommitOperations) << "and it ends early for it";
  EXPECT_TRUE(batch.more);
}

// Background work goes with a batch, and takes its time.
TEST_F(FairGroupCommitTest, ATeamThatComesBeforeTheCommitIsPartOfIt) {
  CallMany("noisy", 200);
  size_t commits = 0;
  const GroupCommit::Batch batch = group_commit_.RunBatch([&](size_t) {
    if (commits++ == 0) Call("quiet");
  });
  EXPECT_EQ(commits, 1u);
  EXPECT_EQ(batch.operations, 201u);
  EXPECT_EQ(AnsweredBefore("quiet"), 8) << "noisy's first turn";
}

TEST_F(FairGroupCommitTest, ATeamThatComesWhileABatchIsAnsweredIsServedInBetween) {
  group_commit_.Submit<size_t>(
      Owner::Team("noisy"), [](Store&) -> absl::StatusOr<size_t> { return 0; },
      [this](absl::StatusOr<size_t>) { Call("quiet"); });
  CallMany("noisy", 200);
  size_t commits = 0;
  const GroupCommit::Batch batch = group_commit_.RunBatch([&](size_t) { ++commits; });
  EXPECT_LE(AnsweredBefore("quiet"), 8 + 16) << "noisy's first turn, and so many between two looks";
  EXPECT_EQ(batch.operations, 202u);
  EXPECT_EQ(commits, 2u);
}

TEST_F(FairGroupCommitTest, ATeamThatComesAloneDoesNotWaitForOthersToBeCompany) {
  Call("noisy");
  Call("quiet");
  while (group_commit_.RunBatch().more) {
  }
  std::thread other([this] { Call("late"); });
  const MonotonicTime began = RealClock()->Monotonic();
  constexpr absl::Duration kLong = absl::Seconds(30);
  group_commit_.WaitForCompany(1000, kLong);
  EXPECT_LT(RealClock()->Monotonic() - began, kLong);
  other.join();
  EXPECT_EQ(group_commit_.RunBatch().operations, 1);
}

TEST_F(FairGroupCommitTest, ABatchThatTeamsShareEndsWhenItHasRunForLong) {
  SimulatedClock clock;
  GroupCommit group_commit(&store_, &clock);
  // Each takes a twentieth of the time.
  const auto call = [&](const std::string& team) {
    group_commit.Submit<size_t>(
        Owner::Team(team),
        [&clock](Store&) -> absl::StatusOr<size_t> {
          clock.Advance(GroupCommit::kSharedBatchTime / 20);
          return 0;
        },
        [](absl::StatusOr<size_t>) {});
  };
  for (int i = 0; i < 300; ++i) call("alone");
  EXPECT_EQ(group_commit.RunBatch().operations, 300u) << "nobody else waits";
  for (int i = 0; i < 150; ++i) {
    call("one");
    call("other");
  }
  // In it both have just become active, which ends it early as well.
  group_commit.RunBatch();
  EXPECT_EQ(group_commit.RunBatch().operations, kMinGroupCommitOperations);
}

TEST_F(FairGroupCommitTest, BatchesAreSmallerWhileTeamsShareTheWriter) {
  CallMany("a", 2000);
  EXPECT_EQ(group_commit_.RunBatch().operations, kMaxGroupCommitOperations);
  CallMany("b", 1);
  while (group_commit_.RunBatch().operations == kMinGroupCommitOperations) {
  }
  CallMany("a", 2000);
  EXPECT_EQ(group_commit_.RunBatch().operations, kMaxSharedGroupCommitOperations);
}

TEST_F(FairGroupCommitTest, TeamsShareTheWriterAlike) {
  CallMany("a", 8000);
  CallMany("b", 2000);
  for (int i = 0; i < 8; ++i) group_commit_.RunBatch();
  const auto of_b = static_cast<size_t>(std::count(answers_.begin(), answers_.end(), "b"));
  EXPECT_NEAR(of_b, answers_.size() / 2, 16);
}

TEST_F(FairGroupCommitTest, AFloodIsRefusedToItsTeamAndToNobodyElse) {
  CallMany("noisy", 2 * kMaxRegistryQueue);
  EXPECT_EQ(answers_, Strings(answers_.size(), "OVERLOADED"));
  EXPECT_FALSE(answers_.empty());
  answers_.clear();
  CallMany("quiet", 1000);
  Count();
  CountPatiently();
  EXPECT_EQ(answers_, Strings());
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
    group_commit.Submit<Team>(
        Owner::Operator(), [id](Store& s) { return s.PutTeam(TeamNamed(id)); },
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
        Owner::Operator(), [id](Store& store) { return store.PutTeam(TeamNamed(id)); },
        [answered = answered.get()](absl::StatusOr<Team>) { answered->Notify(); }, urgency);
    return answers_.emplace_back(std::move(answered)).get();
  }

  // After a batch of two, to a writer that waits so after each: a patient operation and then
  // `second`. Expects that the first waits for the second and shares its sync.
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

// A backend that calls an idle registry, one call after the other, when a thousand messages fall
// due.
TEST(WriterThreadTest, WhatIsDueAtOnceIsDoneInSmallStepsBetweenCalls) {
  constexpr int kDevices = 1000;
  SimulatedClock clock;
  int released = 0;
  KvStore store(std::make_unique<MemoryEngine>(),
                {.clock = &clock,
                 .random = [] { return uint64_t{7}; },
                 .on_hand_over = [&](const ConnectorRequest&) { ++released; }});
  ASSERT_TRUE(store.PutTeam(TeamNamed("team")).ok());
  admin::v1::App app;
  app.set_team_id("team");
  app.set_app_id("com.example.mail");
  ASSERT_TRUE(store.PutApp(app).ok());
  for (int i = 0; i < kDevices; ++i) {
    const DeviceId device(
        std::array<uint8_t, 16>{static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)});
    const TokenRef token{device, store.RegisterApp(device, "com.example.mail")->registration_id,
                         "team"};
    Route route;
    route.set_connector_address("connector:1");
    route.set_session_id(1);
    route.set_login_number(1);
    ASSERT_TRUE(store.Bind(device, route, {.max_bytes = 1000, .max_messages = 10}, {}).ok());
    Envelope message;
    message.set_message_id(std::string(16, 'm'));
    message.set_registration_id(token.registration_id);
    message.set_accepted_at_ms(WallNowMs(clock));
    message.set_deliver_at_ms(WallNowMs(clock) + 60'000);
    message.set_expires_at_ms(WallNowMs(clock) + 3'600'000);
    ASSERT_TRUE(store.Append(token, message, {}).ok());
  }
  ASSERT_TRUE(store.Commit().ok());
  clock.Advance(absl::Minutes(2));

  GroupCommit group_commit(&store);
  std::vector<int> released_at_call;
  absl::Notification done;
  // On the writer's thread from the second call on.
  std::function<void()> call = [&] {
    group_commit.Submit<size_t>(
        Owner::Team("quiet"), [](Store&) -> absl::StatusOr<size_t> { return 0; },
        [&](absl::StatusOr<size_t>) {
          released_at_call.push_back(released);
          if (released < kDevices) return call();
          done.Notify();
        });
  };
  {
    WriterThread writer(&group_commit, &store, &clock);
    call();
    done.WaitForNotification();
  }
  for (size_t i = 1; i < released_at_call.size(); ++i) {
    // The steps of two batches: it may be idle between two calls.
    EXPECT_LE(released_at_call[i] - released_at_call[i - 1], 2 * kMinSweepEntries);
  }
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
  const TokenRef token{device, store.RegisterApp(device, "com.example.mail")->registration_id,
                       "team"};
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
    group_commit.Submit<size_t>(
        Owner::Operator(), [](Store&) -> absl::StatusOr<size_t> { return 0; },
        [&](absl::StatusOr<size_t>) { swept.Notify(); });
    swept.WaitForNotification();
  }
  EXPECT_EQ(get()->state(), push::v1::EXPIRED);
}

}  // namespace
}  // namespace bellwire::registry
