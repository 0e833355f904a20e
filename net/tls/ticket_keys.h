#ifndef BELLWIRE_NET_TLS_TICKET_KEYS_H_
#define BELLWIRE_NET_TLS_TICKET_KEYS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::net {

// A ticket is good for at most this long, and its key is gone after twice that. An agent that was
// away for longer pays one full handshake.
inline constexpr absl::Duration kTicketLifetime = absl::Hours(12);

// What the servers of a fleet share, so that the tickets of each are good at all of them.
using TicketSecret = std::array<uint8_t, 32>;
// More would only hide that nobody removes old ones.
inline constexpr size_t kMaxTicketSecrets = 4;

// Reads the text of a secret file: one secret a line, 64 lower-case hex digits, newest first; `#`
// begins a comment.
//   FAILED_PRECONDITION BAD_TICKET_KEY_FILE, naming the line
absl::StatusOr<std::vector<TicketSecret>> ParseTicketSecrets(absl::string_view text);

// The keys that encrypt session tickets (RFC 5077, 4), rotated each kTicketLifetime. Thread-safe.
//
// Without a shared secret they are random and in memory only: who reads the process's memory later
// can't resume, nor tell devices apart by, older tickets. With secrets they follow from the newest
// of those and the wall time, so that all servers have the same at one time; tickets under the
// others are good as well.
class TicketKeys {
 public:
  static constexpr size_t kNameBytes = 16;
  struct Key {
    std::array<uint8_t, kNameBytes> name;
    std::array<uint8_t, 32> aes;
    std::array<uint8_t, 32> hmac;
  };

  // `clock` must outlive this.
  explicit TicketKeys(const Clock* clock, std::vector<TicketSecret> shared = {});
  ~TicketKeys();

  // For a new ticket. A key encrypts for kTicketLifetime.
  Key Current();
  // The key of this name, if tickets of it may still be good.
  std::optional<Key> Find(absl::string_view name);

 private:
  void RotateIfDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RotateRandom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RotateShared() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(size_t from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock* const clock_;
  std::vector<TicketSecret> shared_;
  absl::Mutex mutex_;
  // The one that encrypts, then others that may still decrypt.
  std::vector<Key> keys_ ABSL_GUARDED_BY(mutex_);
  // Of random keys; and which lifetime since 1970 shared ones are for.
  MonotonicTime current_since_ ABSL_GUARDED_BY(mutex_);
  int64_t current_epoch_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TICKET_KEYS_H_
