#include "registry/deletion/deletions.h"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/memory_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

constexpr char kTeam[] = "teamaaaaaa";
constexpr char kOther[] = "teambbbbbb";
constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";
constexpr char kNews[] = "org.example.news";

class DeletionsTest : public testing::Test {
 protected:
  DeletionsTest() {
    Open();
    for (const char* id : {kTeam, kOther}) {
      admin::v1::Team team;
      team.set_team_id(id);
      EXPECT_TRUE(store_->PutTeam(team).ok());
    }
    PutApp(kMail, kTeam);
    PutApp(kChat, kTeam);
    PutApp(kNews, kOther);
    Commit();
  }
  ~DeletionsTest() override { EXPECT_EQ(Problems(), std::vector<std::string>()); }

  // The process starts, after a crash if it ran.
  void Open() {
    engine_.Crash(MemoryEngine::Unsynced::kLost);
    store_ = std::make_unique<KvStore>(
        std::make_unique<SharedEngine>(&engine_),
        KvStore::Options{.clock = &clock_,
                         .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; }});
  }
  void PutApp(const std::string& app_id, const std::string& team_id) {
    admin::v1::App app;
    app.set_app_id(app_id);
    app.set_team_id(team_id);
    *app.mutable_create_time() =
        google::protobuf::util::TimeUtil::MillisecondsToTimestamp(WallNowMs(clock_));
    ASSERT_TRUE(store_->PutApp(app).ok());
  }
  void Commit() { ASSERT_TRUE(store_->Commit().ok()); }
  static DeviceId Device(int n) {
    return DeviceId(std::array<uint8_t, 16>{static_cast<uint8_t>(n * 37), static_cast<uint8_t>(n)});
  }
  TokenRef Register(int device, const std::string& app_id, const std::string& team_id) {
    const auto registered = store_->RegisterApp(Device(device), app_id);
    EXPECT_TRUE(registered.ok()) << registered.status();
    return {Device(device), registered->registration_id, team_id};
  }
  Envelope Message(absl::Duration ttl = absl::Hours(1)) {
    Envelope message;
    message.set_message_id(absl::StrCat(absl::Hex(++messages_, absl::kZeroPad16)));
    message.set_payload("text");
    message.set_accepted_at_ms(WallNowMs(clock_));
    message.set_expires_at_ms(message.accepted_at_ms() + absl::ToInt64Milliseconds(ttl));
    return message;
  }
  void Append(const TokenRef& token, const Envelope& message) {
    const auto appended = store_->Append(token, message, {});
    ASSERT_TRUE(appended.ok()) << appended.status();
  }
  // Messages in every place that one can have, and subscriptions to topics.
  void Fill(const TokenRef& token) {
    Route route;
    route.set_connector_address("127.0.0.1:1");
    route.set_connector_incarnation(1);
    route.set_session_id(++sessions_);
    route.set_login_number(++sessions_);
    ASSERT_TRUE(store_->Bind(token.device, route, {.max_bytes = 1 << 20, .max_messages = 100}, {})
                    .ok());
    // On the device, ended, waiting, sent, scheduled, taken back, now or never, dropped.
    for (const bool ends : {false, true}) {
      const Envelope message = Message();
      const auto appended = store_->Append(token, message, {});
      ASSERT_TRUE(appended.ok()) << appended.status();
      ASSERT_TRUE(store_->Acknowledge(token.device, route,
                                      {{.seq = appended->seq, .sent_at = clock_.WallNow()}})
                      .ok());
      if (!ends) continue;
      ASSERT_TRUE(store_->AppAcknowledge(
                            token.device,
                            {{.message_id = *MessageId::FromBytes(message.message_id()),
                              .registration_id = token.registration_id,
                              .step = push::v1::APP_ACKED}})
                      .ok());
    }
    Append(token, Message());
    const auto sent = store_->Append(token, Message(), {});
    ASSERT_TRUE(sent.ok()) << sent.status();
    ASSERT_TRUE(store_->ReportSent(token.device,
                                   {{.seq = sent->seq, .sent_at = clock_.WallNow()}})
                    .ok());
    Envelope scheduled = Message();
    scheduled.set_deliver_at_ms(scheduled.accepted_at_ms() + 60'000);
    scheduled.set_expires_at_ms(scheduled.deliver_at_ms() + 60'000);
    Append(token, scheduled);
    const Envelope recalled = Message();
    Append(token, recalled);
    ASSERT_TRUE(store_->Recall(token, *MessageId::FromBytes(recalled.message_id())).ok());
    Append(token, Message(absl::ZeroDuration()));
    for (const char* topic : {"news", "weather"}) {
      ASSERT_TRUE(store_->ChangeSubscription(token.device, token.registration_id, token.team_id,
                                             topic, true)
                      .ok());
    }
    ASSERT_TRUE(store_->RelayReceipts(1000).ok());
    Commit();
  }
  // Steps of the deletion, with a crash after each `crash_every` of them, until it has come to its
  // end.
  void Finish(int crash_every) {
    for (int steps = 1; ; ++steps) {
      ASSERT_LT(steps, 5000);
      const auto swept = store_->Sweep(256);
      ASSERT_TRUE(swept.ok()) << swept.status();
      Commit();
      if (steps % 4 == 0 || !swept->chores) {
        ASSERT_EQ(Problems(), std::vector<std::string>()) << "after step " << steps;
      }
      if (!swept->chores) return;
      if (crash_every != 0 && steps % crash_every == 0) Open();
    }
  }
  std::vector<std::string> Problems() {
    CheckReport report;
    CheckRecords(
        engine_, [](uint64_t) {}, &report);
    std::vector<std::string> problems;
    for (const CheckProblem& p : report.problems) problems.push_back(p.where + ": " + p.what);
    return problems;
  }
  // Records in whose key or value the text is.
  std::vector<std::string> RecordsWith(const std::string& text) {
    std::vector<std::string> found;
    for (const Family family :
         {Family::kDevices, Family::kLives, Family::kTeams, Family::kNames, Family::kTimeline,
          Family::kOutbox, Family::kFeeds, Family::kTopics}) {
      EXPECT_TRUE(engine_
                      .Scan(family, "", std::string(64, '\xff'),
                            [&](absl::string_view key, absl::string_view value) {
                              if (absl::StrContains(key, text) || absl::StrContains(value, text)) {
                                found.push_back(absl::StrCat(static_cast<int>(family), " ",
                                                             absl::CHexEscape(key)));
                              }
                              return true;
                            })
                      .ok());
    }
    return found;
  }
  admin::v1::RecordCounts Count(const std::string& team_id, const std::string& app_id = "") {
    admin::v1::RecordCounts sum;
    internal::v1::CountRecordsRequest request;
    request.mutable_of()->set_team_id(team_id);
    request.mutable_of()->set_app_id(app_id);
    while (true) {
      const auto part = store_->CountRecords(request);
      EXPECT_TRUE(part.ok()) << part.status();
      if (!part.ok()) return sum;
      const admin::v1::RecordCounts& counts = part->counts();
      sum.set_apps(sum.apps() + counts.apps());
      sum.set_devices(sum.devices() + counts.devices());
      sum.set_tokens(sum.tokens() + counts.tokens());
      sum.set_messages(sum.messages() + counts.messages());
      sum.set_message_histories(sum.message_histories() + counts.message_histories());
      sum.set_receipt_blocks(sum.receipt_blocks() + counts.receipt_blocks());
      sum.set_topic_subscriptions(sum.topic_subscriptions() + counts.topic_subscriptions());
      sum.set_deleted(sum.deleted() || counts.deleted());
      if (part->next_cursor().empty()) return sum;
      request.set_cursor(part->next_cursor());
    }
  }
  std::string WhyNotCounted(const std::string& team_id, const std::string& app_id = "") {
    internal::v1::CountRecordsRequest request;
    request.mutable_of()->set_team_id(team_id);
    request.mutable_of()->set_app_id(app_id);
    return ErrorReason(store_->CountRecords(request).status());
  }

  SimulatedClock clock_;
  MemoryEngine engine_;
  std::unique_ptr<KvStore> store_;
  uint64_t random_ = 0;
  uint64_t messages_ = 0;
  uint64_t sessions_ = 0;
};

TEST_F(DeletionsTest, NothingOfATeamIsLeftAndOthersHaveAll) {
  for (int device = 1; device <= 12; ++device) {
    Fill(Register(device, kMail, kTeam));
    if (device % 2 == 0) Fill(Register(device, kChat, kTeam));
    if (device % 3 == 0) Fill(Register(device, kNews, kOther));
  }
  const admin::v1::RecordCounts before = Count(kTeam);
  EXPECT_EQ(before.apps(), 2u);
  EXPECT_EQ(before.devices(), 12u);
  EXPECT_EQ(before.tokens(), 18u);
  EXPECT_EQ(before.messages(), 18u * 3);
  EXPECT_GE(before.message_histories(), 18u * 4);
  EXPECT_GE(before.receipt_blocks(), 1u);
  EXPECT_EQ(before.topic_subscriptions(), 18u * 2);
  EXPECT_FALSE(before.deleted());
  const std::string others = Count(kOther).SerializeAsString();
  ASSERT_TRUE(store_->DeleteTeam(kTeam).ok());
  Commit();
  EXPECT_TRUE(Count(kTeam).deleted());
  Finish(/*crash_every=*/0);
  EXPECT_EQ(WhyNotCounted(kTeam), "TEAM_NOT_FOUND");
  EXPECT_EQ(RecordsWith(kTeam), std::vector<std::string>());
  EXPECT_EQ(RecordsWith(kMail), std::vector<std::string>());
  EXPECT_EQ(Count(kOther).SerializeAsString(), others);
}

TEST_F(DeletionsTest, ACrashAfterAnyStepLosesNothingOfIt) {
  for (int device = 1; device <= 6; ++device) {
    Fill(Register(device, kMail, kTeam));
    Fill(Register(device, kNews, kOther));
  }
  ASSERT_TRUE(store_->DeleteTeam(kTeam).ok());
  Commit();
  Finish(/*crash_every=*/1);
  EXPECT_EQ(RecordsWith(kTeam), std::vector<std::string>());
  EXPECT_EQ(Count(kOther).tokens(), 6u);
}

TEST_F(DeletionsTest, AnAppGoesWithoutItsTeam) {
  for (int device = 1; device <= 5; ++device) {
    Fill(Register(device, kMail, kTeam));
    Fill(Register(device, kChat, kTeam));
  }
  ASSERT_TRUE(store_->DeleteApp(kMail).ok());
  Commit();
  EXPECT_TRUE(Count("", kMail).deleted());
  // Another app under its id has nothing to do with it, also while the deletion goes on.
  clock_.Advance(absl::Seconds(1));
  PutApp(kMail, kTeam);
  const TokenRef newer = Register(1, kMail, kTeam);
  Append(newer, Message());
  Commit();
  Finish(/*crash_every=*/3);
  EXPECT_EQ(Count("", kMail).tokens(), 1u);
  EXPECT_EQ(Count("", kMail).messages(), 1u);
  EXPECT_EQ(Count("", kChat).tokens(), 5u);
  EXPECT_EQ(Count(kTeam).tokens(), 6u);
  EXPECT_EQ(WhyNotCounted("", "com.example.none"), "UNKNOWN_APP");
}

// Thousands of lives of one registration are more than one step takes.
TEST_F(DeletionsTest, ALongHistoryGoesInSteps) {
  const TokenRef token = Register(1, kMail, kTeam);
  Route route;
  route.set_connector_address("127.0.0.1:1");
  route.set_session_id(1);
  route.set_login_number(1);
  ASSERT_TRUE(
      store_->Bind(token.device, route, {.max_bytes = 1 << 20, .max_messages = 100}, {}).ok());
  for (int i = 0; i < 500; ++i) {
    const auto appended = store_->Append(token, Message(), {});
    ASSERT_TRUE(appended.ok()) << appended.status();
    ASSERT_TRUE(store_->Acknowledge(token.device, route,
                                    {{.seq = appended->seq, .sent_at = clock_.WallNow()}})
                    .ok());
  }
  Commit();
  EXPECT_EQ(Count(kTeam).message_histories(), 500u);
  ASSERT_TRUE(store_->DeleteTeam(kTeam).ok());
  Commit();
  uint64_t rest = 500;
  for (int steps = 0; rest == 500 && steps < 100; ++steps) {
    ASSERT_TRUE(store_->Sweep(256).ok());
    Commit();
    rest = Count(kTeam).message_histories();
  }
  EXPECT_LT(rest, 500u);
  EXPECT_GT(rest, 0u) << "a step is small";
  Finish(/*crash_every=*/1);
  EXPECT_EQ(RecordsWith(kTeam), std::vector<std::string>());
}

TEST_F(DeletionsTest, ACheckFindsWhatIsLeftOfATeam) {
  Fill(Register(1, kNews, kOther));
  const std::string team = TeamRecordKey(kOther);
  const auto record = engine_.Get(Family::kTeams, team);
  ASSERT_TRUE(record.ok() && record->has_value());
  ASSERT_TRUE(engine_.Commit({{{Family::kTeams, team}, std::nullopt}}).ok());
  bool found = false;
  for (const std::string& problem : Problems()) {
    found |= absl::StrContains(problem, "it is left of team teambbbbbb, which is gone");
  }
  EXPECT_TRUE(found);
  ASSERT_TRUE(engine_.Commit({{{Family::kTeams, team}, **record}}).ok());
}

}  // namespace
}  // namespace bellwire::registry
