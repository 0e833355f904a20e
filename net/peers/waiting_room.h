#ifndef BELLWIRE_NET_PEERS_WAITING_ROOM_H_
#define BELLWIRE_NET_PEERS_WAITING_ROOM_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "net/loop/epoll_loop.h"
#include "net/peers/by_peer.h"
#include "net/peers/peer_key.h"
#include "net/socket/address.h"
#include "net/socket/descriptor_budget.h"

namespace bellwire::net {

// Accepted sockets that nothing has been done for. One that has said nothing waits for its first
// bytes, and for a bounded time; one that has spoken waits for its turn. Peers take turns
// (peer_key.h), whatever number of sockets one of them opens. When there is no room for a newcomer,
// somebody goes:
//
//   1. the oldest of those that have said nothing, of the peer that has the most of them;
//   2. whomever the owner can do without (make_room);
//   3. the newest of those that have spoken, of the peer that has the most, if it has more than the
//      newcomer's;
//   4. or else the newcomer.
//
// On the loop's thread. The loop must outlive it.
class WaitingRoom {
 public:
  struct Guest {
    int fd = -1;
    SocketAddress address;
    PeerKey peer;
    MonotonicTime since;
    // How long it took to say something.
    absl::Duration silent_for;
    DescriptorBudget::Unit unit;
  };
  // Why a socket was closed.
  enum class Loss {
    // It was gone before it was served; a probe of a port does so.
    kGone,
    // It said nothing in time.
    kSilent,
    // Others needed its place, or there was none for it.
    kNoRoom,
  };
  struct Options {
    // Where its sockets, and what becomes of them, are counted. Outlives them. Null: nowhere.
    DescriptorBudget* descriptors = nullptr;
    size_t max_sockets = 0;
    absl::Duration silent_timeout;
    // Whom else than its address a socket with these first bytes counts for, if they prove it.
    // Null: nobody.
    absl::AnyInvocable<std::optional<PeerKey>(absl::string_view first_bytes)> proof;
    // The owner closes a connection of the same budget, if it can do without one. Null: it can't.
    absl::AnyInvocable<bool()> make_room;
    // A socket was closed. Null: nobody wants to know.
    absl::AnyInvocable<void(Loss)> on_lost;
  };

  // `on_ready` is called when somebody has spoken; it takes those whose turn it is. It may delete
  // the room later (EventLoop::DeleteLater).
  WaitingRoom(EpollLoop* loop, Options options, absl::AnyInvocable<void()> on_ready);
  // Closes its sockets.
  ~WaitingRoom();
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  // RESOURCE_EXHAUSTED if the kernel can't watch sockets.
  absl::Status Start();
  // Takes over `fd`, which is non-blocking.
  void Add(int fd, const SocketAddress& address);
  // Whether somebody has spoken.
  bool has_next() const { return !ready_.empty(); }
  // The one whose turn it is, with its descriptor. REQUIRES: has_next(). Nullopt: it was gone.
  std::optional<Guest> Next();
  size_t size() const { return silent_.size() + ready_.size(); }

 private:
  using Line = ByPeer<Guest>;

  // Whether it has said something; nullopt: it is gone.
  std::optional<bool> HasSpoken(Guest* guest);
  bool FindPlace(Guest* guest);
  bool MakeRoomFor(const PeerKey& newcomer);
  void Lose(Guest guest, Loss loss);
  void LookAtSilent();
  void EndSilent();
  void ArmTimer();

  EpollLoop* const loop_;
  Options options_;
  absl::AnyInvocable<void()> on_ready_;
  Line silent_;
  Line ready_;
  // Watches all who are silent.
  int epoll_fd_ = -1;
  const std::unique_ptr<Timer> timer_;
  FdWatch watch_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_PEERS_WAITING_ROOM_H_
