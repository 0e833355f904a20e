#ifndef BELLWIRE_REGISTRY_SERVER_DISPATCHER_H_
#define BELLWIRE_REGISTRY_SERVER_DISPATCHER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/limits.h"
#include "registry/server/group_commit.h"
#include "registry/server/store.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// The one road of messages to sessions: hands what commits made deliverable to the connectors of
// the routes, in the order of the commits (docs/decisions/one_road.md). A hand-over is an attempt:
// whatever becomes of it, the message waits in its mailbox.
//
// Only a message of ttl zero is different. It is followed from its hand-over to its end: DELIVERED
// if the device acknowledges it; otherwise, as soon as the connector says that it has no session
// for it, or its stream breaks, or after kNowOrNeverWait, it is resolved (Store::Resolve). Appends
// may wait for that.
//
// Thread-safe, never blocks.
class Dispatcher {
  // Outlives the dispatcher with the places that are taken. Thread-safe.
  class Places {
   public:
    bool Take(const std::string& team_id);
    size_t taken() {
      absl::MutexLock lock(&mutex_);
      return taken_;
    }
    void GiveBack(const std::string& team_id);

   private:
    absl::Mutex mutex_;
    absl::flat_hash_map<std::string, size_t> of_team_ ABSL_GUARDED_BY(mutex_);
    size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  };

 public:
  // How long a message of ttl zero waits for its device.
  static constexpr absl::Duration kWait = kNowOrNeverWait;
  // Messages of ttl zero under way, of all gateways. Teams share them: each may have as many as are
  // free.
  static constexpr size_t kMaxFollowed = 2 * kMaxNowOrNeverSends;

  // Both must outlive it.
  Dispatcher(GroupCommit* group_commit, const Clock* clock);
  // Answers UNAVAILABLE to who still waits. REQUIRES: nobody calls any more.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Where connectors are. Null: nowhere, messages wait in their mailboxes. Not owned. When it
  // returns, nothing calls the ones before any more.
  void SetConnectors(ConnectorApi* connectors) ABSL_LOCKS_EXCLUDED(connectors_mutex_);

  // After a commit: one request that it makes to a connector. On the writer's thread.
  void HandOver(internal::v1::ConnectorRequest request)
      ABSL_LOCKS_EXCLUDED(connectors_mutex_, mutex_);

  // What a connector says of a hand-over.
  void OnHandedOver(const DeviceId& device, uint64_t seq,
                    internal::v1::HandedOverRequest::Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_) {
    OnOutcome({device, seq}, outcome);
  }
  // The connector of this incarnation has no stream any more: nothing comes of what it was handed
  // last.
  void OnConnectorGone(uint64_t incarnation) ABSL_LOCKS_EXCLUDED(mutex_);
  // Devices have another registry now, which hears of their acknowledgements: who waits for one is
  // told so, and goes on there.
  void OnDevicesGone(const std::function<bool(const DeviceId&)>& gone) ABSL_LOCKS_EXCLUDED(mutex_);

  // The place of one message of ttl zero, from before its Append until its end.
  class Place {
   public:
    // REQUIRES: it was taken.
    Place(std::shared_ptr<Places> places, std::string team_id)
        : places_(std::move(places)), team_id_(std::move(team_id)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { places_->GiveBack(team_id_); }

   private:
    const std::shared_ptr<Places> places_;
    const std::string team_id_;
  };
  // RESOURCE_EXHAUSTED QUOTA_EXCEEDED with RetryInfo: the team has as many as it may.
  absl::StatusOr<std::unique_ptr<Place>> TakePlace(const std::string& team_id);
  // Places that are taken, of kMaxFollowed.
  size_t places_taken() const { return places_->taken(); }
  // The Append of a message of ttl zero is committed, and what it makes deliverable is handed over:
  // `done` gets `appended` with the state in which the message ends. With `waiter` 0 it gets it at
  // once.
  void Follow(const DeviceId& device, uint64_t waiter, std::unique_ptr<Place> place,
              internal::v1::AppendResponse appended, Done<internal::v1::AppendResponse> done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends what this waiter waits for, and will wait for.
  void EndWaits(uint64_t waiter) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all of them: the registry goes.
  void EndAllWaits() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends those that have waited long enough. To be called about every kSweepInterval.
  void Expire() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Outcome = internal::v1::HandedOverRequest::Outcome;
  // A message: its device and its number in the mailbox.
  using Name = std::pair<DeviceId, uint64_t>;
  // An Append, committed and not answered.
  struct Waiting {
    uint64_t waiter;
    std::unique_ptr<Place> place;
    internal::v1::AppendResponse appended;
    // Empty: answered already.
    Done<internal::v1::AppendResponse> done;
  };
  using Waitings = std::vector<Waiting>;
  struct Followed {
    MonotonicTime until;
    // Whom it was handed to.
    uint64_t connector_incarnation = 0;
    // What the connector said before the Append was answered.
    std::optional<Outcome> outcome;
    Waitings waitings;
  };

  void OnOutcome(const Name& name, Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends those that `ends` picks, of whom nobody has said anything.
  template <typename Predicate>
  void EndThose(Predicate ends) ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const Name& name, Outcome outcome, Waitings waitings) ABSL_LOCKS_EXCLUDED(mutex_);
  static void Answer(Waitings waitings, const absl::StatusOr<Step>& state);

  GroupCommit* const group_commit_;
  const Clock* const clock_;
  const std::shared_ptr<Places> places_;

  // Held while connectors are called.
  absl::Mutex connectors_mutex_;
  ConnectorApi* connectors_ ABSL_GUARDED_BY(connectors_mutex_) = nullptr;

  absl::Mutex mutex_;
  // In an order that does not change from run to run: simulations replay what is answered.
  std::map<Name, Followed> followed_ ABSL_GUARDED_BY(mutex_);
  // The latest kMaxEndedWaiters that don't wait any more: gateways that go.
  static constexpr size_t kMaxEndedWaiters = 64;
  std::deque<uint64_t> ended_waiters_ ABSL_GUARDED_BY(mutex_);
  bool all_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_DISPATCHER_H_
