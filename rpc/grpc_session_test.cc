// Both ends of a stream of sessions over real gRPC: loopback, mutual TLS.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/grpc_session_client.h"
#include "rpc/grpc_session_server.h"
#include "rpc/loopback_server.h"
#include "rpc/stream_pulse.h"
#include "rpc/test_pki.h"
#include "rpc/testing/fake_sessions.h"

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;
using Strings = std::vector<std::string>;

// What comes to a connector, in order.
class FakeConnector final : public ConnectorEnd {
 public:
  bool HandOver(ConnectorRequest request) override {
    Note(absl::StrCat("handed ", request.deliver().message().seq()));
    return true;
  }
  void OnStreamBroken(const Devices&) override { Note("broken"); }
  void OnStreamOpened(const Devices&) override { Note("opened"); }

  void Note(std::string what) {
    absl::MutexLock lock(&mutex_);
    all_.push_back(std::move(what));
  }
  // Everything, once there is so much.
  Strings Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count] {
      mutex_.AssertHeld();
      return all_.size() >= count;
    };
    mutex_.Await(absl::Condition(&enough));
    return all_;
  }

 private:
  absl::Mutex mutex_;
  Strings all_ ABSL_GUARDED_BY(mutex_);
};

// A clock that the test moves while other threads read it.
class SharedClock final : public Clock {
 public:
  absl::Time WallNow() const override {
    absl::MutexLock lock(&mutex_);
    return clock_.WallNow();
  }
  MonotonicTime Monotonic() const override {
    absl::MutexLock lock(&mutex_);
    return clock_.Monotonic();
  }
  MonotonicTime Boottime() const override {
    absl::MutexLock lock(&mutex_);
    return clock_.Boottime();
  }
  void Advance(absl::Duration d) {
    absl::MutexLock lock(&mutex_);
    clock_.Advance(d);
  }

 private:
  mutable absl::Mutex mutex_;
  SimulatedClock clock_ ABSL_GUARDED_BY(mutex_);
};

class GrpcSessionTest : public testing::Test {
 protected:
  static constexpr uint64_t kIncarnation = 5;

  GrpcSessionTest() {
    StartServer(0);
    connector_.emplace();
  }
  ~GrpcSessionTest() override {
    client_.reset();
    server_.reset();
    registry_.AnswerAll();
  }

  void StartServer(int port) {
    service_ = std::make_unique<GrpcSessionService>(
        &registry_, [this](uint64_t incarnation) { gone_.Note(absl::StrCat(incarnation)); },
        &server_clock_);
    server_.emplace(service_.get(), pki_.internal_dir(), port);
  }
  void StopServer() {
    server_.reset();
    service_.reset();
  }
  void StartClient(const Clock* clock = nullptr) {
    const auto credentials = InternalChannelCredentials(pki_.internal_dir());
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    client_ =
        NewGrpcSessionClient(NewInternalChannel(server_->address(), *credentials, Role::kRegistry),
                             clock == nullptr ? &client_clock_ : clock);
    internal::v1::Attach attach;
    attach.set_connector_incarnation(kIncarnation);
    attach.set_connector_address("connector:1");
    client_->Open(attach, &*connector_);
  }
  // Its answer is noted where hand-overs are.
  void Pull() {
    client_->Pull(internal::v1::PullRequest(),
                  [this](const absl::StatusOr<internal::v1::PullResponse>& page) {
                    connector_->Note(page.ok() ? "pulled" : ErrorReason(page.status()));
                  });
  }
  bool HandOver(uint64_t seq, uint64_t incarnation = kIncarnation) {
    ConnectorRequest request;
    request.mutable_route()->set_connector_incarnation(incarnation);
    request.mutable_deliver()->mutable_message()->set_seq(seq);
    return service_->HandOver(std::move(request));
  }

  TestPki pki_;
  SharedClock server_clock_;
  SharedClock client_clock_;
  FakeSessions registry_;
  FakeConnector gone_;
  std::optional<FakeConnector> connector_;
  std::unique_ptr<GrpcSessionService> service_;
  std::optional<LoopbackServer> server_;
  std::unique_ptr<SessionStream> client_;
};

