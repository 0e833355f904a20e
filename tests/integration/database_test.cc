// Registries over one store in PostgreSQL, as real processes: they share its devices; what one that
// dies or leaves had is the others', and one that slept meanwhile ends itself.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/ids.h"
#include "gmock/gmock.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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

// Several phones, so that each registry has some: their apps and tokens.
class SharedStoreTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    for (int n = 0; n < kPhones; ++n) {
      // At either connector.
      phones_.push_back(std::make_unique<Phone>(*fleet_, absl::StrCat("phone ", n),
                                                std::vector<int>{n % 2, 1 - n % 2}));
      phones_.back()->SetMoreArguments({"--reconnect_max_seconds", "1"});
      ASSERT_TRUE(phones_.back()->Start().ok());
    }
    for (const auto& phone : phones_) {
      apps_.push_back(std::make_unique<App>(phone->socket_path(), kMail));
      tokens_.push_back(apps_.back()->WaitForToken());
      ASSERT_FALSE(tokens_.back().empty());
    }
  }

  // How many partitions each registry owns, the own ones not counted; the greatest number first.
  std::string Shares() {
    return primary_.Sql(
        "bellwire",
        "SELECT coalesce(string_agg(n::text, ' ' ORDER BY n DESC), '') FROM"
        " (SELECT count(*) AS n FROM bellwire.leases"
        "  WHERE owner <> 0 AND partition <= 256 GROUP BY owner) AS c");
  }
  bool AwaitShares(const std::string& shares) {
    return WaitUntil([&] { return Shares() == shares; });
  }
  // One message to each phone, each until it is answered OK, by either gateway. Answers their ids.
  std::vector<std::string> SendToAll() {
    ++rounds_;
    std::vector<std::string> ids;
    for (const std::string& token : tokens_) {
      push::v1::SendRequest request;
      request.set_token(token);
      request.set_payload(absl::StrCat("round ", rounds_));
      request.set_priority(push::v1::PRIORITY_HIGH);
      ids.push_back(FormatUuid(NewMessageId()));
      request.set_message_id(ids.back());
      int gateway = rounds_;
      EXPECT_TRUE(WaitUntil([&] { return provider_.Send(request, gateway++ % 2).ok(); }))
          << "round " << rounds_;
    }
    return ids;
  }
  void ExpectAllTaken() {
    std::vector<std::string> payloads;
    for (int n = 1; n <= rounds_; ++n) payloads.push_back(absl::StrCat("round ", n));
    for (const auto& app : apps_) {
      EXPECT_TRUE(app->WaitForTaken(payloads.size()));
      EXPECT_THAT(app->taken(), ElementsAreArray(payloads));
    }
  }

  static constexpr int kPhones = 4;
  std::vector<std::unique_ptr<Phone>> phones_;
  std::vector<std::unique_ptr<App>> apps_;
  std::vector<std::string> tokens_;
  int rounds_ = 0;
};

TEST_F(SharedStoreTest, WhoIsKilledIsReplacedByTheOthersAndNothingIsLostOrComesTwice) {
  EXPECT_EQ(Shares(), "257");
  for (int n = 0; n < 5; ++n) SendToAll();
  const auto second = StartRegistry("second", "127.0.0.1:0");
  ASSERT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  for (int n = 0; n < 5; ++n) SendToAll();
  ASSERT_TRUE(AwaitShares("129 128"));
  for (int n = 0; n < 5; ++n) SendToAll();
  // The one that the gateways were told of.
  fleet_->registry().Kill();
  const MonotonicTime killed = RealClock()->Monotonic();
  SendToAll();
  const absl::Duration gap = RealClock()->Monotonic() - killed;
  EXPECT_LT(gap, absl::Seconds(10));
  RecordProperty("seconds_until_served_again", absl::StrCat(absl::ToDoubleSeconds(gap)));
  EXPECT_TRUE(AwaitShares("257"));
  for (int n = 0; n < 5; ++n) SendToAll();
  ExpectAllTaken();
  // It comes back, and has a share again.
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(AwaitShares("129 128"));
  SendToAll();
  ExpectAllTaken();
  EXPECT_TRUE(second->Terminate().ok());
}

TEST_F(SharedStoreTest, WhoJoinsGetsAShareAndWhoLeavesGivesItBackWhileMessagesGoOn) {
  const auto second = StartRegistry("second", "127.0.0.1:0");
  ASSERT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  const auto third = StartRegistry("third", "127.0.0.1:0");
  ASSERT_TRUE(third->WaitReady(fleet_->path("third.ready")).ok());
  for (int n = 0; n < 10; ++n) SendToAll();
  ASSERT_TRUE(AwaitShares("86 86 85"));
  SendToAll();
  std::atomic<bool> left = false;
  std::thread leaves([&] {
    EXPECT_TRUE(second->Terminate().ok());
    left = true;
  });
  while (!left) SendToAll();
  leaves.join();
  EXPECT_EQ(Shares(), "129 128") << "the others have all of it when it is gone";
  SendToAll();
  EXPECT_TRUE(third->Terminate().ok());
  EXPECT_EQ(Shares(), "257");
  SendToAll();
  ExpectAllTaken();
}

