#include "rpc/channel_watch.h"

#include <utility>

#include "grpc/support/time.h"

namespace bellwire {
namespace {

// How soon the end is noticed: gRPC's wait for a change can't be woken.
constexpr int kStopMs = 250;

}  // namespace

ChannelWatch::ChannelWatch(std::shared_ptr<grpc::Channel> channel,
                           absl::AnyInvocable<void()> on_connected)
    : channel_(std::move(channel)),
      on_connected_(std::move(on_connected)),
      thread_([this] { Loop(); }) {}

ChannelWatch::~ChannelWatch() {
  stopping_ = true;
  thread_.join();
}

void ChannelWatch::Loop() {
  bool told = false;
  while (!stopping_) {
    const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY && !std::exchange(told, true)) on_connected_();
    const bool changed = channel_->WaitForStateChange(
        state,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(kStopMs, GPR_TIMESPAN)));
    // Be it connected again by now.
    if (changed) told = false;
  }
}

}  // namespace bellwire
