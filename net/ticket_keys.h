#ifndef BELLWIRE_NET_TICKET_KEYS_H_
#define BELLWIRE_NET_TICKET_KEYS_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::net {

// A ticket is good for at most this long, and its key is gone after twice that: who reads the
// process's memory later can't resume, nor tell devices apart by, older tickets. An agent that was
// away for longer pays one full handshake.
inline constexpr absl::Duration kTicketLifetime = absl::Hours(12);

// The keys that encrypt session tickets (RFC 5077, 4): random, in memory only, rotated.
// Thread-safe.
class TicketKeys {
 public:
  static constexpr size_t kNameBytes = 16;
  struct Key {
    std::array<uint8_t, kNameBytes> name;
    std::array<uint8_t, 32> aes;
    std::array<uint8_t, 32> hmac;
  };

  // `clock` must outlive this.
  explicit TicketKeys(const Clock* clock);
  ~TicketKeys();

  // For a new ticket. A key encrypts for kTicketLifetime.
  Key Current();
  // The key of this name, if tickets of it may still be good.
  std::optional<Key> Find(absl::string_view name);

 private:
  void RotateIfDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock* const clock_;
  absl::Mutex mutex_;
  Key current_ ABSL_GUARDED_BY(mutex_);
  std::optional<Key> previous_ ABSL_GUARDED_BY(mutex_);
  MonotonicTime current_since_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TICKET_KEYS_H_
