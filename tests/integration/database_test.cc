// Registries over one store in PostgreSQL, as real processes: one serves and another one waits; one
// that dies is replaced, and one that slept meanwhile ends itself. A store moves from there to
// RocksDB, and back.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAreArray;

constexpr char kMail[] = "com.example.mail";

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    primary_.Sql("CREATE DATABASE bellwire");
    standby_ = std::make_unique<registry::PostgresServer>(
        registry::PostgresServer::Options{.name = "n2", .primary = &primary_, .fsync = true});
    primary_.Set("synchronous_standby_names", "FIRST 1 (n2)");
    primary_.WaitUntil("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'");
    auto init =
        Process::Start("fleet-init", "cli/bellwire", {"fleet", "init", "--database", Database()});
    ASSERT_TRUE(init.ok()) << init.status();
    ASSERT_EQ(*(*init)->Wait(), 0) << (*init)->Log();
    auto fleet = Fleet::Start(Deployment::kSeparate,
                              {.more_registry_arguments = {"--database", Database()}});
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
    phone_ = std::make_unique<Phone>(*fleet_, "phone");
    phone_->SetMoreArguments({"--reconnect_max_seconds", "1"});
    ASSERT_TRUE(phone_->Start().ok());
  }

  std::string Database() const {
    return absl::StrCat("host=", primary_.host(),
                        standby_ == nullptr ? "" : absl::StrCat(",", standby_->host()),
                        " user=bellwire dbname=bellwire");
  }
  // Another registry over the same store.
  std::unique_ptr<Process> StartRegistry(const std::string& name, const std::string& listen) {
    auto started =
        Process::Start(name, "registry/bellwire-registry",
                       {"--data_dir", fleet_->data_dir(), "--database", Database(), "--listen",
                        listen, "--ready_file", fleet_->path(name + ".ready")});
    EXPECT_TRUE(started.ok()) << started.status();
    return started.ok() ? *std::move(started) : nullptr;
  }
  // Sends under an id of its own, until it is answered OK.
  void Send(const std::string& token) {
    push::v1::SendRequest request;
    request.set_token(token);
    request.set_payload(absl::StrCat("message ", ++sent_));
    request.set_priority(push::v1::PRIORITY_HIGH);
    request.set_message_id(FormatUuid(NewMessageId()));
    ASSERT_TRUE(WaitUntil([&] { return provider_.Send(request).ok(); })) << sent_;
  }
  std::vector<std::string> AllSent() const {
    std::vector<std::string> payloads;
    for (int n = 1; n <= sent_; ++n) payloads.push_back(absl::StrCat("message ", n));
    return payloads;
  }

  // Runs `bellwire`, which has to exit with 0.
  void Bellwire(const std::vector<std::string>& arguments) {
    auto process = Process::Start("bellwire", "cli/bellwire", arguments);
    ASSERT_TRUE(process.ok()) << process.status();
    ASSERT_EQ(*(*process)->Wait(), 0) << (*process)->Log();
  }
  // "ACCEPTED STORED …"
  std::string Steps(const std::string& token, const std::string& message_id) {
    const auto message = provider_.GetMessage(token, message_id);
    if (!message.ok()) return message.status().ToString();
    std::string steps;
    for (const auto& receipt : message->receipts()) {
      absl::StrAppend(&steps, steps.empty() ? "" : " ", push::v1::Step_Name(receipt.step()));
    }
    return steps;
  }

  registry::PostgresServer primary_{{.name = "n1", .fsync = true}};
  std::unique_ptr<registry::PostgresServer> standby_;
  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::unique_ptr<Phone> phone_;
  int sent_ = 0;
};

TEST_F(DatabaseTest, ARegistryThatIsKilledIsReplacedAndNothingIsLostOrComesTwice) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  for (int n = 0; n < 20; ++n) Send(token);
  ASSERT_TRUE(app.WaitForTaken(20));
  // It listens where the other one did, once that is gone.
  const auto heir = StartRegistry("heir", fleet_->internal_addresses()[0]);
  ASSERT_TRUE(WaitUntil([&] { return absl::StrContains(heir->Log(), "waiting_for_lease"); }));
  for (int n = 0; n < 20; ++n) Send(token);
  fleet_->registry().Kill();
  const MonotonicTime killed = RealClock()->Monotonic();
  ASSERT_TRUE(heir->WaitReady(fleet_->path("heir.ready")).ok());
  const absl::Duration gap = RealClock()->Monotonic() - killed;
  RecordProperty("seconds_until_served_again", absl::StrCat(absl::ToDoubleSeconds(gap)));
  for (int n = 0; n < 20; ++n) Send(token);
  EXPECT_TRUE(app.WaitForTaken(60));
  EXPECT_THAT(app.taken(), ElementsAreArray(AllSent()));
  EXPECT_TRUE(heir->Terminate().ok());
}

