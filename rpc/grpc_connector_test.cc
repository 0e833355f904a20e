// Client and server of a connector against each other: real gRPC, loopback, mutual TLS.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/grpc_connector_client.h"
#include "rpc/grpc_connector_server.h"
#include "rpc/loopback_server.h"
#include "rpc/test_pki.h"

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;
using Outcome = ConnectorResponse::Outcome;

// A connector that answers as the request's Evict.winning_login_number says (an Outcome), at once
// or when told.
class FakeConnector final : public ConnectorApi {
 public:
  void Exchange(ConnectorRequest request, ExchangeDone done) override {
    auto outcome = static_cast<Outcome>(request.evict().winning_login_number());
    {
      absl::MutexLock lock(&mutex_);
      if (request.has_missed()) {
        ++missed_;
        outcome = ConnectorResponse::TAKEN;
      }
      ++calls_;
      if (hold_) {
        held_.emplace_back(outcome, std::move(done));
        return;
      }
    }
    std::move(done)(outcome);
  }

  void AwaitMissed(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return missed_ >= count; };
    mutex_.Await(absl::Condition(&enough));
  }
  int missed() {
    absl::MutexLock lock(&mutex_);
    return missed_;
  }

  void HoldCalls() {
    absl::MutexLock lock(&mutex_);
    hold_ = true;
  }
  void AwaitHeld(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return held_.size() >= count; };
    mutex_.Await(absl::Condition(&enough));
  }
  size_t held() {
    absl::MutexLock lock(&mutex_);
    return held_.size();
  }
  // Answers the youngest first.
  void AnswerHeld() {
    std::vector<std::pair<Outcome, ExchangeDone>> held;
    {
      absl::MutexLock lock(&mutex_);
      hold_ = false;
      held.swap(held_);
    }
    std::reverse(held.begin(), held.end());
    for (auto& [outcome, done] : held) std::move(done)(outcome);
  }

  int calls() {
    absl::MutexLock lock(&mutex_);
    return calls_;
  }

 private:
  absl::Mutex mutex_;
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int missed_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::pair<Outcome, ExchangeDone>> held_ ABSL_GUARDED_BY(mutex_);
};

// A clock that the test moves while gRPC's threads read it.
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

ConnectorRequest Ask(Outcome outcome) {
  ConnectorRequest request;
  request.mutable_evict()->set_winning_login_number(static_cast<uint64_t>(outcome));
  return request;
}

// One exchange, awaited.
Outcome Exchange(ConnectorApi& connector, Outcome asked = ConnectorResponse::TAKEN) {
  Outcome outcome = ConnectorResponse::OUTCOME_UNSPECIFIED;
  absl::Notification done;
  connector.Exchange(Ask(asked), [&](Outcome o) {
    outcome = o;
    done.Notify();
  });
  done.WaitForNotification();
  return outcome;
}

// Counts the answers to a number of requests.
class Answers {
 public:
  explicit Answers(int count) : outcomes_(static_cast<size_t>(count)), left_(count) {}

  ConnectorApi::ExchangeDone Expect(int i) {
    return [this, i](Outcome outcome) {
      {
        absl::MutexLock lock(&mutex_);
        outcomes_[static_cast<size_t>(i)].push_back(outcome);
      }
      left_.DecrementCount();
    };
  }
  // Waits until there are as many answers as requests.
  void Await() { left_.Wait(); }
  // The one answer to each request.
  std::vector<Outcome> OneEach() {
    absl::MutexLock lock(&mutex_);
    std::vector<Outcome> all;
    for (const auto& outcomes : outcomes_) {
      EXPECT_EQ(outcomes.size(), 1u);
      all.push_back(outcomes.empty() ? ConnectorResponse::OUTCOME_UNSPECIFIED : outcomes[0]);
    }
    return all;
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::vector<Outcome>> outcomes_ ABSL_GUARDED_BY(mutex_);
  absl::BlockingCounter left_;
};

class GrpcConnectorTest : public ::testing::Test {
 protected:
  GrpcConnectorTest()
      : service_(NewGrpcConnectorService(&connector_)), directory_(NewDirectory("", nullptr)) {
    StartServer(0);
  }

