#include "registry/server/dispatcher.h"

#include <algorithm>
#include <iterator>

#include "common/error.h"
#include "registry/engine/store_error.h"
#include "registry/mailbox/message_life.h"
#include "registry/server/store.h"

namespace bellwire::registry {

using internal::v1::AppendResponse;
using internal::v1::HandedOverRequest;

bool Dispatcher::Places::Take(const std::string& team_id) {
  absl::MutexLock lock(&mutex_);
  const auto it = of_team_.find(team_id);
  const size_t taken_by_it = it == of_team_.end() ? 0 : it->second;
  if (taken_by_it >= kMaxFollowed - taken_) return false;
  ++of_team_[team_id];
  ++taken_;
  return true;
}

void Dispatcher::Places::GiveBack(const std::string& team_id) {
  absl::MutexLock lock(&mutex_);
  const auto it = of_team_.find(team_id);
  if (--it->second == 0) of_team_.erase(it);
  --taken_;
}

namespace {

// Whether a device may still acknowledge a message of ttl zero.
bool IsUnderWay(Step state) {
  return state == push::v1::ACCEPTED || state == push::v1::STORED || state == push::v1::SENT;
}

}  // namespace

Dispatcher::Dispatcher(GroupCommit* group_commit, const Clock* clock)
    : group_commit_(group_commit), clock_(clock), places_(std::make_shared<Places>()) {}

Dispatcher::~Dispatcher() {
  for (auto& [name, followed] : followed_) {
    Answer(std::move(followed.waitings), StoreUnavailableError("it is shutting down"));
  }
}

void Dispatcher::SetConnectors(ConnectorApi* connectors) {
  absl::MutexLock lock(&connectors_mutex_);
  connectors_ = connectors;
}

void Dispatcher::HandOver(internal::v1::ConnectorRequest request) {
  std::optional<Name> name;
  if (request.has_deliver() && IsNowOrNever(request.deliver().message())) {
    name.emplace(DeviceId::FromBytes(request.device_id()).value_or(DeviceId()),
                 request.deliver().message().seq());
    absl::MutexLock lock(&mutex_);
    followed_.try_emplace(
        *name, Followed{.until = clock_->Monotonic() + kWait,
                        .connector_incarnation = request.route().connector_incarnation()});
  }
  bool on_its_way = false;
  {
    absl::MutexLock lock(&connectors_mutex_);
    on_its_way = connectors_ != nullptr && connectors_->HandOver(std::move(request));
  }
  if (name.has_value() && !on_its_way) OnOutcome(*name, HandedOverRequest::NOT_TAKEN);
}

void Dispatcher::OnConnectorGone(uint64_t incarnation) {
  std::vector<Name> names;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, followed] : followed_) {
      if (followed.connector_incarnation == incarnation) names.push_back(name);
    }
  }
  for (const Name& name : names) OnOutcome(name, HandedOverRequest::NOT_TAKEN);
}

void Dispatcher::OnDevicesGone(const std::function<bool(const DeviceId&)>& gone) {
  std::vector<Name> names;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, followed] : followed_) {
      if (gone(name.first)) names.push_back(name);
    }
  }
  for (const Name& name : names) OnOutcome(name, HandedOverRequest::NOT_TAKEN);
}

absl::StatusOr<std::unique_ptr<Dispatcher::Place>> Dispatcher::TakePlace(
    const std::string& team_id) {
  if (places_->Take(team_id)) return std::make_unique<Place>(places_, team_id);
  return WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED",
                "the team has too many messages of ttl zero that wait for their devices"),
      kQuotaRetryAfter);
}

