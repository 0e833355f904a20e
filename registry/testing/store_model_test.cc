// Random operations against a simple model of what a store should do, over both engines and with
// restarts in between. A failure names its seed; the run of a seed is always the same.

#include "registry/testing/store_model.h"

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/memory_engine.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"
#include "rpc/priority.h"

namespace bellwire::registry {
namespace {

constexpr int kDevices = 2;
constexpr int kApps = 3;
constexpr char kTeam[] = "team";
constexpr std::array<admin::v1::OverflowPolicy, kApps> kPolicies = {
    admin::v1::DROP_OLDEST, admin::v1::REFUSE_NEWEST, admin::v1::DROP_ALL};

std::string AppId(int app) { return absl::StrCat("com.example.app", app); }
DeviceId Device(int device) {
  return DeviceId(std::array<uint8_t, 16>{static_cast<uint8_t>(device)});
}
// In the order of the numbers.
MessageId Id(int id) {
  return MessageId(
      std::array<uint8_t, 16>{static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id)});
}

class Run {
 public:
  Run(uint32_t seed, bool on_disk) : random_(seed) {
    // On disk, or in a memory that outlives the store: either way Restart finds what was committed.
    if (on_disk) {
      directory_ = std::make_unique<TempDir>();
    } else {
      memory_ = std::make_unique<MemoryEngine>();
    }
    Open();
    admin::v1::Team team;
    team.set_team_id(kTeam);
    EXPECT_TRUE(store_->PutTeam(team).ok());
    for (int i = 0; i < kApps; ++i) {
      admin::v1::App app;
      app.set_app_id(AppId(i));
      app.set_team_id(kTeam);
      app.set_overflow_policy(kPolicies[i]);
      EXPECT_TRUE(store_->PutApp(app).ok());
    }
    Commit();
  }

  // One operation, on a random device.
  void Step() {
    device_ = Pick(kDevices);
    model_ = &models_[device_];
    now_ms_ = WallNowMs(clock_);
    const int choice = Pick(1000);
    if (choice < 20) {
      Register();
    } else if (choice < 24) {
      const int app = Pick(kApps);
      EXPECT_TRUE(store_->RemoveApp(Device(device_), AppId(app), 0).ok());
      model_->Remove(app, now_ms_);
    } else if (choice < 700) {
      Append();
    } else if (choice < 800) {
      Acknowledge();
    } else if (choice < 860) {
      AppAcknowledge();
    } else if (choice < 890) {
      Bind();
    } else if (choice < 905) {
      const uint64_t login = 1 + Pick(static_cast<int>(logins_ + 1));
      EXPECT_TRUE(store_->Unbind(Device(device_), RouteOf(login)).ok());
      model_->Unbind(login);
    } else if (choice < 940) {
      Recall();
    } else if (choice < 970) {
      const uint64_t seq = Seq();
      const auto expected = model_->Resolve(seq);
      const auto actual = store_->Resolve(Device(device_), seq);
      ASSERT_EQ(actual.ok(), expected.has_value()) << seq;
      if (actual.ok()) {
        ASSERT_EQ(*actual, *expected);
      }
    } else if (choice < 990) {
      PassTime();
    } else {
      Commit();
      Open();
      Resume();
    }
    Commit();
    if (Pick(20) == 0) Compare();
  }

  // What the run has come across.
  const std::set<push::v1::Step>& steps_seen() const { return seen_; }
  const std::set<std::string>& errors_seen() const { return errors_; }

  void Compare() {
    for (int device = 0; device < kDevices; ++device) CompareDevice(device);
    if (memory_ == nullptr || Pick(10) != 0) return;
    CheckReport report;
    CheckRecords(
        *memory_, [](uint64_t) {}, &report);
    ASSERT_TRUE(report.sound()) << report.problems[0].where << ": " << report.problems[0].what;
  }

 private:
  int Pick(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }

  void Open() {
    store_.reset();
    std::unique_ptr<KvEngine> engine;
    if (memory_ != nullptr) {
      engine = std::make_unique<SharedEngine>(memory_.get());
    } else {
      auto opened = RocksDbEngine::Open({.directory = directory_->path("store"), .clock = &clock_});
      ASSERT_TRUE(opened.ok()) << opened.status();
      engine = *std::move(opened);
    }
    store_ = std::make_unique<KvStore>(
        std::move(engine),
        KvStore::Options{.clock = &clock_, .random = [this] { return ++last_id_; }});
  }

