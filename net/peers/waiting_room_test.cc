#include "net/peers/waiting_room.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "gtest/gtest.h"
#include "net/loop/run_loop_until.h"

namespace bellwire::net {
namespace {

using Loss = WaitingRoom::Loss;

// The other end of a socket in the room.
struct Peer {
  explicit Peer(int fd) : fd(fd) {}
  ~Peer() { close(fd); }
  void Say(absl::string_view text) {
    EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  bool IsClosed() const {
    char byte;
    const ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }
  const int fd;
};

class WaitingRoomTest : public testing::Test {
 protected:
  // The room under test. Whoever speaks is only counted, unless `serves_`.
  void Open(size_t max_sockets, absl::Duration silent_timeout = absl::Hours(1)) {
    room_ = std::make_unique<WaitingRoom>(
        &loop_,
        WaitingRoom::Options{.descriptors = &budget_,
                             .max_sockets = max_sockets,
                             .silent_timeout = silent_timeout,
                             .make_room = [this] { return make_room_ && make_room_(); },
                             .on_lost = [this](Loss loss) { ++lost_[loss]; }},
        [this] { ++ready_calls_; });
    ASSERT_TRUE(room_->Start().ok());
  }
  // From 192.0.2.`host`.
  std::unique_ptr<Peer> Enter(int host, absl::string_view words = "") {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    auto peer = std::make_unique<Peer>(fds[0]);
    if (!words.empty()) peer->Say(words);
    room_->Add(fds[1], *NumericAddress(absl::StrCat("192.0.2.", host), 1));
    return peer;
  }
  // What the next one says.
  std::string Next() {
    std::optional<WaitingRoom::Guest> guest = room_->Next();
    if (!guest.has_value()) return "gone";
    char words[100];
    const ssize_t n = recv(guest->fd, words, sizeof(words), 0);
    close(guest->fd);
    return std::string(words, static_cast<size_t>(n));
  }

  EpollLoop loop_{RealClock()};
  DescriptorBudget budget_{100};
  std::map<Loss, int> lost_;
  std::function<bool()> make_room_;
  int ready_calls_ = 0;
  std::unique_ptr<WaitingRoom> room_;
};

TEST_F(WaitingRoomTest, OnlyWhoHasSpokenIsNext) {
  Open(10);
  const auto silent = Enter(1);
  const auto early = Enter(2, "early");
  EXPECT_EQ(ready_calls_, 1);
  EXPECT_EQ(Next(), "early");
  EXPECT_FALSE(room_->has_next());
  silent->Say("late");
  EXPECT_TRUE(RunLoopUntil(&loop_, [this] { return room_->has_next(); }));
  EXPECT_EQ(Next(), "late");
  EXPECT_EQ(room_->size(), 0u);
  EXPECT_EQ(budget_.in_use(), 0u);
}

TEST_F(WaitingRoomTest, PeersTakeTurns) {
  Open(10);
  std::vector<std::unique_ptr<Peer>> peers;
  for (const char* words : {"a1", "a2", "a3"}) peers.push_back(Enter(1, words));
  peers.push_back(Enter(2, "b1"));
  std::vector<std::string> order;
  while (room_->has_next()) order.push_back(Next());
  EXPECT_EQ(order, (std::vector<std::string>{"a1", "b1", "a2", "a3"}));
}

TEST_F(WaitingRoomTest, SilenceIsTimedFromAccept) {
  Open(10, absl::Milliseconds(50));
  const auto silent = Enter(1);
  const auto spoken = Enter(2, "hello");
  EXPECT_TRUE(RunLoopUntil(&loop_, [this] { return lost_[Loss::kSilent] == 1; }));
  EXPECT_TRUE(silent->IsClosed());
  EXPECT_EQ(Next(), "hello");
}

TEST_F(WaitingRoomTest, AProbeIsCountedAndNothingElse) {
  Open(10);
  Enter(1).reset();
  EXPECT_TRUE(RunLoopUntil(&loop_, [this] { return lost_[Loss::kGone] == 1; }));
  // And who speaks, and gives up before its turn.
  Enter(1, "hello").reset();
  EXPECT_EQ(Next(), "gone");
  EXPECT_EQ(lost_[Loss::kGone], 2);
  EXPECT_EQ(ready_calls_, 1);
}

TEST_F(WaitingRoomTest, TheOldestSilentOfThePeerWithTheMostMakesRoom) {
  Open(4);
  const auto other = Enter(2);
  const auto oldest = Enter(1);
  const auto second = Enter(1);
  const auto spoken = Enter(1, "hello");
  const auto newcomer = Enter(3);
  EXPECT_TRUE(oldest->IsClosed());
  EXPECT_FALSE(other->IsClosed() || second->IsClosed() || newcomer->IsClosed());
  EXPECT_EQ(lost_[Loss::kNoRoom], 1);
  EXPECT_EQ(Next(), "hello");
}

// At whatever rate somebody opens sockets: who speaks is not turned out for them.
TEST_F(WaitingRoomTest, AFloodOfSilentSocketsTurnsNobodyOutWhoHasSpoken) {
  Open(1000);  // More than there are descriptors.
  const auto honest = Enter(1, "hello");
  std::vector<std::unique_ptr<Peer>> flood;
  for (int i = 0; i < 500; ++i) flood.push_back(Enter(1));
  EXPECT_EQ(budget_.in_use(), 100u);
  EXPECT_EQ(lost_[Loss::kNoRoom], 401);
  const auto another = Enter(1, "me too");
  EXPECT_EQ(Next(), "hello");
  EXPECT_EQ(Next(), "me too");
}

TEST_F(WaitingRoomTest, AmongThoseWhoHaveSpokenSharesAreFair) {
  Open(4);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 4; ++i) peers.push_back(Enter(1, "crowd"));
  const auto one_more = Enter(1, "crowd");
  EXPECT_TRUE(one_more->IsClosed()) << "of whoever has the most, the newest goes";
  const auto other = Enter(2, "other");
  EXPECT_TRUE(peers.back()->IsClosed());
  EXPECT_EQ(Next(), "crowd");
  EXPECT_EQ(Next(), "other");
}

TEST_F(WaitingRoomTest, TheOwnerMayMakeRoom) {
  Open(1000);
  std::vector<DescriptorBudget::Unit> sessions;
  while (budget_.in_use() < budget_.capacity()) sessions.push_back(budget_.Take());
  const auto turned_away = Enter(1);
  EXPECT_TRUE(turned_away->IsClosed());
  make_room_ = [&] {
    sessions.pop_back();
    return true;
  };
  const auto let_in = Enter(1);
  EXPECT_FALSE(let_in->IsClosed());
  EXPECT_EQ(budget_.in_use(), budget_.capacity());
}

}  // namespace
}  // namespace bellwire::net
