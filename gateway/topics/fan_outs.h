#ifndef BELLWIRE_GATEWAY_TOPICS_FAN_OUTS_H_
#define BELLWIRE_GATEWAY_TOPICS_FAN_OUTS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/clock.h"
#include "gateway/doors/http/token_bucket.h"
#include "gateway/topics/fan_out.h"
#include "gateway/topics/fan_out_flags.h"
#include "gateway/topics/fan_out_pace.h"

namespace bellwire::gateway {

// A gateway's share of the fan-outs: claims topic messages one after another, as long as it has
// fewer than it may, and lets them take turns at sending. All of them together have so many calls
// under way as FanOutPace says, and send no faster than a rate that the operator may set.
//
// The registry may be away: then it waits, and goes on.
//
// Single-threaded: on the loop.
class FanOuts {
 public:
  // How long a claim waits at the registry for a topic message. Short: what it is given after this
  // gateway has gone waits for the lease.
  static constexpr absl::Duration kClaimWait = absl::Seconds(5);
  // From one claim that brought nothing to the next one, at least.
  static constexpr absl::Duration kClaimPause = absl::Seconds(1);

  struct Options {
    FanOutWorld world;
    FanOutFlags settings;
    FanOutPace::Options pace = {};
  };

  explicit FanOuts(const Options& options);
  FanOuts(const FanOuts&) = delete;
  FanOuts& operator=(const FanOuts&) = delete;

  // Claims and sends, from now on.
  void Start();

  // Gives back what it has claimed, when what is under way is over, and claims nothing more. Calls
  // `drained` then.
  void Drain(absl::AnyInvocable<void() &&> drained);

  size_t running() const { return running_.size(); }

 private:
  struct Running {
    std::shared_ptr<FanOut> fan_out;
    MonotonicTime began;
    uint64_t number = 0;
  };

  void Claim();
  // `name`: what the claim was made under.
  void OnClaimed(std::string name, absl::StatusOr<internal::v1::ClaimResponse> claimed);
  void Run(std::string name, internal::v1::ClaimResponse claim);
  // Lets them send as much as they may.
  void Pump();
  void OnEnd(uint64_t number, FanOut::End end);
  void EndDrain();

  const Options options_;
  const Clock& clock_;
  FanOutPace pace_;
  std::optional<http::TokenBucket> rate_;
  // Calls back only while this is alive.
  const std::shared_ptr<FanOuts*> self_ = std::make_shared<FanOuts*>(this);
  // Of the next claim; of the rate.
  const std::unique_ptr<net::Timer> claim_timer_;
  const std::unique_ptr<net::Timer> rate_timer_;
  bool claiming_ = false;
  MonotonicTime claim_began_;
  std::vector<Running> running_;
  uint64_t next_number_ = 0;
  // Whose turn it is, of `running_`.
  size_t turn_ = 0;
  bool pumping_ = false;
  bool draining_ = false;
  absl::AnyInvocable<void() &&> drained_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_FAN_OUTS_H_
