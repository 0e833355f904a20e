#include "registry/server/dispatcher.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "crypto/token_sealer.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/server/kv_store.h"
#include "registry/server/service.h"
#include "registry/testing/fake_connectors.h"

namespace bellwire::registry {
namespace {

using internal::v1::AppendRequest;
using internal::v1::AppendResponse;
using internal::v1::HandedOverRequest;

constexpr char kTeam[] = "teamaaaaaa";
constexpr uint64_t kWaiter = 7;
constexpr uint64_t kConnector = 77;

// A registry of one thread: batches run when the test says so.
class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    service_.dispatcher()->SetConnectors(&connectors_);
    admin::v1::Team team;
    team.set_team_id(kTeam);
    team.set_name("A team");
    admin::v1::App app;
    app.set_team_id(kTeam);
    app.set_app_id("com.example.mail");
    EXPECT_TRUE(store_.PutTeam(team).ok() && store_.PutApp(app).ok());
    registration_ = store_.RegisterApp(kDevice, "com.example.mail")->registration_id;
    EXPECT_TRUE(store_.Commit().ok());
  }

  void Bind(uint64_t login_number) {
    Route route;
    route.set_connector_address("connector:1");
    route.set_connector_incarnation(kConnector);
    route.set_session_id(login_number);
    route.set_login_number(login_number);
    ASSERT_TRUE(store_.Bind(kDevice, route, {.max_bytes = 1000, .max_messages = 10}, {}).ok());
    ASSERT_TRUE(store_.Commit().ok());
  }

  AppendRequest Message(char id, absl::Duration ttl, uint64_t waiter = kWaiter) {
    AppendRequest request;
    request.set_device_id(std::string(kDevice.bytes()));
    request.set_registration_id(registration_);
    request.set_team_id(kTeam);
    request.mutable_message()->set_message_id(std::string(16, id));
    request.mutable_message()->set_accepted_at_ms(WallNowMs(clock_));
    request.mutable_message()->set_expires_at_ms(WallNowMs(clock_) +
                                                 absl::ToInt64Milliseconds(ttl));
    request.set_waiter(waiter);
    return request;
  }

  // An answer that may come later.
  using Answer = std::shared_ptr<std::optional<absl::StatusOr<AppendResponse>>>;
  Answer Append(AppendRequest request) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<AppendResponse>>>();
    service_.Append(std::move(request),
                    [answer](absl::StatusOr<AppendResponse> response) { *answer = response; });
    return answer;
  }
  // The same, with the batch that it is in.
  Answer AppendNow(AppendRequest request) {
    Answer answer = Append(std::move(request));
    group_commit_.RunBatch();
    return answer;
  }
  Answer NowOrNever(char id) { return AppendNow(Message(id, absl::ZeroDuration())); }

  static push::v1::Step StateOf(const Answer& answer) {
    EXPECT_TRUE(answer->has_value()) << "no answer";
    if (!answer->has_value()) return push::v1::STEP_UNSPECIFIED;
    EXPECT_TRUE((*answer)->ok()) << (*answer)->status();
    return (*answer)->value_or(AppendResponse()).state();
  }

  static constexpr DeviceId kDevice{std::array<uint8_t, 16>{1}};
  SimulatedClock clock_;
  const std::unique_ptr<TokenSealer> sealer_ = TokenSealer::ForTesting();
  uint64_t random_ = 0;
  KvStore store_{std::make_unique<MemoryEngine>(),
                 {.clock = &clock_,
                  .random = [this] { return ++random_; },
                  .on_hand_over =
                      [this](ConnectorRequest request) {
                        service_.dispatcher()->HandOver(std::move(request));
                      }}};
  GroupCommit group_commit_{&store_};
  Service service_{&group_commit_, sealer_.get(), &clock_};
  uint64_t registration_ = 0;
  // Before the service goes, everybody is answered.
  FakeConnectors connectors_{&service_};
};

TEST_F(DispatcherTest, WhatOneCommitMakesDeliverableIsHandedOverInItsOrder) {
  Bind(1);
  for (const char id : {'a', 'b', 'c', 'd'}) Append(Message(id, absl::Hours(1), 0));
  EXPECT_TRUE(connectors_.requests().empty());
  group_commit_.RunBatch();
  std::string order;
  for (const ConnectorRequest& handed : connectors_.requests()) {
    EXPECT_EQ(handed.route().session_id(), 1u);
    order += handed.deliver().message().message_id()[0];
  }
  EXPECT_EQ(order, "abcd");
}

TEST_F(DispatcherTest, TtlZeroIsAnsweredWhenTheDeviceHasAcknowledged) {
  Bind(1);
  const Answer answer = NowOrNever('a');
  EXPECT_FALSE(answer->has_value());
  ASSERT_EQ(connectors_.requests().size(), 1u);
  connectors_.TellSilent(HandedOverRequest::DEVICE_ACKED);
  EXPECT_EQ(StateOf(answer), push::v1::AGENT_ACKED);
}