  void StartServer(int port) { server_.emplace(service_.get(), pki_.internal_dir(), port); }

  std::unique_ptr<ConnectorDirectory> NewDirectory(const std::string& local_address,
                                                   ConnectorApi* local) {
    return NewConnectorDirectory(InternalChannelCredentials(pki_.internal_dir()).value(),
                                 local_address, local, &clock_);
  }
  std::shared_ptr<ConnectorApi> Remote() { return directory_->Find(server_->address()); }

  // Tries until the connector answers; time passes for the back-off. gRPC's channel has one of its
  // own, in real time.
  void AwaitReachable(ConnectorApi& connector) {
    while (Exchange(connector) != ConnectorResponse::TAKEN) {
      clock_.Advance(kConnectorDialMax);
      std::this_thread::yield();
    }
  }

  TestPki pki_;
  SharedClock clock_;
  FakeConnector connector_;
  const std::unique_ptr<grpc::Service> service_;
  std::optional<LoopbackServer> server_;
  std::unique_ptr<ConnectorDirectory> directory_;
};

TEST_F(GrpcConnectorTest, OutcomesReturn) {
  const auto remote = Remote();
  for (const Outcome outcome : {ConnectorResponse::TAKEN, ConnectorResponse::DEVICE_ACKED,
                                ConnectorResponse::NO_SESSION, ConnectorResponse::OVERLOADED}) {
    EXPECT_EQ(Exchange(*remote, outcome), outcome);
  }
  EXPECT_EQ(connector_.calls(), 4);
}

TEST_F(GrpcConnectorTest, AnOutcomeOfALaterVersionIsNotTaken) {
  EXPECT_EQ(Exchange(*Remote(), ConnectorResponse::OUTCOME_UNSPECIFIED),
            ConnectorResponse::NO_SESSION);
  EXPECT_EQ(Exchange(*Remote(), static_cast<Outcome>(77)), ConnectorResponse::NO_SESSION);
}

TEST_F(GrpcConnectorTest, FindsTheSameConnectorAgain) { EXPECT_EQ(Remote(), Remote()); }

TEST_F(GrpcConnectorTest, AnswersMayComeInAnyOrder) {
  constexpr int kRequests = 300;
  connector_.HoldCalls();
  Answers answers(kRequests);
  std::vector<Outcome> expected;
  for (int i = 0; i < kRequests; ++i) {
    expected.push_back(static_cast<Outcome>(1 + i % 4));
    Remote()->Exchange(Ask(expected.back()), answers.Expect(i));
  }
  connector_.AwaitHeld(kRequests);
  connector_.AnswerHeld();
  answers.Await();
  EXPECT_EQ(answers.OneEach(), expected);
}

TEST_F(GrpcConnectorTest, TenThousandPipelinedExchanges) {
  constexpr int kRequests = 10'000;
  Answers answers(kRequests);
  std::vector<Outcome> expected;
  const auto remote = Remote();
  for (int i = 0; i < kRequests; ++i) {
    expected.push_back(static_cast<Outcome>(1 + i % 4));
    ConnectorRequest request = Ask(expected.back());
    request.mutable_route()->set_connector_address(std::string(100, 'a'));
    remote->Exchange(std::move(request), answers.Expect(i));
  }
  answers.Await();
  EXPECT_EQ(answers.OneEach(), expected);
}

TEST_F(GrpcConnectorTest, AConnectorThatDiesOwesNothing) {
  constexpr int kRequests = 1000;
  connector_.HoldCalls();
  Answers answers(kRequests);
  const auto remote = Remote();
  for (int i = 0; i < kRequests; ++i) {
    remote->Exchange(Ask(ConnectorResponse::TAKEN), answers.Expect(i));
  }
  connector_.AwaitHeld(kRequests);
  server_.reset();
  answers.Await();
  EXPECT_EQ(answers.OneEach(), std::vector<Outcome>(kRequests, ConnectorResponse::NO_SESSION));
  connector_.AnswerHeld();  // Too late, and harmless.
}

TEST_F(GrpcConnectorTest, DestroyingTheDirectoryAnswersEverything) {
  constexpr int kRequests = 1000;
  connector_.HoldCalls();
  Answers answers(kRequests);
  const auto remote = Remote();
  const auto never_used = directory_->Find("127.0.0.1:1");
  for (int i = 0; i < kRequests; ++i) {
    remote->Exchange(Ask(ConnectorResponse::TAKEN), answers.Expect(i));
  }
  directory_.reset();
  // All of them before it was gone.
  EXPECT_EQ(answers.OneEach(), std::vector<Outcome>(kRequests, ConnectorResponse::NO_SESSION));
  // What it found may live longer.
  EXPECT_EQ(Exchange(*remote), ConnectorResponse::NO_SESSION);
  EXPECT_EQ(Exchange(*never_used), ConnectorResponse::NO_SESSION);
  connector_.AnswerHeld();
}

TEST_F(GrpcConnectorTest, CallbacksMayLookAroundWhileTheDirectoryGoes) {
  connector_.HoldCalls();
  absl::Notification answered;
  ConnectorDirectory* directory = directory_.get();
  Remote()->Exchange(Ask(ConnectorResponse::TAKEN), [&, directory](Outcome) {
    EXPECT_EQ(Exchange(*directory->Find("127.0.0.1:1")), ConnectorResponse::NO_SESSION);
    answered.Notify();
  });
  connector_.AwaitHeld(1);
  directory_.reset();
  EXPECT_TRUE(answered.HasBeenNotified());
}

TEST_F(GrpcConnectorTest, AConnectorHearsOfACallerThatIsCutOff) {
  auto other = NewDirectory("", nullptr);
  EXPECT_EQ(Exchange(*other->Find(server_->address())), ConnectorResponse::TAKEN);
  EXPECT_EQ(connector_.missed(), 0);
  other.reset();
  connector_.AwaitMissed(1);
}

TEST_F(GrpcConnectorTest, ACallerThatRestsHasMissedNothing) {
  const auto remote = Remote();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Exchange(*remote), ConnectorResponse::TAKEN);
    clock_.Advance(2 * kConnectorIdle);
    (void)directory_->Find("127.0.0.1:1");
  }
  EXPECT_EQ(connector_.missed(), 0);
}

