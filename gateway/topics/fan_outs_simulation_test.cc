// Fan-outs under whatever can happen to them, from a seed: gateways that are killed between any two
// steps or stand still past their leases, requests and answers that get lost or come 40 s late, a
// registry that is away. In the end each subscriber has each message once.

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/simulated_clock.h"
#include "gateway/topics/condition.h"
#include "gateway/topics/fan_outs.h"
#include "gateway/topics/testing/topic_registry_model.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"

namespace bellwire::gateway {
namespace {

// A gateway's own loop: while it stands still, nothing of the gateway runs, and its timers are
// late.
class GatewayLoop final : public net::EventLoop {
 public:
  explicit GatewayLoop(net::EventLoop* loop) : loop_(loop) {}

  const Clock& clock() const override { return loop_->clock(); }
  std::unique_ptr<net::Timer> NewTimer(absl::AnyInvocable<void()> on_fire) override {
    return std::make_unique<LateTimer>(this, std::move(on_fire));
  }
  bool Post(absl::AnyInvocable<void() &&> task) override {
    if (!stands_still_) return loop_->Post(std::move(task));
    waiting_.push_back(std::move(task));
    return true;
  }

  void StandStill() { stands_still_ = true; }
  void GoOn() {
    stands_still_ = false;
    for (auto& task : waiting_) loop_->Post(std::move(task));
    waiting_.clear();
  }

 private:
  class LateTimer final : public net::Timer {
   public:
    LateTimer(GatewayLoop* owner, absl::AnyInvocable<void()> on_fire)
        : owner_(owner),
          on_fire_(std::move(on_fire)),
          timer_(owner->loop_->NewTimer([this] { OnFire(); })) {}
    void Arm(absl::Duration delay) override { timer_->Arm(delay); }
    void Cancel() override { timer_->Cancel(); }
    bool armed() const override { return timer_->armed(); }

   private:
    void OnFire() {
      if (owner_->stands_still_) return timer_->Arm(absl::Milliseconds(10));
      on_fire_();
    }
    GatewayLoop* const owner_;
    absl::AnyInvocable<void()> on_fire_;
    const std::unique_ptr<net::Timer> timer_;
  };

  void DeleteLaterErased(std::shared_ptr<void> object) override {
    loop_->Post([object = std::move(object)] {});
  }

  net::EventLoop* const loop_;
  bool stands_still_ = false;
  std::vector<absl::AnyInvocable<void() &&>> waiting_;
};

class Simulation {
 public:
  // `recalls`: the providers take messages back; then nothing arrives so late that it would be sent
  // behind the recall.
  Simulation(uint64_t seed, bool recalls)
      : random_(seed), recalls_(recalls), registry_(&loop_, seed) {
    registry_.faults.longest_way = absl::Milliseconds(Random(1, 30));
    registry_.faults.lost_requests = Random(0, 20);
    registry_.faults.lost_answers = Random(0, 20);
    registry_.faults.late_requests = recalls ? 0 : Random(0, 10);
    MakeRegistrations(Random(1, 2500));
  }

  void Run() {
    const int gateways = Random(1, 3);
    for (int i = 0; i < gateways; ++i) gateways_.push_back(NewGateway());
    const int messages = Random(1, 4);
    for (int i = 0; i < messages; ++i) {
      registry_.Add(NewMessage(i));
      const int steps = Random(1, 40);
      for (int step = 0; step < steps; ++step) Disturb();
    }
    // Now it may come to an end.
    registry_.away = false;
    for (auto& gateway : gateways_) {
      gateway.loop->GoOn();
      if (gateway.fan_outs == nullptr) gateway = NewGateway();
    }
    ASSERT_TRUE(loop_.RunUntil([this] { return AllEnded(); }, absl::Hours(2)));
    // What is late arrives.
    loop_.RunFor(absl::Minutes(1));
  }

  void Check() {
    for (const auto& message : registry_.messages) {
      int64_t meant = 0;
      const Condition condition = *Condition::Parse(message.request.condition());
      for (const auto& [name, registration] : registry_.registrations) {
        uint32_t bits = 0;
        for (size_t i = 0; i < condition.topics().size(); ++i) {
          if (registration.topics.count(condition.topics()[i]) > 0) bits |= 1u << i;
        }
        const bool is_meant = registration.alive && !registration.full && condition.HoldsFor(bits);
        meant += is_meant ? 1 : 0;
        const auto it = registration.of_topic_message.find(message.request.message_id());
        const int got = it == registration.of_topic_message.end() ? 0 : it->second;
        if (message.recalling) {
          ASSERT_LE(got, is_meant ? 1 : 0) << name.first;
        } else {
          ASSERT_EQ(got, is_meant ? 1 : 0) << name.first;
        }
      }
      if (!message.recalling) {
        EXPECT_EQ(message.sent, meant);
        continue;
      }
      for (const auto& [name, registration] : registry_.registrations) {
        for (const internal::v1::Envelope& mail : registration.mailbox) {
          if (mail.topic_message_id() != message.request.message_id()) continue;
          ASSERT_EQ(registration.recalled.count(mail.message_id()), 1) << name.first;
        }
      }
    }
  }