  void Commit() { ASSERT_TRUE(store_->Commit().ok()); }

  // As connectors do after the registry's death.
  void Resume() {
    for (int device = 0; device < kDevices; ++device) {
      const uint64_t login = models_[device].bound_login();
      if (login == 0) continue;
      ASSERT_TRUE(store_->Resume(Device(device), RouteOf(login), std::nullopt, 0).ok());
      // What is due by now has its place, as for a page.
      models_[device].Mailbox(WallNowMs(clock_));
    }
  }

  static Route RouteOf(uint64_t login) {
    Route route;
    route.set_connector_address("connector");
    route.set_session_id(login);
    route.set_login_number(login);
    return route;
  }

  // A registration that was made at some time, or one that never was.
  uint64_t Registration() {
    const auto& all = registrations_[device_];
    if (all.empty() || Pick(50) == 0) return 999'999;
    // Seldom one that died long ago.
    return all[all.size() - 1 - Pick(std::min(static_cast<int>(all.size()), 4))];
  }

  // Ids come again now and then.
  int MessageNumber() { return Pick(3) == 0 ? 1 + Pick(last_message_) : ++last_message_; }

  uint64_t Seq() {
    const uint64_t last = model_->last_seq();
    return Pick(3) == 0 ? 1 + last - std::min<uint64_t>(last, Pick(5))
                        : model_->settled_seq() + Pick(8);
  }

  void Register() {
    const int app = Pick(kApps);
    const auto registered = store_->RegisterApp(Device(device_), AppId(app));
    ASSERT_TRUE(registered.ok()) << registered.status();
    const uint64_t actual = registered->registration_id;
    ASSERT_EQ(model_->Register(app, kPolicies[app], actual), actual);
    auto& all = registrations_[device_];
    if (std::find(all.begin(), all.end(), actual) == all.end()) all.push_back(actual);
  }