TEST_F(DatabaseTest, ARegistryThatSleptIsFencedAndEnds) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  Send(token);
  fleet_->registry().Freeze();
  const auto heir = StartRegistry("heir", "127.0.0.1:0");
  ASSERT_TRUE(heir->WaitReady(fleet_->path("heir.ready")).ok()) << "it has the store";
  fleet_->registry().Thaw();
  const absl::StatusOr<int> ended = fleet_->registry().Wait();
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(*ended, 1);
  EXPECT_TRUE(absl::StrContains(fleet_->registry().Log(), "fenced"));
  // Where gateways look for it, it comes back once the other one gives the store away.
  EXPECT_TRUE(heir->Terminate().ok());
  ASSERT_TRUE(fleet_->StartAll().ok());
  Send(token);
  EXPECT_TRUE(app.WaitForTaken(2));
  EXPECT_THAT(app.taken(), ElementsAreArray(AllSent()));
}

TEST_F(DatabaseTest, AfterAFailoverOfTheDatabaseItServesByItself) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  for (int n = 0; n < 20; ++n) Send(token);
  primary_.Kill();
  standby_->Promote();
  registry::PostgresServer third({.name = "n3", .primary = standby_.get(), .fsync = true});
  standby_->Set("synchronous_standby_names", "FIRST 1 (n3)");
  for (int n = 0; n < 20; ++n) Send(token);
  EXPECT_TRUE(app.WaitForTaken(40));
  EXPECT_THAT(app.taken(), ElementsAreArray(AllSent()));
}

// Tokens, receipts, and messages that wait, with a phone that knows of nothing.
TEST_F(DatabaseTest, AStoreMovesToRocksDbAndBack) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  for (int n = 0; n < 5; ++n) Send(token);
  ASSERT_TRUE(app.WaitForTaken(5));
  push::v1::SendRequest kept;
  kept.set_token(token);
  kept.set_payload(absl::StrCat("message ", ++sent_));
  kept.set_message_id(FormatUuid(NewMessageId()));
  ASSERT_TRUE(WaitUntil([&] { return provider_.Send(kept).ok(); }));
  ASSERT_TRUE(app.WaitForTaken(6));
  const std::string acked = "APP_ACKED";
  ASSERT_TRUE(WaitUntil([&] { return absl::StrContains(Steps(token, kept.message_id()), acked); }));
  const std::string steps = Steps(token, kept.message_id());
  // Two that wait for the phone.
  ASSERT_TRUE(phone_->agent().Terminate().ok());
  for (int n = 0; n < 2; ++n) Send(token);
  ASSERT_TRUE(fleet_->registry().Terminate().ok());

  const std::string file = fleet_->path("store.export");
  Bellwire({"registry", "check", "--database", Database()});
  Bellwire({"registry", "export", file, "--database", Database()});
  Bellwire({"registry", "import", file, "--data_dir", fleet_->data_dir()});
  Bellwire({"registry", "check", "--data_dir", fleet_->data_dir()});
  fleet_->UseRegistry("registry/bellwire-registry");
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(phone_->Start().ok());
  ASSERT_TRUE(app.WaitForTaken(8));
  for (int n = 0; n < 2; ++n) Send(token);
  ASSERT_TRUE(app.WaitForTaken(10));
  EXPECT_EQ(Steps(token, kept.message_id()), steps);

  ASSERT_TRUE(phone_->agent().Terminate().ok());
  Send(token);
  ASSERT_TRUE(fleet_->registry().Terminate().ok());
  primary_.Sql("CREATE DATABASE second");
  const std::string second = absl::StrCat(Database(), " dbname=second");
  Bellwire({"fleet", "init", "--database", second});
  const std::string back = fleet_->path("back.export");
  Bellwire({"registry", "export", back, "--data_dir", fleet_->data_dir()});
  Bellwire({"registry", "import", back, "--database", second});
  Bellwire({"registry", "check", "--database", second});
  fleet_->UseRegistry("registry/bellwire-registry", {"--database", second});
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(phone_->Start().ok());
  Send(token);
  EXPECT_TRUE(app.WaitForTaken(12));
  EXPECT_THAT(app.taken(), ElementsAreArray(AllSent()));
  EXPECT_EQ(Steps(token, kept.message_id()), steps);
}

}  // namespace
}  // namespace bellwire::tests
