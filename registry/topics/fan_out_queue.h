#ifndef BELLWIRE_REGISTRY_TOPICS_FAN_OUT_QUEUE_H_
#define BELLWIRE_REGISTRY_TOPICS_FAN_OUT_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

// The fan-outs that have not ended, and which gateway has a claim on which: whose turn is next.
// Lives in memory; what has to last is in the records that it is made from (fan_outs.h).
//
// The next one is of the team that has the fewest claims, among those of the team that was served
// least, and there the oldest. A team that had no fan-out begins with as much as the least served
// of the others: it neither waits for their past nor makes up for its own.
//
// Pure. Not thread-safe.
class FanOutQueue {
 public:
  // REQUIRES: it is not there.
  void Add(const OpenFanOut& fan_out);
  // It has ended. Not there: nothing.
  void Remove(absl::string_view team_id, const MessageId& message_id);

  // The one whose turn it is; nullopt: there is none without a claim.
  std::optional<OpenFanOut> Next(MonotonicTime now) const;
  // Gives or prolongs a claim. REQUIRES: it is there.
  void Hold(absl::string_view team_id, const MessageId& message_id, const std::string& gateway,
            MonotonicTime until);
  void Release(absl::string_view team_id, const MessageId& message_id);
  // Who has a claim that lasts; empty: nobody.
  std::string Holder(absl::string_view team_id, const MessageId& message_id,
                     MonotonicTime now) const;
  // So much was done for the team: subscribers that were sent to or passed over.
  void NoteServed(absl::string_view team_id, int64_t subscribers);

  bool Has(absl::string_view team_id, const MessageId& message_id) const;
  std::vector<OpenFanOut> OfTeam(absl::string_view team_id) const;
  size_t CountOf(absl::string_view team_id) const;
  size_t size() const { return size_; }

 private:
  struct Claim {
    std::string gateway;
    MonotonicTime until;
  };
  struct FanOut {
    int64_t created_at_ms = 0;
    std::optional<Claim> claim;
  };
  struct Team {
    // In an order that does not change from run to run: simulations replay what is answered.
    std::map<MessageId, FanOut> fan_outs;
    int64_t served = 0;
  };

  static bool IsHeld(const FanOut& fan_out, MonotonicTime now) {
    return fan_out.claim.has_value() && now < fan_out.claim->until;
  }
  const FanOut* Find(absl::string_view team_id, const MessageId& message_id) const;

  std::map<std::string, Team, std::less<>> teams_;
  size_t size_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_FAN_OUT_QUEUE_H_
