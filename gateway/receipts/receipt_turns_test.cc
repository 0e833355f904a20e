#include "gateway/receipts/receipt_turns.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

// A stream that has always more to write, as one that reads a feed back.
class Reader {
 public:
  Reader(ReceiptTurns* turns, std::string team_id) : turns_(turns), team_id_(std::move(team_id)) {}

  void Start() {
    turns_->Wait(team_id_, [this] {
      if (Wrote()) Start();
    });
  }
  // Returns when its last turn has come.
  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    stopped_.WaitForNotification();
  }
  void WaitForWrites(int writes) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, writes] {
      mutex_.AssertHeld();
      return writes_ >= writes;
    };
    mutex_.Await(absl::Condition(&enough));
  }
  int writes() {
    absl::MutexLock lock(&mutex_);
    return writes_;
  }

 private:
  // Whether there is to be another.
  bool Wrote() {
    {
      absl::MutexLock lock(&mutex_);
      ++writes_;
      if (!stopping_) return true;
    }
    stopped_.Notify();  // This may be gone from here on.
    return false;
  }

  ReceiptTurns* const turns_;
  const std::string team_id_;
  absl::Mutex mutex_;
  int writes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Notification stopped_;
};

TEST(ReceiptTurnsTest, WhoWritesNowAndThenDoesNotWait) {
  ReceiptTurns turns;
  bool wrote = false;
  turns.Wait("team", [&] { wrote = true; });
  EXPECT_TRUE(wrote);
}

TEST(ReceiptTurnsTest, WhoHasAlwaysMoreWaitsAndGoesOn) {
  ReceiptTurns turns;
  Reader reader(&turns, "team");
  reader.Start();
  EXPECT_LE(reader.writes(), 64) << "its caller's thread is free again";
  reader.WaitForWrites(1000);
  reader.Stop();
}

TEST(ReceiptTurnsTest, ATeamsManyStreamsDoNotHoldUpAnothersOne) {
  ReceiptTurns turns;
  std::vector<std::unique_ptr<Reader>> noisy;
  for (int i = 0; i < 50; ++i) noisy.push_back(std::make_unique<Reader>(&turns, "noisy"));
  for (const auto& reader : noisy) reader->Start();
  noisy.front()->WaitForWrites(2);
  Reader quiet(&turns, "quiet");
  quiet.Start();
  quiet.WaitForWrites(200);
  int of_noisy = 0;
  for (const auto& reader : noisy) of_noisy += reader->writes();
  EXPECT_LE(of_noisy, 2 * 64 * 200) << "one of each tick's 64 is the quiet one's";
  for (const auto& reader : noisy) reader->Stop();
  quiet.Stop();
}

TEST(ReceiptTurnsTest, DestroyedItLetsGoOfWhoWaits) {
  auto held = std::make_shared<int>(0);
  {
    ReceiptTurns turns;
    for (int i = 0; i < 1000; ++i) turns.Wait("team", [held] { ++*held; });
  }
  EXPECT_GE(*held, 64);
}

}  // namespace
}  // namespace bellwire::gateway
