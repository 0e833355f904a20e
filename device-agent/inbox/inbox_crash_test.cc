// The inbox after SIGKILL at any moment: a child process works on it and says through a pipe what
// it has committed; what it said is there afterwards, and at most the one transaction after it
// besides.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/inbox/inbox.h"
#include "device-agent/testing/pushes.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

constexpr char kApp[] = "com.example.mail";
constexpr uint64_t kRegistrationId = 7;
constexpr uint64_t kSteps = 200;

// Step n, which is one transaction: even ones receive message n/2 + 1, odd ones take the oldest
// message.
absl::Status Step(Inbox* inbox, const Clock& clock, uint64_t n) {
  InboxBatch batch;
  if (n % 2 == 0) {
    batch.incoming.emplace_back(TestPush(n / 2 + 1, kRegistrationId, clock));
  } else {
    auto items = inbox->Items(kApp, 0, 1);
    if (!items.ok()) return items.status();
    batch.taken.push_back({kApp, {(*items)[0].delivery_id}});
  }
  return inbox->Apply(batch).status();
}

// Never returns.
[[noreturn]] void RunChild(const std::string& path, int out) {
  SimulatedClock clock;
  auto inbox = Inbox::Open(path, &clock);
  if (!inbox.ok()) _exit(1);
  for (uint64_t n = 0; n < kSteps; ++n) {
    if (!Step(inbox->get(), clock, n).ok()) _exit(2);
    const char done = 'x';
    if (write(out, &done, 1) != 1) _exit(3);
  }
  _exit(0);
}

TEST(InboxCrashTest, KilledAtAnyMomentItHoldsWhatItCommitted) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 12; ++round) {
    TempDir dir;
    const std::string path = dir.path("inbox.db");
    SimulatedClock clock;
    {
      auto inbox = Inbox::Open(path, &clock);
      ASSERT_TRUE(inbox.ok()) << inbox.status();
      ASSERT_TRUE((*inbox)->Register(kApp, {0, kRegistrationId, "token"}).ok());
    }
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_fds[0]);
      RunChild(path, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    const uint64_t kill_after = 1 + random() % (kSteps - 1);
    uint64_t said = 0;
    char byte;
    while (said < kill_after && read(pipe_fds[0], &byte, 1) == 1) ++said;
    ASSERT_EQ(said, kill_after) << "the child failed";
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    while (read(pipe_fds[0], &byte, 1) == 1) ++said;
    close(pipe_fds[0]);

    auto inbox = Inbox::Open(path, &clock);
    ASSERT_TRUE(inbox.ok()) << inbox.status();
    // Each step changes the number of seen messages or of reports by one: so many steps are there.
    InboxBatch probe;
    for (uint64_t seq = 1; seq <= kSteps; ++seq) {
      probe.incoming.emplace_back(TestPush(seq, kRegistrationId + 1, clock));
    }
    auto applied = (*inbox)->Apply(probe);
    ASSERT_TRUE(applied.ok()) << applied.status();
    const uint64_t received = applied->duplicates;
    auto acks = (*inbox)->AppAcks(0, kSteps);
    ASSERT_TRUE(acks.ok());
    const uint64_t steps = received + acks->size();
    EXPECT_GE(steps, said);
    EXPECT_LE(steps, said + 1);
    EXPECT_EQ((*inbox)->waiting(kApp), received - acks->size());
    for (size_t i = 0; i < acks->size(); ++i) {
      EXPECT_EQ((*acks)[i].item.message_id(), TestMessageId(i + 1)) << "in order, each once";
    }
  }
}

}  // namespace
}  // namespace bellwire::agent