TEST_F(GrpcConnectorTest, WhatWasRefusedMeanwhileIsReportedThoughNobodyAsks) {
  const auto remote = Remote();
  ASSERT_EQ(Exchange(*remote), ConnectorResponse::TAKEN);
  const int port = server_->port();
  server_.reset();
  ASSERT_EQ(Exchange(*remote), ConnectorResponse::NO_SESSION);
  const int before = connector_.missed();
  StartServer(port);
  clock_.Advance(kConnectorDialMax);  // Of the back-off; nobody calls any more.
  connector_.AwaitMissed(before + 1);
}

TEST_F(GrpcConnectorTest, UnansweredRequestsAreBounded) {
  constexpr int kBound = static_cast<int>(kMaxConnectorInFlight);
  connector_.HoldCalls();
  Answers answers(kBound);
  const auto remote = Remote();
  for (int i = 0; i < kBound; ++i) {
    remote->Exchange(Ask(ConnectorResponse::TAKEN), answers.Expect(i));
  }
  EXPECT_EQ(Exchange(*remote), ConnectorResponse::OVERLOADED);
  connector_.AwaitHeld(kMaxConnectorInFlight);
  connector_.AnswerHeld();
  answers.Await();
  EXPECT_EQ(answers.OneEach(), std::vector<Outcome>(kBound, ConnectorResponse::TAKEN));
  EXPECT_EQ(Exchange(*remote), ConnectorResponse::TAKEN);
}

