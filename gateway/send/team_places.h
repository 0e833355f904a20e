#ifndef BELLWIRE_GATEWAY_SEND_TEAM_PLACES_H_
#define BELLWIRE_GATEWAY_SEND_TEAM_PLACES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "gateway/send/adaptive_limit.h"

namespace bellwire::gateway {

// Places that teams share, such as the calls that may be under way. Whoever is admitted holds a
// Ticket; destroying it makes room again, on whatever path.
//
// Room is shared by dynamic thresholds, as in FairQueue: a team may hold as many places as are
// free. So one team alone holds half of them, N greedy teams leave a place in N+1 free, and a team
// that holds little is admitted whatever the others do.
//
// Where the places are before a server of unknown speed, each team has an AdaptiveLimit of its own
// besides: a team is refused for the queue that it makes itself, and for no other's.
//
// Thread-safe; outlives its tickets.
class TeamPlaces {
  struct Team;
  using Teams = absl::node_hash_map<std::string, Team>;
  using Named = Teams::value_type;

 public:
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept
        : places_(std::exchange(other.places_, nullptr)), team_(other.team_) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(places_, other.places_);
      std::swap(team_, other.team_);
      return *this;
    }
    ~Ticket() {
      if (places_ != nullptr) places_->GiveBack(team_);
    }

    // The call that holds it began at `began` and was served. What was refused or failed is not
    // reported. REQUIRES: not moved from.
    void OnServed(MonotonicTime began, MonotonicTime now) {
      team_->second.limit.OnServed(began, now);
    }

   private:
    friend class TeamPlaces;
    Ticket(TeamPlaces* places, Named* team) : places_(places), team_(team) {}
    TeamPlaces* places_;
    Named* team_;
  };

  struct Options {
    size_t places = 0;
    size_t most_of_a_team = SIZE_MAX;
    // Of each team. `min` is shared by the teams that hold places.
    AdaptiveLimit::Options limit = {};
  };

  explicit TeamPlaces(const Options& options) : options_(options) {}
  TeamPlaces(const TeamPlaces&) = delete;
  TeamPlaces& operator=(const TeamPlaces&) = delete;

  // nullopt: the team holds as much as it may.
  std::optional<Ticket> TryTake(absl::string_view team_id);

  // Held by all teams.
  size_t taken() {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }

 private:
  struct Team {
    explicit Team(const AdaptiveLimit::Options& options) : limit(options) {}
    size_t taken = 0;
    AdaptiveLimit limit;
  };

  void GiveBack(Named* team);

  const Options options_;
  absl::Mutex mutex_;
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  // Those that hold a place. A team that holds none has no queue, and starts afresh.
  Teams teams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_TEAM_PLACES_H_