TEST_F(DispatcherTest, TtlZeroIsResolvedAtOnceWhereThereIsNoSession) {
  const Answer without_route = NowOrNever('a');
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(without_route), push::v1::NOT_CONNECTED);
  EXPECT_TRUE(connectors_.requests().empty());
  Bind(1);
  for (const auto outcome :
       {HandedOverRequest::NO_SESSION, HandedOverRequest::NOT_TAKEN}) {
    // Before the Append is answered, and after.
    for (const bool before : {true, false}) {
      connectors_.SetOutcome(before ? std::optional(outcome) : std::nullopt);
      const Answer answer = NowOrNever(static_cast<char>('b' + 2 * outcome + before));
      EXPECT_FALSE(answer->has_value());
      connectors_.TellSilent(outcome);
      group_commit_.RunBatch();
      EXPECT_EQ(StateOf(answer), push::v1::NOT_CONNECTED);
    }
  }
}

TEST_F(DispatcherTest, AConnectorThatIsNotThereEndsTheWaitAtOnce) {
  Bind(1);
  connectors_.SetThere(false);
  const Answer answer = NowOrNever('a');
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(answer), push::v1::NOT_CONNECTED);
}

TEST_F(DispatcherTest, AStreamThatBreaksEndsTheWaitsForItsConnector) {
  Bind(1);
  const Answer answer = NowOrNever('a');
  service_.dispatcher()->OnConnectorGone(kConnector + 1);
  group_commit_.RunBatch();
  EXPECT_FALSE(answer->has_value());
  service_.dispatcher()->OnConnectorGone(kConnector);
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(answer), push::v1::NOT_CONNECTED);
}

TEST_F(DispatcherTest, AHandOverThatFindsNoSessionClearsTheRoute) {
  Bind(1);
  AppendNow(Message('a', absl::Hours(1), 0));
  ASSERT_EQ(connectors_.requests().size(), 1u);
  internal::v1::HandedOverRequest nobody;
  nobody.set_device_id(std::string(kDevice.bytes()));
  *nobody.mutable_route() = connectors_.requests()[0].route();
  nobody.set_seq(1);
  nobody.set_outcome(HandedOverRequest::NO_SESSION);
  service_.HandedOver(nobody, [](const auto&) {});
  group_commit_.RunBatch();
  AppendNow(Message('b', absl::Hours(1), 0));
  EXPECT_EQ(connectors_.requests().size(), 1u) << "nobody is handed anything any more";
  // It was too hasty: the session lives, and says so.
  internal::v1::ResumeRequest resume;
  resume.set_device_id(nobody.device_id());
  *resume.mutable_route() = nobody.route();
  bool behind = false;
  service_.Resume(resume, [&behind](const absl::StatusOr<internal::v1::ResumeResponse>& r) {
    behind = r.ok() && r->behind();
  });
  group_commit_.RunBatch();
  EXPECT_TRUE(behind);
  AppendNow(Message('c', absl::Hours(1), 0));
  EXPECT_EQ(connectors_.requests().size(), 2u);
}