TEST_F(GrpcConnectorTest, NobodyDialsWhileBackingOff) {
  const auto remote = Remote();
  ASSERT_EQ(Exchange(*remote), ConnectorResponse::TAKEN);
  const int port = server_->port();
  server_.reset();
  // This one is unanswered when the stream breaks, or comes after: either way the back-off has
  // begun.
  ASSERT_EQ(Exchange(*remote), ConnectorResponse::NO_SESSION);

  StartServer(port);
  const int calls = connector_.calls();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Exchange(*remote), ConnectorResponse::NO_SESSION);
  }
  EXPECT_EQ(connector_.calls(), calls);
  AwaitReachable(*remote);
}

TEST_F(GrpcConnectorTest, RequestsWaitForTheFirstDial) {
  // Nobody listens there: refused, not hanging.
  EXPECT_EQ(Exchange(*directory_->Find("127.0.0.1:1")), ConnectorResponse::NO_SESSION);
  EXPECT_EQ(Exchange(*directory_->Find("")), ConnectorResponse::NO_SESSION);
  EXPECT_EQ(Exchange(*directory_->Find("no such address")), ConnectorResponse::NO_SESSION);
}

TEST_F(GrpcConnectorTest, OneProcessNeedsNoSocket) {
  FakeConnector local;
  const auto directory = NewDirectory("10.0.0.1:7446", &local);
  EXPECT_EQ(directory->Find("10.0.0.1:7446").get(), &local);
  EXPECT_EQ(Exchange(*directory->Find("10.0.0.1:7446")), ConnectorResponse::TAKEN);
  EXPECT_NE(directory->Find(server_->address()).get(), &local);
  EXPECT_EQ(Exchange(*directory->Find(server_->address())), ConnectorResponse::TAKEN);
  EXPECT_EQ(local.calls(), 1);
  EXPECT_EQ(connector_.calls(), 1);
}

TEST_F(GrpcConnectorTest, AConnectorThatNobodyAsksIsForgotten) {
  std::weak_ptr<ConnectorApi> forgotten;
  {
    const auto remote = Remote();
    ASSERT_EQ(Exchange(*remote), ConnectorResponse::TAKEN);
    forgotten = remote;
  }
  clock_.Advance(kConnectorIdle / 2);
  (void)directory_->Find("127.0.0.1:1");
  EXPECT_FALSE(forgotten.expired());
  while (!forgotten.expired()) {  // First its stream is closed; when that has ended, it goes.
    clock_.Advance(kConnectorIdle);
    (void)directory_->Find("127.0.0.1:1");
    std::this_thread::yield();
  }
  EXPECT_EQ(Exchange(*Remote()), ConnectorResponse::TAKEN);
}

TEST_F(GrpcConnectorTest, AConnectorThatIsHeldOnToIsDialledAnewAfterItsRest) {
  const auto remote = Remote();
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(Exchange(*remote), ConnectorResponse::TAKEN) << i;
    clock_.Advance(2 * kConnectorIdle);
    (void)directory_->Find("127.0.0.1:1");  // Closes the idle stream: no failure, so no back-off.
  }
  EXPECT_EQ(Remote(), remote);
}

TEST_F(GrpcConnectorTest, ARequestThatWaitsKeepsItsStreamOpen) {
  connector_.HoldCalls();
  Answers answers(1);
  Remote()->Exchange(Ask(ConnectorResponse::DEVICE_ACKED), answers.Expect(0));
  connector_.AwaitHeld(1);
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(2 * kConnectorIdle);
    (void)directory_->Find("127.0.0.1:1");
  }
  connector_.AnswerHeld();
  answers.Await();
  EXPECT_EQ(answers.OneEach()[0], ConnectorResponse::DEVICE_ACKED);
}

