#ifndef BELLWIRE_TESTS_SIMULATION_PRIORITY_RULES_H_
#define BELLWIRE_TESTS_SIMULATION_PRIORITY_RULES_H_

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"

namespace bellwire::simulation {

// What the priorities promise about time: HIGH goes at once; NORMAL at once to a phone in use, and
// otherwise when its radio is up anyway, after 15 minutes at the latest; LOW when the phone is in
// use. A message that comes too early costs battery, one that comes too late was as good as lost
// meanwhile. Both are judged only as far as the phone's state is known: a phone that something went
// wrong with has some time to come back first. All times are true wall times. Thread-compatible.
class PriorityRules {
 public:
  struct Message {
    int device = 0;
    push::v1::Priority priority = push::v1::PRIORITY_NORMAL;
    // From when on it is promised to the phone; infinite future: it may not be there at all.
    absl::Time ready = absl::InfiniteFuture();
  };
  // In the place of a device: all of them.
  static constexpr int kEverybody = -1;

  // Must outlive the rules.
  explicit PriorityRules(const Clock* clock) : clock_(clock) {}

  // --- Phones. A phone that nothing was said of is down. ---

  // How often it beats, at least.
  void SetHeartbeat(int device, absl::Duration interval) { phones_[device].heartbeat = interval; }
  // Its agent is dead, or the whole phone sleeps …
  void OnAway(int device) { phones_[device].away = true; }
  // … and goes on. A new life of an agent counts the phone as in use until it is told.
  void OnBack(int device);
  void OnAgentStart(int device);
  // An app on it is not there, and then gets what has come meanwhile.
  void OnAppAway(int device) { ++phones_[device].apps_away; }
  void OnAppBack(int device);
  // The agent is being told whether the phone is used …
  void OnActivityAsked(int device) { phones_[device].use = Use::kUnknown; }
  // … and has heard it.
  void OnActivity(int device, bool in_use);
  // Something goes wrong, for so long at most.
  void OnTrouble(int device, absl::Duration lasts);
  // The radio is up about now, or will be then: the phone beats or logs in, or there is something
  // for it that goes at once.
  void OnRadio(int device) { OnRadio(device, clock_->WallNow()); }
  void OnRadio(int device, absl::Time when) { Note(&phones_[device].radio, when); }
  // Something is for it from now on, of whatever priority: 15 minutes later its radio may be up
  // for the sake of that.
  void OnSend(int device) { Note(&phones_[device].sends, clock_->WallNow()); }
  // The same for what a server keeps back until `when`. It says so by its own clock, so nobody but
  // the server knows when that is. `at_once`: the radio is up for it when it comes.
  void OnSchedule(int device, absl::Time when, bool at_once);
  // A server's clock may be off by so much from now on.
  void OnSkew(absl::Duration skew) { max_skew_ = std::max(max_skew_, skew); }

  // --- Messages with a ttl. ---

  // Empty, or why an app may not be shown it now.
  std::string WhyTooEarly(const Message& message) const;
  // Empty, or why it must have been shown before now.
  std::string WhyLate(const Message& message) const;
  // Since `since` the phone has been there, and nothing has disturbed it or its server for long.
  bool WasUndisturbed(int device, absl::Time since) const;
  // When a phone was reached for whatever happened at `when`, if nothing disturbs it. Infinite
  // future: nobody knows.
  absl::Time ReachedBy(int device, absl::Time when) const;

 private:
  enum class Use { kUnknown, kIdle, kInUse };
  struct Phone {
    absl::Duration heartbeat = absl::Hours(1);
    bool away = true;
    int apps_away = 0;
    // Since it is back, or an app is.
    absl::Time back = absl::InfinitePast();
    absl::Time troubled_until = absl::InfinitePast();
    Use use = Use::kUnknown;
    absl::Time use_since = absl::InfinitePast();
    // Of the last 20 minutes, and of the future.
    std::multiset<absl::Time> radio;
    std::multiset<absl::Time> sends;
    // What servers keep back, or kept back until not long ago, by right clocks.
    std::multiset<absl::Time> scheduled;
    std::multiset<absl::Time> scheduled_at_once;
  };

  void Note(std::multiset<absl::Time>* times, absl::Time when);
  // Whether what was to be kept back until one of `times` may have come between `from` and `to`.
  bool MayHaveComeBetween(const std::multiset<absl::Time>& times, absl::Time from,
                          absl::Time to) const;
  const Phone& PhoneOf(int device) const;
  // From when on what is promised can be asked for.
  absl::Time Settled(const Phone& phone) const;
  absl::Time Due(const Message& message) const;

  const Clock* const clock_;
  std::map<int, Phone> phones_;
  absl::Time everybody_troubled_until_ = absl::InfinitePast();
  // The most that any server's clock was off.
  absl::Duration max_skew_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_PRIORITY_RULES_H_