// A connector of 18,000 sessions comes back, and 100 of them missed something: only these are told
// to pull, in as many commits as a shard's pieces of it are (ShardSessions::kMaxResumes).
TEST_F(DispatcherTest, OfAllSessionsThatResumeOnlyThoseThatMissedSomethingPull) {
  constexpr size_t kSessions = 18'000;
  constexpr size_t kAtATime = 512;
  const auto device_of = [](size_t n) {
    return *DeviceId::FromBytes(absl::StrCat(1'000'000'000'000'000 + n));
  };
  const auto route_of = [](size_t n) {
    Route route;
    route.set_connector_address("connector:1");
    route.set_connector_incarnation(kConnector);
    route.set_session_id(n + 1);
    route.set_login_number(1);
    return route;
  };
  std::vector<uint64_t> seen(kSessions);
  for (size_t n = 0; n < kSessions; ++n) {
    const auto registered = store_.RegisterApp(device_of(n), "com.example.mail");
    ASSERT_TRUE(registered.ok());
    const auto bound = store_.Bind(device_of(n), route_of(n), {.max_messages = 1}, {});
    ASSERT_TRUE(bound.ok());
    seen[n] = bound->page.complete_to_seq;
    if (n % 180 == 0) {
      AppendRequest message = Message('m', absl::Hours(1), 0);
      message.set_device_id(std::string(device_of(n).bytes()));
      message.set_registration_id(registered->registration_id);
      Append(std::move(message));
    }
  }
  ASSERT_TRUE(store_.Commit().ok());
  group_commit_.RunBatch();
  std::vector<size_t> behind;
  size_t answered = 0;
  size_t batches = 0;
  for (size_t n = 0; n < kSessions; ++n) {
    internal::v1::ResumeRequest resume;
    resume.set_device_id(std::string(device_of(n).bytes()));
    *resume.mutable_route() = route_of(n);
    resume.set_after_seq(seen[n]);
    service_.Resume(resume, [&, n](const absl::StatusOr<internal::v1::ResumeResponse>& response) {
      ASSERT_TRUE(response.ok()) << response.status();
      if (response->behind()) behind.push_back(n);
      ++answered;
    });
    if ((n + 1) % kAtATime == 0 || n + 1 == kSessions) {
      group_commit_.RunBatch();
      ++batches;
    }
  }
  EXPECT_EQ(answered, kSessions);
  EXPECT_EQ(behind.size(), 100u);
  for (const size_t n : behind) EXPECT_EQ(n % 180, 0u);
  EXPECT_EQ(batches, (kSessions + kAtATime - 1) / kAtATime);
}

// What design.md calls the whole answer to the reconnect race, as the stream sees it.
TEST_F(DispatcherTest, AnswersToSessionsTakeTheirPlaceAmongHandOvers) {
  Bind(1);
  std::vector<std::string> order;
  const auto pull = [&](const char* name) {
    internal::v1::PullRequest request;
    request.set_device_id(std::string(kDevice.bytes()));
    request.set_max_messages(10);
    request.set_max_bytes(1000);
    service_.Pull(request, [&, name](const absl::StatusOr<internal::v1::PullResponse>& page) {
      ASSERT_TRUE(page.ok());
      for (const ConnectorRequest& handed : connectors_.TakeRequests()) {
        order.push_back(handed.deliver().message().message_id().substr(0, 1));
      }
      order.push_back(absl::StrCat(name, " of ", page->page().messages_size()));
    });
  };
  pull("first");
  Append(Message('a', absl::Hours(1), 0));
  pull("second");
  Append(Message('b', absl::Hours(1), 0));
  Append(Message('c', absl::Hours(1), 0));
  pull("third");
  group_commit_.RunBatch();
  for (const ConnectorRequest& handed : connectors_.TakeRequests()) {
    order.push_back(handed.deliver().message().message_id().substr(0, 1));
  }
  // Whichever operations ran first: a page holds what was handed over before it, and nothing else.
  size_t handed = 0;
  for (const std::string& step : order) {
    if (step.size() == 1) {
      ++handed;
    } else {
      EXPECT_EQ(step.substr(step.size() - 1), absl::StrCat(handed)) << step;
    }
  }
  EXPECT_EQ(order.size(), 6u);
}

TEST_F(DispatcherTest, TtlZeroWaitsNoLongerThanItsTime) {
  Bind(1);
  const Answer answer = NowOrNever('a');
  clock_.Advance(kNowOrNeverWait - absl::Milliseconds(1));
  service_.ExpireWaits();
  group_commit_.RunBatch();
  EXPECT_FALSE(answer->has_value());
  clock_.Advance(absl::Milliseconds(1));
  service_.ExpireWaits();
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(answer), push::v1::NOT_CONNECTED);
  connectors_.TellSilent(HandedOverRequest::DEVICE_ACKED);  // Too late, and harmless.
}

TEST_F(DispatcherTest, AnAcknowledgementThatTheConnectorDidNotTellOfCounts) {
  Bind(1);
  const Answer answer = NowOrNever('a');
  const uint64_t seq = connectors_.requests()[0].deliver().message().seq();
  ASSERT_TRUE(store_.Acknowledge(kDevice, connectors_.requests()[0].route(), {{seq}}).ok());
  connectors_.TellSilent(HandedOverRequest::NO_SESSION);
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(answer), push::v1::AGENT_ACKED);
}

// The simulation found it (seed 7): a wall clock that jumps makes the registry forget early.
TEST_F(DispatcherTest, WhatTheStoreHasForgottenIsToBeRetried) {
  Bind(1);
  const Answer answer = NowOrNever('a');
  clock_.Advance(kIdempotencyWindow + absl::Hours(1));
  // The entry of its number comes due, and then the end of the wait for the device's word.
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store_.Sweep(100).ok());
  ASSERT_TRUE(store_.Commit().ok());
  connectors_.TellSilent(HandedOverRequest::NO_SESSION);
  group_commit_.RunBatch();
  ASSERT_TRUE(answer->has_value());
  EXPECT_TRUE(absl::IsUnavailable((*answer)->status())) << (*answer)->status();
  EXPECT_EQ(ErrorReason((*answer)->status()), "REGISTRY_UNAVAILABLE");
}