  void Append() {
    DeviceModel::Message message;
    message.registration = Registration();
    message.id = MessageNumber();
    // The first letter tells the priority.
    const int priority = message.id % 4;
    message.payload =
        absl::StrCat(kPriorityLetters.substr(priority, 1), message.id, Pick(30) == 0 ? "x" : "");
    if (Pick(10) == 0) message.collapse_key = absl::StrCat("key", Pick(3));
    message.accepted_ms = now_ms_;
    if (Pick(15) == 0) message.deliver_at_ms = now_ms_ + Pick(100'000) - 10'000;
    constexpr std::array<int64_t, 4> kTtls = {0, 5'000, 120'000, 3'600'000};
    // Few short ones, so that mailboxes fill up.
    int64_t ttl = kTtls[3];
    if (Pick(5) == 0) ttl = kTtls[Pick(3)];
    if (ttl == 0 && message.deliver_at_ms != 0) ttl = 1000;
    if (message.deliver_at_ms <= now_ms_) message.deliver_at_ms = 0;
    message.expires_ms = std::max(now_ms_, message.deliver_at_ms) + ttl;

    Envelope envelope;
    envelope.set_message_id(std::string(Id(message.id).bytes()));
    envelope.set_payload(message.payload);
    envelope.set_priority(static_cast<push::v1::Priority>(priority));
    envelope.set_collapse_key(message.collapse_key);
    envelope.set_accepted_at_ms(message.accepted_ms);
    envelope.set_deliver_at_ms(message.deliver_at_ms);
    envelope.set_expires_at_ms(message.expires_ms);
    const TokenRef token{Device(device_), message.registration, kTeam};
    if (Pick(20) == 0) {
      // Changes nothing, as the next comparison sees.
      (void)store_->Append(token, envelope, {.validate_only = true}).status();
      return;
    }
    const auto actual = store_->Append(token, envelope, {});
    const DeviceModel::Appended expected = model_->Append(message, now_ms_);
    ASSERT_EQ(ErrorReason(actual.status()), expected.error);
    errors_.insert(expected.error);
    if (!actual.ok()) return;
    ASSERT_EQ(actual->seq, expected.seq);
    ASSERT_EQ(actual->duplicate, expected.duplicate);
    ASSERT_EQ(actual->state, expected.state);
    ASSERT_EQ(actual->route.has_value(), expected.connected);
  }

  void Acknowledge() {
    std::vector<AckItem> items;
    for (int i = Pick(4); i >= 0; --i) {
      const uint64_t seq = Seq();
      items.push_back({seq, clock_.WallNow()});
      model_->Acknowledge(seq);
    }
    const absl::Status status = store_->Acknowledge(Device(device_), RouteOf(logins_), items);
    ASSERT_TRUE(status.ok() || ErrorReason(status) == "STALE_LOGIN") << status;
  }

  void AppAcknowledge() {
    const uint64_t registration = Registration();
    const int id = std::max(1, last_message_ - Pick(200));
    constexpr std::array<push::v1::Step, 4> kSteps = {push::v1::APP_ACKED, push::v1::APP_ACKED,
                                                      push::v1::EXPIRED, push::v1::RECALLED};
    const push::v1::Step step = kSteps[Pick(4)];
    ASSERT_TRUE(store_->AppAcknowledge(Device(device_), {{Id(id), registration, step}}).ok());
    model_->AppAcknowledge(registration, id, step);
  }

  void Bind() {
    const uint64_t login = Pick(2) == 0 ? ++logins_ : 1 + Pick(static_cast<int>(logins_ + 1));
    logins_ = std::max(logins_, login);
    const auto actual =
        store_->Bind(Device(device_), RouteOf(login), {.max_bytes = 1000, .max_messages = 5}, {});
    const bool expected = model_->Bind(login, now_ms_);
    ASSERT_EQ(actual.ok(), expected) << actual.status();
    if (actual.ok()) {
      ASSERT_EQ(actual->settled_seq, model_->settled_seq());
      for (const Envelope& mail : actual->page.messages) model_->HandOver(mail.seq(), now_ms_);
    }
  }

  void Recall() {
    const uint64_t registration = Registration();
    const int id = std::max(1, last_message_ - Pick(200));
    const auto actual = store_->Recall({Device(device_), registration, kTeam}, Id(id));
    const auto expected = model_->Recall(registration, id);
    ASSERT_EQ(actual.ok(), expected.has_value()) << actual.status();
    if (actual.ok()) {
      ASSERT_EQ(actual->outcome, *expected);
    }
  }

  void PassTime() {
    constexpr std::array<int64_t, 6> kSteps = {10, 1'000, 20'000, 100'000, 3'600'000, 700'000'000};
    clock_.Advance(absl::Milliseconds(kSteps[Pick(4) == 0 ? Pick(6) : Pick(3)]));
    // Sometimes nobody sweeps for a while.
    if (Pick(3) == 0) return;
    while (true) {
      const auto swept = store_->Sweep(1 + Pick(10));
      ASSERT_TRUE(swept.ok()) << swept.status();
      if (!swept->more) break;
    }
    for (DeviceModel& model : models_) model.Sweep(WallNowMs(clock_));
  }

  // Unspecified, HIGH, NORMAL, LOW.
  static constexpr absl::string_view kPriorityLetters = "uhnl";
  // Of a line of the model: "12 h7", or "13 gap 2".
  static push::v1::Priority PriorityOfLine(absl::string_view line) {
    const size_t at = kPriorityLetters.find(line[line.find(' ') + 1]);
    return PriorityOf(static_cast<push::v1::Priority>(at == absl::string_view::npos ? 0 : at));
  }

  void CompareDevice(int device) {
    DeviceModel& model = models_[device];
    std::vector<std::string> actual;
    uint64_t after = 0;
    PrioritySet priorities = PrioritySet::All();
    if (Pick(2) == 0) {
      const std::vector<int> one = {1 + Pick(3)};
      priorities = PrioritySet::Of(one);
    }
    size_t passed_over = 0;
    while (true) {
      const auto page = store_->Pull(Device(device), after,
                                     {.max_bytes = static_cast<size_t>(Pick(300)),
                                      .max_messages = static_cast<size_t>(1 + Pick(40)),
                                      .priorities = priorities});
      ASSERT_TRUE(page.ok()) << page.status();
      for (const PassedOver& p : page->passed_over) {
        ASSERT_FALSE(priorities.Contains(p.priority));
        ASSERT_LT(after, p.first_seq);
        ASSERT_LE(p.last_seq, page->complete_to_seq);
        for (const std::string& line : model.Mailbox(WallNowMs(clock_))) {
          uint64_t seq = 0;
          ASSERT_TRUE(absl::SimpleAtoi(line.substr(0, line.find(' ')), &seq));
          if (PriorityOfLine(line) != p.priority || seq <= after) continue;
          // The first one, and all of them up to the last.
          if (seq <= page->complete_to_seq) {
            ASSERT_LE(p.first_seq, seq);
            ASSERT_LE(seq, p.last_seq);
            ++passed_over;
          }
        }
      }
      for (const Envelope& mail : page->messages) {
        model.HandOver(mail.seq(), WallNowMs(clock_));
        actual.push_back(mail.gap_dropped() != 0
                             ? absl::StrCat(mail.seq(), " gap ", mail.gap_dropped())
                             : absl::StrCat(mail.seq(), " ", mail.payload()));
      }
      after = page->complete_to_seq;
      if (!page->more) break;
    }
    Commit();
    std::vector<std::string> expected = model.Mailbox(WallNowMs(clock_));
    const size_t all = expected.size();
    std::erase_if(expected, [&](const std::string& line) {
      return !priorities.Contains(PriorityOfLine(line));
    });
    // Whole mailboxes are long: show where they part.
    const auto [a, e] =
        std::mismatch(actual.begin(), actual.end(), expected.begin(), expected.end());
    ASSERT_EQ(std::vector<std::string>(a, actual.end()),
              std::vector<std::string>(e, expected.end()));
    ASSERT_EQ(passed_over, all - expected.size());
    ASSERT_EQ(after, model.last_seq());
    for (const uint64_t registration : registrations_[device]) {
      for (int i = 0; i < 20; ++i) CompareSteps(device, registration, 1 + Pick(last_message_));
    }
  }

  void CompareSteps(int device, uint64_t registration, int id) {
    const auto actual = store_->GetMessage({Device(device), registration, kTeam}, Id(id));
    const auto expected = models_[device].Steps(registration, id);
    // A token that has been dead for so long that it was forgotten.
    if (ErrorReason(actual.status()) == "UNREGISTERED") return;
    if (actual.ok() && !expected.has_value()) {
      // Receipts may be kept for longer than promised, but only of what has ended.
      ASSERT_TRUE(actual->terminal()) << "message " << id;
      return;
    }
    ASSERT_EQ(actual.ok(), expected.has_value()) << actual.status();
    if (!actual.ok()) return;
    std::vector<push::v1::Step> steps;
    for (const push::v1::Receipt& receipt : actual->receipts()) steps.push_back(receipt.step());
    ASSERT_EQ(steps, *expected) << "message " << id;
    size_t ends = 0;
    for (const push::v1::Step step : steps) ends += IsTerminal(step) ? 1 : 0;
    seen_.insert(steps.begin(), steps.end());
    ASSERT_EQ(ends, actual->terminal() ? 1 : 0);
  }

  std::mt19937 random_;
  SimulatedClock clock_;
  std::unique_ptr<TempDir> directory_;
  std::unique_ptr<MemoryEngine> memory_;
  std::unique_ptr<KvStore> store_;
  uint64_t last_id_ = 0;
  std::array<DeviceModel, kDevices> models_;
  std::array<std::vector<uint64_t>, kDevices> registrations_;
  int last_message_ = 1;
  uint64_t logins_ = 0;
  std::set<push::v1::Step> seen_;
  std::set<std::string> errors_;

  // Of the operation under way.
  int device_ = 0;
  DeviceModel* model_ = nullptr;
  int64_t now_ms_ = 0;
};

struct Coverage {
  std::set<push::v1::Step> steps;
  std::set<std::string> errors;
};

Coverage RunSeeds(bool on_disk, uint32_t seeds, int steps) {
  Coverage coverage;
  for (uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Run run(seed, on_disk);
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE(absl::StrCat("step ", i));
      run.Step();
    }
    if (testing::Test::HasFailure()) break;
    run.Compare();
    coverage.steps.insert(run.steps_seen().begin(), run.steps_seen().end());
    coverage.errors.insert(run.errors_seen().begin(), run.errors_seen().end());
  }
  return coverage;
}

TEST(StoreModelTest, InMemory) {
  const Coverage coverage = RunSeeds(/*on_disk=*/false, 60, 3000);
  // The runs go everywhere.
  EXPECT_EQ(coverage.steps.size(), push::v1::Step_ARRAYSIZE - 1);
  EXPECT_EQ(coverage.errors,
            (std::set<std::string>{"", "MAILBOX_FULL", "MESSAGE_ID_REUSED", "UNREGISTERED"}));
}

TEST(StoreModelTest, OnDisk) { RunSeeds(/*on_disk=*/true, 2, 1500); }

}  // namespace
}  // namespace bellwire::registry