  int64_t takeovers() const {
    int64_t claims = 0;
    for (const auto& message : registry_.messages) claims += message.claims - 1;
    return claims;
  }

 private:
  struct Gateway {
    std::unique_ptr<GatewayLoop> loop;
    std::unique_ptr<FanOuts> fan_outs;
  };

  int Random(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random_);
  }
  bool Happens(int percent) { return Random(0, 99) < percent; }

  void MakeRegistrations(int count) {
    for (int i = 0; i < count; ++i) {
      auto& registration =
          registry_.registrations[{absl::StrCat("device", 1'000'000'000 + i / 2), 1 + i % 2}];
      for (const char* topic : {"a", "b", "c"}) {
        if (Happens(60)) registration.topics.insert(topic);
      }
      registration.alive = !Happens(3);
      registration.full = Happens(3);
    }
  }

  Gateway NewGateway() {
    Gateway gateway;
    gateway.loop = std::make_unique<GatewayLoop>(&loop_);
    FanOuts::Options options;
    options.world = {.topics = &registry_,
                     .mailboxes = &registry_,
                     .loop = gateway.loop.get(),
                     .post = [loop = gateway.loop.get()](absl::AnyInvocable<void() &&> task) {
                       loop->Post(std::move(task));
                     }};
    options.settings.most_per_second = Happens(50) ? 0 : Random(50, 2000);
    gateway.fan_outs = std::make_unique<FanOuts>(options);
    gateway.fan_outs->Start();
    return gateway;
  }

  internal::v1::PublishTopicRequest NewMessage(int number) {
    static constexpr const char* kConditions[] = {
        "'a' in topics", "'a' in topics && 'b' in topics", "'a' in topics || 'b' in topics",
        "'a' in topics && !('b' in topics)", "'a' in topics || 'b' in topics && !('c' in topics)"};
    internal::v1::PublishTopicRequest request;
    request.set_team_id("teamteam22");
    request.set_message_id(absl::StrCat("topic message ", 10 + number));
    request.set_condition(kConditions[Random(0, 4)]);
    const Condition condition = *Condition::Parse(request.condition());
    for (const std::string& topic : condition.topics()) request.add_topics(topic);
    request.mutable_message()->set_accepted_at_ms(WallNowMs(clock_));
    request.mutable_message()->set_expires_at_ms(WallNowMs(clock_) + 24 * 3'600'000);
    return request;
  }

  void Disturb() {
    loop_.RunFor(absl::Microseconds(Random(0, 1) == 0 ? Random(0, 50'000) : Random(0, 1'000'000)));
    Gateway& gateway = gateways_[Random(0, static_cast<int>(gateways_.size()) - 1)];
    const int what = Random(0, 99);
    if (what < 30) {
      Kill(gateway);
      if (Happens(70)) gateway = NewGateway();
    } else if (what < 40) {
      if (gateway.fan_outs != nullptr && !recalls_) {
        gateway.loop->StandStill();
        loop_.RunFor(absl::Seconds(Random(1, 40)));
        gateway.loop->GoOn();
      }
    } else if (what < 50) {
      registry_.away = !registry_.away;
    } else if (what < 60) {
      if (gateway.fan_outs != nullptr) gateway.fan_outs->Drain([] {});
      loop_.RunFor(absl::Milliseconds(Random(0, 200)));
      Kill(gateway);
      gateway = NewGateway();
    } else if (what < 70) {
      loop_.RunFor(absl::Seconds(Random(1, 20)));
    } else if (what < 80 && recalls_) {
      auto& message =
          registry_.messages[Random(0, static_cast<int>(registry_.messages.size()) - 1)];
      if (!message.recall_asked) registry_.AskRecall(message);
    }
  }

  // Its calls that are under way arrive all the same.
  void Kill(Gateway& gateway) {
    gateway.fan_outs.reset();
    graveyard_.push_back(std::move(gateway.loop));
    gateway.loop = std::make_unique<GatewayLoop>(&loop_);
  }

  bool AllEnded() const {
    for (const auto& message : registry_.messages) {
      if (!message.ended) return false;
    }
    return true;
  }

  std::mt19937_64 random_;
  const bool recalls_;
  SimulatedClock clock_;
  net::SimulatedLoop loop_{&clock_};
  TopicRegistryModel registry_;
  // Loops of dead gateways: answers still come to them.
  std::vector<std::unique_ptr<GatewayLoop>> graveyard_;
  std::vector<Gateway> gateways_;
};

void RunSeeds(uint64_t first, uint64_t seeds, bool recalls) {
  int64_t takeovers = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Simulation simulation(seed, recalls);
    simulation.Run();
    if (testing::Test::HasFatalFailure()) return;
    simulation.Check();
    if (testing::Test::HasFatalFailure()) return;
    takeovers += simulation.takeovers();
  }
  // Else nothing was tried.
  EXPECT_GT(takeovers, static_cast<int64_t>(seeds));
}

TEST(FanOutsSimulationTest, EachSubscriberOnce) { RunSeeds(1, 60, /*recalls=*/false); }

TEST(FanOutsSimulationTest, NobodyKeepsWhatIsRecalled) { RunSeeds(1001, 60, /*recalls=*/true); }

}  // namespace
}  // namespace bellwire::gateway