// The phone may have it, since its registry has handed it over before it died.
TEST_F(SharedStoreTest, ARecallAfterATakeoverIsNoPromiseOfWhatThePhoneHas) {
  const auto second = StartRegistry("second", "127.0.0.1:0");
  ASSERT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  ASSERT_TRUE(AwaitShares("129 128"));
  SendToAll();
  ExpectAllTaken();
  for (const auto& phone : phones_) phone->agent().Freeze();
  const std::vector<std::string> ids = SendToAll();
  fleet_->registry().Kill();
  ASSERT_TRUE(AwaitShares("257"));
  for (size_t n = 0; n < ids.size(); ++n) {
    absl::StatusOr<push::v1::RecallResponse> recalled;
    EXPECT_TRUE(WaitUntil([&] {
      recalled = provider_.Recall(tokens_[n], ids[n]);
      return recalled.ok();
    })) << recalled.status();
    EXPECT_EQ(recalled->outcome(), push::v1::RecallResponse::REQUESTED) << "phone " << n;
  }
  for (const auto& phone : phones_) phone->agent().Thaw();
  EXPECT_TRUE(second->Terminate().ok());
}

TEST_F(SharedStoreTest, NowOrNeverReachesThePhonesOfBothRegistriesThroughAMove) {
  const auto now_or_never = [this] {
    for (const std::string& token : tokens_) {
      push::v1::SendRequest request;
      request.set_token(token);
      request.set_payload("now");
      request.set_priority(push::v1::PRIORITY_HIGH);
      request.mutable_ttl();
      absl::StatusOr<push::v1::SendResponse> sent;
      // The phone is there: whoever repeats the call finds it.
      EXPECT_TRUE(WaitUntil([&] {
        request.set_message_id(FormatUuid(NewMessageId()));
        sent = provider_.Send(request);
        return sent.ok() && sent->outcome() == push::v1::SendResponse::DELIVERED;
      })) << sent.status();
    }
  };
  now_or_never();
  const auto second = StartRegistry("second", "127.0.0.1:0");
  ASSERT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  while (Shares() != "129 128") now_or_never();
  now_or_never();
  EXPECT_TRUE(second->Terminate().ok());
  now_or_never();
}

// A second connector takes over the phones of one that dies, whichever registry has them.
TEST_F(SharedStoreTest, APhoneWhoseConnectorDiesComesBackElsewhereAndMissesNothing) {
  const auto second = StartRegistry("second", "127.0.0.1:0");
  ASSERT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  ASSERT_TRUE(AwaitShares("129 128"));
  SendToAll();
  fleet_->connector(0).Kill();
  for (int n = 0; n < 3; ++n) SendToAll();
  ExpectAllTaken();
  ASSERT_TRUE(fleet_->StartAll().ok());
  fleet_->gateway(0).Kill();
  for (int n = 0; n < 3; ++n) SendToAll();
  ExpectAllTaken();
  EXPECT_TRUE(second->Terminate().ok());
}

TEST_F(SharedStoreTest, WhoIsDrainedGoesOnWithoutDevicesAndMessagesToThemGoOn) {
  const auto fleet = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--database", Database()});
    auto process = Process::Start("fleet", "cli/bellwire", arguments);
    EXPECT_TRUE(process.ok()) << process.status();
    const absl::StatusOr<int> ended = (*process)->Wait();
    return absl::StrCat(ended.value_or(-1), " ", (*process)->Log());
  };
  const std::string first = fleet_->internal_addresses()[0];
  EXPECT_THAT(fleet({"fleet", "drain", "127.0.0.1:1"}), HasSubstr("NO_SUCH_REGISTRY"));
  EXPECT_THAT(fleet({"fleet", "drain", first, "--wait_seconds", "1"}), HasSubstr("STILL_OWNED"))
      << "there is no other one";
  EXPECT_THAT(fleet({"fleet", "drain", first, "--undo"}), StartsWith("0 "));
  const auto second = StartRegistry("second", "127.0.0.1:0");
  ASSERT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  ASSERT_TRUE(AwaitShares("129 128"));
  SendToAll();
  std::string drained;
  std::atomic<bool> done = false;
  std::thread drains([&] {
    drained = fleet({"fleet", "drain", first});
    done = true;
  });
  while (!done) SendToAll();
  drains.join();
  EXPECT_THAT(drained, StartsWith("0 "));
  EXPECT_EQ(Shares(), "257");
  EXPECT_THAT(fleet({"fleet", "status"}), StartsWith("0 "));
  SendToAll();
  ExpectAllTaken();
  // As docs/reference/command_line_json.md has it.
  FILE* const undo = popen(absl::StrCat(getenv("TEST_SRCDIR"), "/", getenv("TEST_WORKSPACE"),
                                        "/cli/bellwire fleet drain ", first,
                                        " --undo --json --database '", Database(), "'")
                               .c_str(),
                           "r");
  char said[256] = {};
  EXPECT_NE(fgets(said, sizeof(said), undo), nullptr);
  EXPECT_EQ(pclose(undo), 0);
  EXPECT_EQ(absl::string_view(said),
            absl::StrCat(R"({"address":")", first, R"(","draining":false,"partitions":0})", "\n"));
  EXPECT_TRUE(AwaitShares("129 128"));
  SendToAll();
  ExpectAllTaken();
  EXPECT_TRUE(second->Terminate().ok());
}

