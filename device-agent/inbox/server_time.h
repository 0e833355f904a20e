#ifndef BELLWIRE_DEVICE_AGENT_INBOX_SERVER_TIME_H_
#define BELLWIRE_DEVICE_AGENT_INBOX_SERVER_TIME_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::agent {

// The server's wall time. Messages expire by it, because their ttl was reckoned by it: a phone's
// own clock may be minutes off, and jump. The server tells its time with each Welcome; from then on
// the phone's boot time carries it on, which never jumps and goes on while the phone is suspended.
//
// Before the first Welcome the best that is known counts: the time told in an earlier life of the
// agent if the phone has not been booted since, else the phone's clock less what it was off by
// then, else the phone's clock. Pure; thread-compatible.
class ServerTime {
 public:
  // `boot_id` names this boot of the phone; empty: not known, and every life of the agent counts as
  // one. `clock` must outlive it.
  ServerTime(const Clock* clock, std::string boot_id);

  // The server says that it is `now` there.
  void Set(absl::Time now);
  absl::Time Now() const;

  // What a later life of the agent is to know: a line of text. It changes with every call, but for
  // less than kWorthSaving it says the same.
  std::string Save() const;
  // What Save answered in an earlier life. Anything else is ignored.
  void Restore(absl::string_view saved);
  // Whether `saved`, the last that was kept, is no good any more.
  bool IsNews(absl::string_view saved) const;

  // Below the second, time is the network's.
  static constexpr absl::Duration kWorthSaving = absl::Seconds(1);

 private:
  const Clock* const clock_;
  const std::string boot_id_;
  // The server's time when the phone was booted. Nullopt: not told in this boot.
  std::optional<absl::Time> at_boot_;
  // How far the phone's clock is ahead, as of before this boot.
  absl::Duration ahead_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_INBOX_SERVER_TIME_H_