void Dispatcher::Follow(const DeviceId& device, uint64_t waiter, std::unique_ptr<Place> place,
                        AppendResponse appended, Done<AppendResponse> done) {
  if (!IsUnderWay(appended.state())) {
    place.reset();
    return std::move(done)(std::move(appended));
  }
  const Name name(device, appended.seq());
  if (waiter == 0) std::exchange(done, nullptr)(AppendResponse(appended));
  Waitings waitings;
  waitings.push_back({waiter, std::move(place), std::move(appended), std::move(done)});
  Outcome outcome = HandedOverRequest::NO_SESSION;
  {
    absl::MutexLock lock(&mutex_);
    // Not there: the device has no session.
    const auto it = followed_.find(name);
    const bool waits =
        waiter == 0 || (!all_ended_ && std::find(ended_waiters_.begin(), ended_waiters_.end(),
                                                 waiter) == ended_waiters_.end());
    if (it != followed_.end() && !it->second.outcome.has_value() && waits) {
      it->second.waitings.push_back(std::move(waitings.front()));
      return;
    }
    if (it != followed_.end()) {
      outcome = it->second.outcome.value_or(outcome);
      std::move(it->second.waitings.begin(), it->second.waitings.end(),
                std::back_inserter(waitings));
      followed_.erase(it);
    }
  }
  End(name, outcome, std::move(waitings));
}

void Dispatcher::OnOutcome(const Name& name, Outcome outcome) {
  Waitings waitings;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = followed_.find(name);
    if (it == followed_.end()) return;
    if (it->second.waitings.empty()) {
      it->second.outcome = outcome;
      return;
    }
    waitings = std::move(it->second.waitings);
    followed_.erase(it);
  }
  End(name, outcome, std::move(waitings));
}

template <typename Predicate>
void Dispatcher::EndThose(Predicate ends) {
  std::vector<std::pair<Name, Waitings>> ended;
  {
    absl::MutexLock lock(&mutex_);
    for (auto it = followed_.begin(); it != followed_.end();) {
      if (!ends(it->second)) {
        ++it;
        continue;
      }
      ended.emplace_back(it->first, std::move(it->second.waitings));
      it = followed_.erase(it);
    }
  }
  for (auto& [name, waitings] : ended) {
    End(name, HandedOverRequest::NOT_TAKEN, std::move(waitings));
  }
}

void Dispatcher::EndWaits(uint64_t waiter) {
  {
    absl::MutexLock lock(&mutex_);
    ended_waiters_.push_back(waiter);
    if (ended_waiters_.size() > kMaxEndedWaiters) ended_waiters_.pop_front();
  }
  EndThose([waiter](const Followed& followed) {
    return std::any_of(followed.waitings.begin(), followed.waitings.end(),
                       [waiter](const Waiting& w) { return w.waiter == waiter; });
  });
}

void Dispatcher::EndAllWaits() {
  {
    absl::MutexLock lock(&mutex_);
    all_ended_ = true;
  }
  EndThose([](const Followed& followed) { return !followed.waitings.empty(); });
}

void Dispatcher::Expire() {
  EndThose([now = clock_->Monotonic()](const Followed& f) { return f.until <= now; });
}

void Dispatcher::End(const Name& name, Outcome outcome, Waitings waitings) {
  if (outcome == HandedOverRequest::DEVICE_ACKED) {
    return Answer(std::move(waitings), push::v1::AGENT_ACKED);
  }
  // An acknowledgement may have been committed though the connector did not say so: the store says
  // what came first, and from then on it is settled.
  group_commit_->Submit<Step>(
      Owner::Devices().About(name.first),
      [name](Store& store) -> absl::StatusOr<Step> {
        return store.Resolve(name.first, name.second);
      },
      [waitings = std::move(waitings)](absl::StatusOr<Step> state) mutable {
        if (ErrorReason(state.status()) == "MESSAGE_NOT_FOUND") {
          // The wall clock has run far ahead of the wait: the message has ended, and its number is
          // forgotten. A retry with the same id hears from Append how it ended.
          state = MakeError(
              absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
              "it is not known what became of the message: retry with the same message id");
        }
        Answer(std::move(waitings), state);
      });
}

void Dispatcher::Answer(Waitings waitings, const absl::StatusOr<Step>& state) {
  for (Waiting& waiting : waitings) {
    // First: who hears the answer may count on it.
    waiting.place.reset();
    if (!waiting.done) continue;
    if (!state.ok()) {
      std::move(waiting.done)(state.status());
      continue;
    }
    waiting.appended.set_state(*state);
    std::move(waiting.done)(std::move(waiting.appended));
  }
}

}  // namespace bellwire::registry
