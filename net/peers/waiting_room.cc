#include "net/peers/waiting_room.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/types/span.h"

namespace bellwire::net {
namespace {

// A ClientHello with a ticket has 600 bytes; 2 KiB with a post-quantum key share.
constexpr size_t kPeekBytes = 4096;
constexpr int kEventsAtOnce = 64;

// Whether the peer has given up. It may have said something before.
bool IsGone(int fd) {
  pollfd poll_fd = {.fd = fd, .events = POLLRDHUP, .revents = 0};
  return poll(&poll_fd, 1, /*timeout=*/0) > 0;
}

}  // namespace

WaitingRoom::WaitingRoom(EpollLoop* loop, Options options, absl::AnyInvocable<void()> on_ready)
    : loop_(loop),
      options_(std::move(options)),
      on_ready_(std::move(on_ready)),
      timer_(loop->NewTimer([this] { EndSilent(); })),
      watch_(loop, [this](uint32_t) { LookAtSilent(); }) {}

WaitingRoom::~WaitingRoom() {
  watch_.Stop();
  for (Line* line : {&silent_, &ready_}) {
    line->ForEach([](Guest& guest) { close(guest.fd); });
  }
  if (epoll_fd_ >= 0) close(epoll_fd_);
}

absl::Status WaitingRoom::Start() {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0)
    return absl::ResourceExhaustedError("no descriptor left for an epoll instance");
  return watch_.Start(epoll_fd_);
}

void WaitingRoom::Add(int fd, const SocketAddress& address) {
  Guest guest;
  guest.fd = fd;
  guest.address = address;
  guest.peer = PeerKey::OfAddress(address);
  guest.since = loop_->clock().Monotonic();
  const std::optional<bool> spoken = HasSpoken(&guest);
  if (!spoken.has_value()) return Lose(std::move(guest), Loss::kGone);
  if (!FindPlace(&guest)) return Lose(std::move(guest), Loss::kNoRoom);
  if (*spoken) {
    const PeerKey peer = guest.peer;
    ready_.Add(peer, std::move(guest));
    return on_ready_();
  }
  const PeerKey peer = guest.peer;
  Line::Entry* const entry = silent_.Add(peer, std::move(guest));
  epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.ptr = entry}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    return Lose(silent_.Remove(entry), Loss::kNoRoom);
  }
  ArmTimer();
}

std::optional<WaitingRoom::Guest> WaitingRoom::Next() {
  Guest guest = ready_.Remove(ready_.TakeTurn());
  if (!IsGone(guest.fd)) return guest;
  Lose(std::move(guest), Loss::kGone);
  return std::nullopt;
}

std::optional<bool> WaitingRoom::HasSpoken(Guest* guest) {
  const absl::Span<char> buffer = loop_->scratch().subspan(0, kPeekBytes);
  ssize_t n;
  do {
    n = recv(guest->fd, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) return std::nullopt;
  guest->silent_for = loop_->clock().Monotonic() - guest->since;
  if (options_.proof != nullptr) {
    const auto proof = options_.proof(absl::string_view(buffer.data(), static_cast<size_t>(n)));
    if (proof.has_value()) guest->peer = *proof;
  }
  return true;
}

bool WaitingRoom::FindPlace(Guest* guest) {
  do {
    if (size() < options_.max_sockets) {
      if (options_.descriptors == nullptr) return true;
      guest->unit = options_.descriptors->Take();
      if (guest->unit) return true;
    }
  } while (MakeRoomFor(guest->peer));
  return false;
}

bool WaitingRoom::MakeRoomFor(const PeerKey& newcomer) {
  if (!silent_.empty()) {
    Lose(silent_.Remove(silent_.OldestOfLargest()), Loss::kNoRoom);
    return true;
  }
  if (size() < options_.max_sockets && options_.make_room != nullptr && options_.make_room()) {
    return true;
  }
  if (ready_.empty() || ready_.LargestSize() <= ready_.SizeOf(newcomer) + 1) return false;
  Lose(ready_.Remove(ready_.NewestOfLargest()), Loss::kNoRoom);
  return true;
}

void WaitingRoom::Lose(Guest guest, Loss loss) {
  // Its entry of epoll goes with it. The unit is given back after this.
  close(guest.fd);
  if (options_.on_lost != nullptr) options_.on_lost(loss);
}

void WaitingRoom::LookAtSilent() {
  epoll_event events[kEventsAtOnce];
  const int count = epoll_wait(epoll_fd_, events, kEventsAtOnce, /*timeout=*/0);
  for (int i = 0; i < count; ++i) {
    auto* const entry = static_cast<Line::Entry*>(events[i].data.ptr);
    const std::optional<bool> spoken = HasSpoken(&entry->value);
    if (!spoken.has_value()) {
      Lose(silent_.Remove(entry), Loss::kGone);
    } else if (*spoken) {
      epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, entry->value.fd, nullptr);
      Guest guest = silent_.Remove(entry);
      const PeerKey peer = guest.peer;
      ready_.Add(peer, std::move(guest));
    }
  }
  // An edge of the epoll instance itself comes once.
  if (count > 0) watch_.Wake();
  if (!ready_.empty()) on_ready_();
}

void WaitingRoom::EndSilent() {
  const MonotonicTime now = loop_->clock().Monotonic();
  while (!silent_.empty() && now - silent_.Oldest()->value.since >= options_.silent_timeout) {
    Lose(silent_.Remove(silent_.Oldest()), Loss::kSilent);
  }
  ArmTimer();
}

void WaitingRoom::ArmTimer() {
  if (silent_.empty() || timer_->armed()) return;
  const absl::Duration left =
      silent_.Oldest()->value.since + options_.silent_timeout - loop_->clock().Monotonic();
  timer_->Arm(std::max(absl::ZeroDuration(), left));
}

}  // namespace bellwire::net
