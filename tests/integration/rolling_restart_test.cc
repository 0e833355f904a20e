// A rolling restart, as an upgrade makes it: each daemon is told to end and started again on its
// address, one after the other, and the phones' agents too, while backends send without a pause.
// What was answered OK comes, each message once, and those of a sender in their order.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
constexpr int kPhones = 3;
// Between two restarts each backend has so many messages answered: there was load all the time.
constexpr size_t kMessagesBetween = 20;
// A mailbox holds 100 messages of an app, and would drop the oldest: a backend waits before that.
constexpr size_t kMaxUnderWay = 50;

// A phone with an app, and a backend that sends to it, one message after the other.
class Line {
 public:
  Line(const Fleet& fleet, const Provider* provider, int number)
      : phone(fleet, absl::StrCat("phone-", number)), provider_(provider) {}
  ~Line() { Stop(); }

  // Once the phone runs and the app has its token.
  void Start() {
    app_ = std::make_unique<App>(phone.socket_path(), kMail, [this](const std::string& payload) {
      absl::MutexLock lock(&mutex_);
      taken_.push_back(payload);
    });
    token_ = app_->WaitForToken();
    ASSERT_NE(token_, "");
    sender_ = std::thread([this] { Send(); });
  }
  void Stop() {
    stopping_ = true;
    if (sender_.joinable()) sender_.join();
  }

  // Messages that were answered OK.
  size_t accepted() const { return accepted_; }
  std::vector<std::string> taken() const {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }
  size_t dropped() const { return app_->dropped(); }
  // The first answer that was neither OK nor one to try again.
  absl::Status failure() const {
    absl::MutexLock lock(&mutex_);
    return failure_;
  }

  Phone phone;

 private:
  void Send() {
    while (!stopping_) {
      const auto has_room = [this] {
        return stopping_ || accepted_ < taken().size() + kMaxUnderWay;
      };
      if (!WaitUntil(has_room)) return Fail(absl::DeadlineExceededError("nothing arrives"));
      const absl::Status sent = provider_->SendReliably(token_, absl::StrCat(accepted_.load()));
      if (!sent.ok()) return Fail(sent);
      ++accepted_;
    }
  }
  void Fail(absl::Status why) {
    absl::MutexLock lock(&mutex_);
    failure_ = std::move(why);
  }

  const Provider* const provider_;
  std::string token_;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> accepted_{0};
  mutable absl::Mutex mutex_;
  std::vector<std::string> taken_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<App> app_;
  std::thread sender_;
};

class RollingRestartTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
    for (int i = 0; i < kPhones; ++i) {
      lines_.push_back(std::make_unique<Line>(*fleet_, &provider_, i));
      ASSERT_TRUE(lines_.back()->phone.Start().ok());
      ASSERT_NO_FATAL_FAILURE(lines_.back()->Start());
    }
  }

  // Until every backend had kMessagesBetween more messages answered.
  void AwaitLoad() {
    for (const auto& line : lines_) {
      const size_t from = line->accepted();
      ASSERT_TRUE(WaitUntil([&] {
        return line->accepted() >= from + kMessagesBetween || !line->failure().ok();
      })) << "no progress";
      ASSERT_TRUE(line->failure().ok()) << line->failure();
    }
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::vector<std::unique_ptr<Line>> lines_;
};

TEST_P(RollingRestartTest, LosesNothing) {
  constexpr Process* (*kDaemons[])(Fleet&) = {
      [](Fleet& fleet) { return &fleet.registry(); },
      [](Fleet& fleet) { return &fleet.connector(0); },
      [](Fleet& fleet) { return &fleet.connector(1); },
      [](Fleet& fleet) { return &fleet.gateway(0); },
      [](Fleet& fleet) { return &fleet.gateway(1); },
  };
  for (const auto& daemon : kDaemons) {
    ASSERT_NO_FATAL_FAILURE(AwaitLoad());
    const absl::Status ended = daemon(*fleet_)->Terminate();
    ASSERT_TRUE(ended.ok()) << ended;
    const absl::Status started = fleet_->StartAll();
    ASSERT_TRUE(started.ok()) << started;
    // There they are all the same one.
    if (GetParam() == Deployment::kEmbedded) break;
  }
  for (const auto& line : lines_) {
    ASSERT_NO_FATAL_FAILURE(AwaitLoad());
    const absl::Status ended = line->phone.agent().Terminate();
    ASSERT_TRUE(ended.ok()) << ended;
    ASSERT_TRUE(line->phone.Start().ok());
  }
  ASSERT_NO_FATAL_FAILURE(AwaitLoad());

  for (const auto& line : lines_) {
    line->Stop();
    ASSERT_TRUE(line->failure().ok()) << line->failure();
    const size_t accepted = line->accepted();
    EXPECT_TRUE(WaitUntil([&] { return line->taken().size() >= accepted; }));
    const std::vector<std::string> taken = line->taken();
    ASSERT_EQ(taken.size(), accepted);
    for (size_t i = 0; i < taken.size(); ++i) ASSERT_EQ(taken[i], absl::StrCat(i));
    EXPECT_EQ(line->dropped(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Deployments, RollingRestartTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
