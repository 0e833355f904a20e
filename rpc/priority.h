#ifndef BELLWIRE_RPC_PRIORITY_H_
#define BELLWIRE_RPC_PRIORITY_H_

#include <cstdint>

#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"

// What connector and registry have to agree upon when they speak of the priority of a message.
namespace bellwire {

// HIGH, NORMAL or LOW: what is none of them counts as NORMAL, and so does a gap notice. It must not
// wake a phone for every LOW message that a full mailbox drops, nor wait until somebody uses the
// phone.
inline push::v1::Priority PriorityOf(push::v1::Priority priority) {
  return priority == push::v1::PRIORITY_HIGH || priority == push::v1::PRIORITY_LOW
             ? priority
             : push::v1::PRIORITY_NORMAL;
}
inline push::v1::Priority PriorityOf(const internal::v1::Envelope& message) {
  return PriorityOf(message.priority());
}

// Some of the three priorities. Trivially copyable, one byte.
class PrioritySet {
 public:
  PrioritySet() = default;
  static PrioritySet All() {
    PrioritySet all;
    all.bits_ = kAll;
    return all;
  }
  // As in BindRequest and PullRequest: empty means all.
  template <typename Priorities>
  static PrioritySet Of(const Priorities& priorities) {
    PrioritySet set;
    for (const int priority : priorities) set.Add(static_cast<push::v1::Priority>(priority));
    return set.bits_ == 0 ? All() : set;
  }
  // The other way. `request` has none. REQUIRES: the set is not empty.
  template <typename Request>
  void AddTo(Request* request) const {
    if (bits_ == kAll) return;
    for (const auto priority :
         {push::v1::PRIORITY_HIGH, push::v1::PRIORITY_NORMAL, push::v1::PRIORITY_LOW}) {
      if (Contains(priority)) request->add_priorities(priority);
    }
  }

  void Add(push::v1::Priority priority) { bits_ |= Bit(priority); }
  bool Contains(push::v1::Priority priority) const { return (bits_ & Bit(priority)) != 0; }

 private:
  static constexpr uint8_t kAll = 7;
  static uint8_t Bit(push::v1::Priority priority) {
    return static_cast<uint8_t>(1 << (PriorityOf(priority) - 1));
  }
  uint8_t bits_ = 0;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_PRIORITY_H_
