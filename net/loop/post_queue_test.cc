#include "net/loop/post_queue.h"

#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

bool Signalled(const PostQueue& queue, int timeout_ms) {
  pollfd fd = {.fd = queue.fd(), .events = POLLIN, .revents = 0};
  return poll(&fd, 1, timeout_ms) == 1;
}

TEST(PostQueueTest, SignalsOnceWhoWaits) {
  PostQueue queue;
  ASSERT_TRUE(queue.Post([] {}));
  EXPECT_FALSE(Signalled(queue, 0)) << "nobody waits";
  EXPECT_FALSE(queue.PrepareToWait());
  EXPECT_EQ(queue.Take().size(), 1u);
  ASSERT_TRUE(queue.PrepareToWait());
  ASSERT_TRUE(queue.Post([] {}));
  ASSERT_TRUE(queue.Post([] {}));
  EXPECT_TRUE(Signalled(queue, 0));
  EXPECT_EQ(queue.Take().size(), 2u);
  EXPECT_FALSE(Signalled(queue, 0));
  ASSERT_TRUE(queue.PrepareToWait());
  queue.Wake();
  EXPECT_TRUE(Signalled(queue, 0));
  EXPECT_TRUE(queue.Take().empty());
  EXPECT_FALSE(Signalled(queue, 0));
}

// A poster signals after others can take what it posted: nothing is missed, and no signal is left
// that would keep an idle loop going round.
TEST(PostQueueTest, NoTaskIsMissedAndNoSignalIsLeft) {
  constexpr int kThreads = 4, kPosts = 20'000;
  PostQueue queue;
  std::atomic<int> ran = 0;
  std::vector<std::thread> posters;
  for (int i = 0; i < kThreads; ++i) {
    posters.emplace_back([&] {
      for (int n = 0; n < kPosts; ++n) {
        while (!queue.Post([&] { ++ran; })) std::this_thread::yield();
      }
    });
  }
  const auto take = [&] {
    for (PostQueue::Task& task : queue.Take()) std::move(task)();
  };
  while (ran < kThreads * kPosts) {
    if (queue.PrepareToWait()) {
      EXPECT_TRUE(Signalled(queue, /*timeout_ms=*/60'000));
    }
    take();
  }
  for (std::thread& poster : posters) poster.join();
  take();
  ASSERT_TRUE(queue.PrepareToWait());
  EXPECT_FALSE(Signalled(queue, 0));
}

}  // namespace
}  // namespace bellwire::net
