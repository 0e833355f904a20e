#include "net/loop/epoll_loop.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

// A connected pair of non-blocking sockets.
struct SocketPair {
  SocketPair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  ~SocketPair() {
    close(fds[0]);
    close(fds[1]);
  }
  int fds[2];
};

TEST(EpollLoopTest, StopWorksBeforeAndDuringRunAndRunWorksAgain) {
  EpollLoop loop(RealClock());
  loop.Stop();
  loop.Run();
  for (int round = 0; round < 2; ++round) {
    absl::Notification running;
    std::thread stopper([&] {
      running.WaitForNotification();
      loop.Stop();
    });
    loop.Post([&] { running.Notify(); });
    loop.Run();
    stopper.join();
  }
}

TEST(EpollLoopTest, HoldsOffSuspendWhereItWasAskedAndIsPermitted) {
  // /proc/self/status, "CapEff:".
  std::ifstream status("/proc/self/status");
  std::string word;
  uint64_t capabilities = 0;
  while (status >> word && word != "CapEff:") {
  }
  ASSERT_TRUE(status >> std::hex >> capabilities);
  const bool permitted = (capabilities >> CAP_BLOCK_SUSPEND & 1) != 0;
  EXPECT_FALSE(EpollLoop(RealClock()).holds_off_suspend());
  EpollLoop loop(RealClock(), Suspend::kBetweenTurns);
  // Some kernels (of virtual machines) never suspend, and have nothing to hold off.
  std::string sleep_states;
  std::ifstream("/sys/power/state") >> sleep_states;
  EXPECT_EQ(loop.holds_off_suspend(), permitted && !sleep_states.empty());
  // Permitted or not, it works.
  SocketPair pair;
  bool ready = false;
  FdWatch watch(&loop, [&](uint32_t events) {
    ready = (events & EPOLLIN) != 0;
    if (ready) loop.Stop();
  });
  ASSERT_TRUE(watch.Start(pair.fds[0]).ok());
  ASSERT_EQ(write(pair.fds[1], "x", 1), 1);
  loop.Run();
  EXPECT_TRUE(ready);
  watch.Stop();
}

TEST(EpollLoopTest, PostFromManyThreadsLosesNothing) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  EpollLoop loop(RealClock());
  int ran = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kTasks; ++n) {
        while (!loop.Post([&] {
          if (++ran == kThreads * kTasks) loop.Stop();
        })) {
          std::this_thread::yield();
        }
      }
    });
  }
  loop.Run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran, kThreads * kTasks);
}

TEST(EpollLoopTest, AThreadMayPostAfterTheLoopIsGone) {
  std::shared_ptr<PostQueue> queue;
  {
    EpollLoop loop(RealClock());
    queue = loop.post_queue();
    EXPECT_TRUE(queue->Post([] { FAIL() << "dropped with the loop"; }));
  }
  EXPECT_FALSE(queue->Post([] { FAIL(); }));
}

TEST(FdWatchTest, ReportsChangesOnce) {
  EpollLoop loop(RealClock());
  SocketPair pair;
  std::vector<uint32_t> events;
  FdWatch watch(&loop, [&](uint32_t bits) { events.push_back(bits); });
  ASSERT_TRUE(watch.Start(pair.fds[0]).ok());
  const auto run_briefly = [&] {
    const auto timer = loop.NewTimer([&] { loop.Stop(); });
    timer->Arm(absl::Milliseconds(5));
    loop.Run();
  };
  run_briefly();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0], uint32_t{EPOLLOUT}) << "writable from the start";
  ASSERT_EQ(write(pair.fds[1], "x", 1), 1);
  run_briefly();
  ASSERT_EQ(events.size(), 2u) << "an edge: it was not read, and not reported again";
  EXPECT_TRUE(events[1] & EPOLLIN);
  shutdown(pair.fds[1], SHUT_RDWR);
  run_briefly();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_TRUE(events[2] & EPOLLHUP);
}

TEST(FdWatchTest, WakeCallsOncePerTurnAndLetsOthersRun) {
  EpollLoop loop(RealClock());
  int woken = 0;
  int posted = 0;
  std::unique_ptr<FdWatch> watch;
  watch = std::make_unique<FdWatch>(&loop, [&](uint32_t bits) {
    EXPECT_EQ(bits, 0u);
    ++woken;
    EXPECT_GE(posted, woken - 1) << "a watch that wakes itself must not starve posted tasks";
    if (woken == 10) {
      loop.Stop();
    } else {
      loop.Post([&] { ++posted; });
      watch->Wake();
      watch->Wake();
    }
  });
  watch->Wake();
  loop.Run();
  EXPECT_EQ(woken, 10);
}

// epoll_wait reports two descriptors at once, and the first callback destroys the second watch.
TEST(FdWatchTest, AWatchThatDiesIsNotCalledForAnEventAlreadyReported) {
  EpollLoop loop(RealClock());
  SocketPair a, b;
  std::unique_ptr<FdWatch> watches[2];
  int calls = 0;
  for (int i = 0; i < 2; ++i) {
    watches[i] = std::make_unique<FdWatch>(&loop, [&, i](uint32_t) {
      ++calls;
      watches[1 - i]->Wake();
      watches[1 - i].reset();
      loop.Stop();
    });
    ASSERT_TRUE(watches[i]->Start(i == 0 ? a.fds[0] : b.fds[0]).ok());
  }
  loop.Run();
  EXPECT_EQ(calls, 1);
}

TEST(FdWatchTest, AWatchMayBeDeletedLaterInItsOwnCallback) {
  EpollLoop loop(RealClock());
  SocketPair pair;
  std::unique_ptr<FdWatch> watch;
  watch = std::make_unique<FdWatch>(&loop, [&](uint32_t) {
    watch->Wake();
    EXPECT_FALSE(loop.deletions_pending());
    loop.DeleteLater(std::move(watch));
    EXPECT_TRUE(loop.deletions_pending());
    loop.Post([&] { loop.Stop(); });
  });
  ASSERT_TRUE(watch->Start(pair.fds[0]).ok());
  loop.Run();
}

TEST(FdWatchTest, AnUnusableDescriptorIsAnError) {
  EpollLoop loop(RealClock());
  FdWatch watch(&loop, [](uint32_t) {});
  EXPECT_FALSE(watch.Start(-1).ok());
  EXPECT_FALSE(watch.watching());
}

TEST(EpollLoopTest, ResidentsLiveUntilRemovedOrTheLoopEnds) {
  struct Guest final : EpollLoop::Resident {
    explicit Guest(int* alive) : alive(alive) { ++*alive; }
    ~Guest() override { --*alive; }
    int* const alive;
  };
  int alive = 0;
  {
    EpollLoop loop(RealClock());
    auto guest = std::make_unique<Guest>(&alive);
    Guest* const leaving = guest.get();
    loop.AddResident(std::move(guest));
    loop.AddResident(std::make_unique<Guest>(&alive));
    loop.Post([&] {
      loop.RemoveResident(leaving);
      EXPECT_EQ(alive, 2);
      loop.Post([&] { loop.Stop(); });
    });
    loop.Run();
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace bellwire::net