TEST_F(GrpcConnectorTest, CallersWithoutOurCertificateAreRefused) {
  const TestPki foreign;
  const auto directory = NewConnectorDirectory(
      InternalChannelCredentials(foreign.internal_dir()).value(), "", nullptr, &clock_);
  EXPECT_EQ(Exchange(*directory->Find(server_->address())), ConnectorResponse::NO_SESSION);
  EXPECT_EQ(connector_.calls(), 0);
}

// Many callers, a server that comes and goes: every request is answered, once.
TEST_F(GrpcConnectorTest, EveryRequestIsAnsweredOnceWhateverHappens) {
  constexpr int kThreads = 4;
  constexpr int kRequests = 2000;
  Answers answers(kThreads * kRequests);
  const auto remote = Remote();
  const int port = server_->port();
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < kRequests; ++i) {
        remote->Exchange(Ask(ConnectorResponse::TAKEN), answers.Expect(t * kRequests + i));
        if (i % 16 == 0) clock_.Advance(kConnectorDialBase);
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    server_.reset();
    StartServer(port);
    AwaitReachable(*remote);
  }
  for (std::thread& caller : callers) caller.join();
  answers.Await();
  for (const Outcome outcome : answers.OneEach()) {
    EXPECT_TRUE(outcome == ConnectorResponse::TAKEN || outcome == ConnectorResponse::NO_SESSION);
  }
}

// The server against a caller that isn't ours.
class ForeignCallerTest : public GrpcConnectorTest {
 protected:
  ForeignCallerTest()
      : stub_(internal::v1::Connector::NewStub(NewInternalChannel(
            server_->address(), InternalChannelCredentials(pki_.internal_dir()).value(),
            Role::kConnector))) {}

  const std::unique_ptr<internal::v1::Connector::Stub> stub_;
};

TEST_F(ForeignCallerTest, TheServerTakesNoMoreThanItsBound) {
  constexpr size_t kBeyond = 500;
  connector_.HoldCalls();
  grpc::ClientContext context;
  const auto stream = stub_->Exchange(&context);
  std::thread writer([&] {
    for (size_t i = 0; i < kMaxConnectorInFlight + kBeyond; ++i) {
      EXPECT_TRUE(stream->Write(Ask(ConnectorResponse::TAKEN)));
    }
    stream->WritesDone();
  });
  connector_.AwaitHeld(kMaxConnectorInFlight);
  writer.join();  // The rest fits into HTTP/2's window.
  EXPECT_EQ(connector_.held(), kMaxConnectorInFlight);
  connector_.AnswerHeld();

  ConnectorResponse response;
  size_t answers = 0;
  while (stream->Read(&response)) ++answers;
  EXPECT_EQ(answers, kMaxConnectorInFlight + kBeyond);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ForeignCallerTest, WhoHasSaidAllStillGetsItsAnswers) {
  connector_.HoldCalls();
  grpc::ClientContext context;
  const auto stream = stub_->Exchange(&context);
  ConnectorRequest request = Ask(ConnectorResponse::DEVICE_ACKED);
  request.set_correlation_id(99);
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->WritesDone());
  connector_.AwaitHeld(1);
  connector_.AnswerHeld();
  ConnectorResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.correlation_id(), 99u);
  EXPECT_EQ(response.outcome(), ConnectorResponse::DEVICE_ACKED);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ForeignCallerTest, ACallerThatGoesWhileTheServerIsAtItsBoundLeavesNothing) {
  connector_.HoldCalls();
  {
    grpc::ClientContext context;
    const auto stream = stub_->Exchange(&context);
    for (size_t i = 0; i < kMaxConnectorInFlight; ++i) {
      ASSERT_TRUE(stream->Write(Ask(ConnectorResponse::TAKEN)));
    }
    connector_.AwaitHeld(kMaxConnectorInFlight);
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  server_.reset();  // Would wait for a stream that doesn't end.
  connector_.AnswerHeld();
}

}  // namespace
}  // namespace bellwire