TEST_F(SharedStoreTest, ReceiptsOfAllRegistriesComeInTheOrderOfEachMessage) {
  const auto stub = push::v1::PushService::NewStub(fleet_->Channel());
  // Of each message, in the order in which they come.
  absl::Mutex mutex;
  std::map<std::string, std::vector<push::v1::Step>> steps;
  size_t ended = 0;
  bool begun = false, over = false;
  std::string ends;
  std::unique_ptr<grpc::ClientContext> context;
  // As a provider does: a watch that ends is begun again at its last cursor.
  const auto watch = [&] {
    std::string cursor;
    while (true) {
      push::v1::WatchReceiptsRequest request;
      request.set_cursor(cursor);
      std::unique_ptr<grpc::ClientReader<push::v1::WatchReceiptsResponse>> stream;
      {
        absl::MutexLock lock(&mutex);
        if (over) return;
        context = std::make_unique<grpc::ClientContext>();
        provider_.Authorize(context.get());
        stream = stub->WatchReceipts(context.get(), request);
      }
      push::v1::WatchReceiptsResponse response;
      while (stream->Read(&response)) {
        cursor = response.cursor();
        absl::MutexLock lock(&mutex);
        begun = true;
        if (response.message_id().empty()) continue;
        std::vector<push::v1::Step>& of_message = steps[response.message_id()];
        const push::v1::Step step = response.receipt().step();
        // They come at least once.
        if (std::find(of_message.begin(), of_message.end(), step) != of_message.end()) continue;
        of_message.push_back(step);
        ended += step == push::v1::APP_ACKED ? 1 : 0;
      }
      const grpc::Status why = stream->Finish();
      absl::MutexLock lock(&mutex);
      absl::StrAppend(&ends, why.error_code(), " ", why.error_message(), "\n");
    }
  };
  std::thread watches(watch);
  EXPECT_TRUE(WaitUntil([&] {
    absl::MutexLock lock(&mutex);
    return begun;
  }));
  const auto second = StartRegistry("second", "127.0.0.1:0");
  EXPECT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  for (int n = 0; n < 10; ++n) SendToAll();
  EXPECT_TRUE(AwaitShares("129 128"));
  for (int n = 0; n < 5; ++n) SendToAll();
  EXPECT_TRUE(second->Terminate().ok());
  ExpectAllTaken();
  EXPECT_TRUE(WaitUntil([&] {
    absl::MutexLock lock(&mutex);
    return ended == static_cast<size_t>(rounds_) * kPhones;
  })) << ends;
  {
    absl::MutexLock lock(&mutex);
    over = true;
    context->TryCancel();
  }
  watches.join();
  EXPECT_EQ(steps.size(), static_cast<size_t>(rounds_) * kPhones);
  for (const auto& [message, of_message] : steps) {
    EXPECT_TRUE(std::is_sorted(of_message.begin(), of_message.end())) << message;
    EXPECT_EQ(of_message.front(), push::v1::ACCEPTED) << message;
  }
}

TEST_F(SharedStoreTest, WhoSleptIsFencedAndEnds) {
  SendToAll();
  const auto second = StartRegistry("second", "127.0.0.1:0");
  ASSERT_TRUE(second->WaitReady(fleet_->path("second.ready")).ok());
  ASSERT_TRUE(AwaitShares("129 128"));
  fleet_->registry().Freeze();
  ASSERT_TRUE(AwaitShares("257")) << "the other one has everything";
  SendToAll();
  fleet_->registry().Thaw();
  const absl::StatusOr<int> ended = fleet_->registry().Wait();
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(*ended, 1);
  EXPECT_TRUE(absl::StrContains(fleet_->registry().Log(), "fenced"));
  ASSERT_TRUE(fleet_->StartAll().ok());
  SendToAll();
  ExpectAllTaken();
  EXPECT_TRUE(second->Terminate().ok());
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
