#include "tests/simulation/priority_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bellwire::simulation {
namespace {

// The promise itself, so not taken from limits.h.
constexpr absl::Duration kNormalWait = absl::Minutes(15);

// For everything between a server and an app when nothing goes wrong: calls that take 3 s, and an
// app that takes its time for what came before.
constexpr absl::Duration kPatience = absl::Minutes(1);
// For what was on its way to a phone when it was laid down. What goes wrong with servers doesn't
// matter for that, what goes wrong on the way does: it is cut for up to 2 minutes.
constexpr absl::Duration kOnTheWay = absl::Minutes(5);
// A connection that is dead without a word is found by a heartbeat; then the agent comes back,
// after 5 minutes and some at the slowest. Calls between servers may be on their way for long, too.
constexpr absl::Duration kDeadPathWait = absl::Minutes(1);
constexpr absl::Duration kComeBack = absl::Minutes(10);

bool Between(const std::multiset<absl::Time>& times, absl::Time from, absl::Time to) {
  const auto first = times.lower_bound(from);
  return first != times.end() && *first <= to;
}

}  // namespace

void PriorityRules::OnBack(int device) {
  Phone& phone = phones_[device];
  phone.away = false;
  phone.back = clock_->WallNow();
}

void PriorityRules::OnAppBack(int device) {
  Phone& phone = phones_[device];
  --phone.apps_away;
  phone.back = clock_->WallNow();
}

void PriorityRules::OnAgentStart(int device) {
  OnBack(device);
  OnActivity(device, true);
}

void PriorityRules::OnActivity(int device, bool in_use) {
  Phone& phone = phones_[device];
  phone.use = in_use ? Use::kInUse : Use::kIdle;
  phone.use_since = clock_->WallNow();
}

void PriorityRules::OnTrouble(int device, absl::Duration lasts) {
  absl::Time& until =
      device == kEverybody ? everybody_troubled_until_ : phones_[device].troubled_until;
  until = std::max(until, clock_->WallNow() + lasts);
}

void PriorityRules::Note(std::multiset<absl::Time>* times, absl::Time when) {
  const absl::Time now = clock_->WallNow();
  times->erase(times->begin(), times->lower_bound(now - kNormalWait - absl::Minutes(5)));
  times->insert(std::max(when, now));
}

void PriorityRules::OnSchedule(int device, absl::Time when, bool at_once) {
  Phone& phone = phones_[device];
  std::multiset<absl::Time>* const times = at_once ? &phone.scheduled_at_once : &phone.scheduled;
  const absl::Duration remembered = kNormalWait + absl::Minutes(5) + max_skew_;
  times->erase(times->begin(), times->lower_bound(clock_->WallNow() - remembered));
  times->insert(when);
}

bool PriorityRules::MayHaveComeBetween(const std::multiset<absl::Time>& times, absl::Time from,
                                       absl::Time to) const {
  return Between(times, from - max_skew_, to + max_skew_);
}

std::string PriorityRules::WhyTooEarly(const Message& message) const {
  if (message.priority == push::v1::PRIORITY_HIGH) return "";
  const Phone& phone = PhoneOf(message.device);
  const absl::Time now = clock_->WallNow();
  if (phone.away || phone.use != Use::kIdle) return "";
  if (now < std::max(phone.use_since, phone.back) + kOnTheWay) return "";
  const std::string idle =
      absl::StrCat("nobody has used the phone for ", absl::FormatDuration(now - phone.use_since));
  if (message.priority == push::v1::PRIORITY_LOW) return idle;
  // Whatever opened the way to it may have taken effect late.
  if (!WasUndisturbed(message.device, now - kPatience)) return "";
  if (Between(phone.radio, now - kPatience, now)) return "";
  if (MayHaveComeBetween(phone.scheduled_at_once, now - kPatience, now)) return "";
  // What waits as long as it may takes everything along, even if it has ended by then itself.
  const absl::Time began = now - kNormalWait;
  if (Between(phone.sends, began - kPatience, began + kPatience)) return "";
  if (MayHaveComeBetween(phone.scheduled, began - kPatience, began + kPatience)) return "";
  return absl::StrCat(idle, ", and its radio was down");
}

std::string PriorityRules::WhyLate(const Message& message) const {
  const absl::Time due = Due(message);
  const absl::Time now = clock_->WallNow();
  if (now <= due + kPatience) return "";
  return absl::StrCat("it was due ", absl::FormatDuration(now - due), " ago");
}

absl::Time PriorityRules::Due(const Message& message) const {
  const Phone& phone = PhoneOf(message.device);
  const absl::Time at_once = std::max(message.ready, Settled(phone));
  const bool in_use = phone.use == Use::kInUse;
  switch (message.priority) {
    case push::v1::PRIORITY_HIGH:
      return at_once;
    case push::v1::PRIORITY_LOW:
      return in_use ? std::max(at_once, phone.use_since) : absl::InfiniteFuture();
    default:
      return std::min(in_use ? std::max(at_once, phone.use_since) : absl::InfiniteFuture(),
                      at_once + kNormalWait);
  }
}

bool PriorityRules::WasUndisturbed(int device, absl::Time since) const {
  return Settled(PhoneOf(device)) <= since;
}

absl::Time PriorityRules::ReachedBy(int device, absl::Time when) const {
  return std::max(when, Settled(PhoneOf(device))) + kPatience;
}

const PriorityRules::Phone& PriorityRules::PhoneOf(int device) const {
  static const Phone kDown;
  const auto it = phones_.find(device);
  return it == phones_.end() ? kDown : it->second;
}

absl::Time PriorityRules::Settled(const Phone& phone) const {
  if (phone.away || phone.apps_away > 0) return absl::InfiniteFuture();
  return std::max({phone.back, phone.troubled_until, everybody_troubled_until_}) + phone.heartbeat +
         kDeadPathWait + kComeBack;
}

}  // namespace bellwire::simulation