TEST_F(GrpcSessionTest, CallsAnswersAndHandOversShareOneOrder) {
  StartClient();
  // Calls need not wait for the stream.
  Pull();
  registry_.AwaitCalls(1);
  EXPECT_TRUE(HandOver(1));
  registry_.AnswerNext();
  EXPECT_TRUE(HandOver(2));
  Strings all = connector_->Await(4);
  std::erase(all, "opened");
  EXPECT_EQ(all, (Strings{"handed 1", "pulled", "handed 2"}));
  EXPECT_FALSE(HandOver(3, kIncarnation + 1)) << "another connector has no stream";
}

TEST_F(GrpcSessionTest, ManyOfBothKeepTheirOrder) {
  StartClient();
  constexpr int kRounds = 5000;
  for (int i = 0; i < kRounds; ++i) Pull();
  registry_.AwaitCalls(kRounds);
  for (int i = 0; i < kRounds; ++i) {
    EXPECT_TRUE(HandOver(static_cast<uint64_t>(i)));
    registry_.AnswerNext();
  }
  Strings all = connector_->Await(2 * kRounds + 1);
  std::erase(all, "opened");
  for (int i = 0; i < kRounds; ++i) {
    ASSERT_EQ(all[static_cast<size_t>(2 * i)], absl::StrCat("handed ", i));
    ASSERT_EQ(all[static_cast<size_t>(2 * i + 1)], "pulled");
  }
}

TEST_F(GrpcSessionTest, ARegistryThatReturnsIsFoundWithoutACall) {
  StartClient(RealClock());
  EXPECT_EQ(connector_->Await(1), Strings{"opened"});
  Pull();
  registry_.AwaitCalls(1);
  const int port = server_->port();
  StopServer();
  EXPECT_EQ(connector_->Await(3), (Strings{"opened", "REGISTRY_UNAVAILABLE", "broken"}))
      << "every call is answered before it counts as broken";
  EXPECT_EQ(gone_.Await(1), Strings{absl::StrCat(kIncarnation)});
  Pull();
  EXPECT_EQ(connector_->Await(4).back(), "REGISTRY_UNAVAILABLE");
  StartServer(port);
  EXPECT_EQ(connector_->Await(5)[4], "opened");
}

TEST_F(GrpcSessionTest, SilenceOfTheConnectorIsABreak) {
  StartClient();
  connector_->Await(1);
  Pull();
  registry_.AwaitCalls(1);
  // To the registry six seconds pass, and to the connector none: it says nothing.
  server_clock_.Advance(StreamPulse::kSilence);
  EXPECT_EQ(gone_.Await(1), Strings{absl::StrCat(kIncarnation)});
  EXPECT_FALSE(HandOver(1));
}

TEST_F(GrpcSessionTest, SilenceOfTheRegistryIsABreak) {
  StartClient();
  connector_->Await(1);
  client_clock_.Advance(StreamPulse::kSilence);
  const Strings all = connector_->Await(2);
  EXPECT_EQ(all[1], "broken");
}

TEST_F(GrpcSessionTest, WhoSpeaksEveryTwoSecondsIsNotSilent) {
  StartClient();
  connector_->Await(1);
  registry_.AnswerAll();
  for (int i = 0; i < 8; ++i) {
    // Each end hears of the other's beat before the next two seconds pass: a call goes there and
    // back behind it.
    client_clock_.Advance(StreamPulse::kBeat);
    server_clock_.Advance(StreamPulse::kBeat);
    Pull();
    registry_.AwaitCalls(static_cast<size_t>(i) + 1);
    registry_.AnswerNext();
    EXPECT_EQ(connector_->Await(static_cast<size_t>(i) + 2).back(), "pulled");
  }
  EXPECT_TRUE(service_->HasStream(kIncarnation));
}

TEST_F(GrpcSessionTest, ClosingAnswersWhatIsOpen) {
  StartClient();
  Pull();
  registry_.AwaitCalls(1);
  client_->Close();
  const Strings all = connector_->Await(1);
  EXPECT_NE(std::find(all.begin(), all.end(), "REGISTRY_UNAVAILABLE"), all.end());
  Pull();
  EXPECT_EQ(connector_->Await(all.size() + 1).back(), "REGISTRY_UNAVAILABLE");
}

}  // namespace
}  // namespace bellwire
