#include "gateway/topics/fan_outs.h"

#include <algorithm>
#include <utility>

#include "common/ids.h"
#include "common/log.h"
#include "common/trace_context.h"

namespace bellwire::gateway {
namespace {

using internal::v1::ClaimRequest;
using internal::v1::ClaimResponse;

// What the rate may be behind and catch up on: timers have a tick of a millisecond.
constexpr double kBurstSeconds = 0.01;

const char* NameOf(FanOut::End end) {
  switch (end) {
    case FanOut::End::kDone:
      return "done";
    case FanOut::End::kReleased:
      return "given back";
    case FanOut::End::kLost:
      return "claim lost";
  }
  return "";
}

}  // namespace

FanOuts::FanOuts(const Options& options)
    : options_(options),
      clock_(options.world.loop->clock()),
      pace_(options.pace, clock_.Monotonic()),
      claim_timer_(options.world.loop->NewTimer([this] { Claim(); })),
      rate_timer_(options.world.loop->NewTimer([this] { Pump(); })) {
  if (options.settings.most_per_second > 0) {
    rate_.emplace(std::max(1.0, options.settings.most_per_second * kBurstSeconds),
                  options.settings.most_per_second, clock_.Monotonic());
  }
}

void FanOuts::Start() { Claim(); }

void FanOuts::Claim() {
  if (draining_ || claiming_ || running_.size() >= options_.settings.at_once) return;
  claiming_ = true;
  claim_began_ = clock_.Monotonic();
  // A name for each claim: a late Advance of an earlier one must not count for this one.
  const std::string name(NewMessageId().bytes());
  ClaimRequest request;
  request.set_gateway(name);
  request.set_lease_ms(absl::ToInt64Milliseconds(FanOut::kLease));
  request.set_wait_ms(absl::ToInt64Milliseconds(kClaimWait));
  options_.world.topics->Claim(std::move(request),
                               [weak = std::weak_ptr<FanOuts*>(self_), post = options_.world.post,
                                name](absl::StatusOr<ClaimResponse> claimed) {
                                 post([weak, name, claimed = std::move(claimed)]() mutable {
                                   if (const auto self = weak.lock())
                                     (*self)->OnClaimed(name, std::move(claimed));
                                 });
                               });
}

void FanOuts::OnClaimed(std::string name, absl::StatusOr<ClaimResponse> claimed) {
  claiming_ = false;
  if (claimed.ok() && claimed->has_message()) {
    Run(std::move(name), *std::move(claimed));
    return Claim();
  }
  const absl::Duration waited = clock_.Monotonic() - claim_began_;
  claim_timer_->Arm(std::max(kClaimPause - waited, absl::ZeroDuration()));
}

void FanOuts::Run(std::string name, ClaimResponse claim) {
  const uint64_t number = next_number_++;
  const bool recall = claim.recall();
  const std::string trace = TraceIdOf(claim.message().message().trace_context());
  FanOut::Listener listener;
  listener.on_ready = [this] { Pump(); };
  listener.on_call = [this](absl::StatusOr<absl::Duration> took) {
    if (took.ok()) {
      pace_.OnServed(*took, clock_.Monotonic());
    } else {
      pace_.OnRefused(clock_.Monotonic());
    }
    Pump();
  };
  listener.on_end = [this, number](FanOut::End end) {
    // It is destroyed when it has returned.
    options_.world.post([weak = std::weak_ptr<FanOuts*>(self_), number, end] {
      if (const auto self = weak.lock()) (*self)->OnEnd(number, end);
    });
  };
  std::shared_ptr<FanOut> fan_out =
      FanOut::Start(options_.world, std::move(name), std::move(claim), std::move(listener));
  LogInfo("fan_out_begins", {{"team", fan_out->team_id()},
                             {"topic_message", FormatUuid(fan_out->message_id())},
                             {"trace", trace},
                             {"recall", recall ? "yes" : "no"}});
  running_.push_back({fan_out, clock_.Monotonic(), number});
  if (draining_) fan_out->Stop();
}

void FanOuts::OnEnd(uint64_t number, FanOut::End end) {
  const auto it = std::find_if(running_.begin(), running_.end(),
                               [number](const Running& r) { return r.number == number; });
  if (it == running_.end()) return;
  const FanOut& fan_out = *it->fan_out;
  LogInfo("fan_out_ends", {{"team", fan_out.team_id()},
                           {"topic_message", FormatUuid(fan_out.message_id())},
                           {"recall", fan_out.recalls() ? "yes" : "no"},
                           {"end", NameOf(end)},
                           {"sent", fan_out.sent()},
                           {"passed_over", fan_out.passed_over()},
                           {"seconds", absl::ToDoubleSeconds(clock_.Monotonic() - it->began)}});
  running_.erase(it);
  Claim();
  Pump();
  EndDrain();
}

void FanOuts::Pump() {
  // What a turn makes of the others comes to nothing new.
  if (pumping_) return;
  pumping_ = true;
  size_t under_way = 0;
  for (const Running& running : running_) under_way += running.fan_out->under_way();
  size_t passed = 0;
  while (passed < running_.size() && under_way < pace_.limit()) {
    FanOut& fan_out = *running_[turn_++ % running_.size()].fan_out;
    if (!fan_out.WantsTurn()) {
      ++passed;
      continue;
    }
    if (rate_.has_value() && !rate_->Take(clock_.Monotonic())) {
      rate_timer_->Arm(absl::Milliseconds(1));
      break;
    }
    passed = 0;
    const size_t before = fan_out.under_way();
    fan_out.TakeTurn();
    under_way += fan_out.under_way() - before;
  }
  pumping_ = false;
}

void FanOuts::Drain(absl::AnyInvocable<void() &&> drained) {
  draining_ = true;
  drained_ = std::move(drained);
  claim_timer_->Cancel();
  for (const Running& running : running_) running.fan_out->Stop();
  Pump();
  EndDrain();
}

void FanOuts::EndDrain() {
  if (!draining_ || !running_.empty() || drained_ == nullptr) return;
  std::exchange(drained_, nullptr)();
}

}  // namespace bellwire::gateway