TEST_F(DispatcherTest, ARetryWaitsForTheSameMessageAndIsToldHowItEnded) {
  Bind(1);
  const Answer first = NowOrNever('a');
  const Answer second = NowOrNever('a');
  EXPECT_FALSE(second->has_value());
  EXPECT_EQ(connectors_.requests().size(), 2u) << "the session knows what it has";
  connectors_.TellSilent(HandedOverRequest::DEVICE_ACKED);
  EXPECT_EQ(StateOf(first), push::v1::AGENT_ACKED);
  EXPECT_EQ(StateOf(second), push::v1::AGENT_ACKED);
  EXPECT_TRUE((**second)->duplicate());

  connectors_.SetOutcome(HandedOverRequest::NO_SESSION);
  NowOrNever('b');
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(NowOrNever('b')), push::v1::NOT_CONNECTED) << "it has ended: nobody waits";
}

TEST_F(DispatcherTest, WhoDoesNotWaitIsAnsweredAtOnceAndTheMessageEndsAllTheSame) {
  Bind(1);
  const Answer answer = AppendNow(Message('a', absl::ZeroDuration(), /*waiter=*/0));
  EXPECT_EQ(StateOf(answer), push::v1::STORED);
  connectors_.TellSilent(HandedOverRequest::NO_SESSION);
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(NowOrNever('a')), push::v1::NOT_CONNECTED);
}

TEST_F(DispatcherTest, AWaiterThatGoesEndsItsWaitsAndNobodyElses) {
  Bind(1);
  const Answer mine = NowOrNever('a');
  const Answer others = AppendNow(Message('b', absl::ZeroDuration(), kWaiter + 1));
  // On its way when the gateway says that it goes.
  const Answer late = Append(Message('c', absl::ZeroDuration()));
  internal::v1::EndWaitsRequest end;
  end.set_waiter(kWaiter);
  bool ended = false;
  service_.EndWaits(end, [&ended](const auto& response) { ended = response.ok(); });
  EXPECT_TRUE(ended);
  group_commit_.RunBatch();
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(mine), push::v1::NOT_CONNECTED);
  EXPECT_EQ(StateOf(late), push::v1::NOT_CONNECTED);
  EXPECT_FALSE(others->has_value());
  service_.dispatcher()->EndAllWaits();
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(others), push::v1::NOT_CONNECTED);
}

TEST_F(DispatcherTest, SilentDevicesOfOneTeamLeaveRoomToTheOthers) {
  Dispatcher* const dispatcher = service_.dispatcher();
  std::vector<std::unique_ptr<Dispatcher::Place>> places;
  while (true) {
    auto place = dispatcher->TakePlace("noisy");
    if (!place.ok()) {
      EXPECT_EQ(ErrorReason(place.status()), "QUOTA_EXCEEDED");
      EXPECT_TRUE(RetryAfter(place.status()).has_value());
      break;
    }
    places.push_back(*std::move(place));
    ASSERT_LE(places.size(), Dispatcher::kMaxFollowed / 2);
  }
  EXPECT_EQ(places.size(), Dispatcher::kMaxFollowed / 2);
  EXPECT_TRUE(dispatcher->TakePlace("quiet").ok());
  places.pop_back();
  EXPECT_TRUE(dispatcher->TakePlace("noisy").ok());
}

TEST_F(DispatcherTest, TheEndOfAMessageGivesItsPlaceBack) {
  Bind(1);
  connectors_.SetOutcome(HandedOverRequest::NO_SESSION);
  for (size_t i = 0; i < Dispatcher::kMaxFollowed; ++i) {
    AppendRequest request = Message('a', absl::ZeroDuration());
    request.mutable_message()->set_message_id(std::string(reinterpret_cast<const char*>(&i), 8) +
                                              "12345678");
    const Answer answer = AppendNow(request);
    group_commit_.RunBatch();
    ASSERT_EQ(StateOf(answer), push::v1::NOT_CONNECTED) << i;
  }
}

TEST_F(DispatcherTest, WithoutConnectorsMessagesWaitInTheirMailboxes) {
  Bind(1);
  service_.dispatcher()->SetConnectors(nullptr);
  EXPECT_EQ(StateOf(AppendNow(Message('a', absl::Hours(1), 0))), push::v1::STORED);
  const Answer answer = NowOrNever('b');
  group_commit_.RunBatch();
  EXPECT_EQ(StateOf(answer), push::v1::NOT_CONNECTED);
  EXPECT_TRUE(connectors_.requests().empty());
  EXPECT_EQ(store_.Pull(kDevice, 0, {.max_bytes = 1000, .max_messages = 10})->messages.size(), 1u);
}

}  // namespace
}  // namespace bellwire::registry
