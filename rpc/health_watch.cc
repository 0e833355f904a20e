#include "rpc/health_watch.h"

#include <utility>

#include "common/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/client_context.h"

namespace bellwire {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

HealthWatch::HealthWatch(std::shared_ptr<grpc::Channel> channel,
                         absl::AnyInvocable<void(bool serving)> on_change, absl::Duration interval)
    : channel_(std::move(channel)),
      on_change_(std::move(on_change)),
      interval_(interval),
      thread_([this] { Loop(); }) {}

HealthWatch::~HealthWatch() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void HealthWatch::Loop() {
  bool serving = true;
  while (true) {
    const bool now = Ask();
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    if (std::exchange(serving, now) != now) on_change_(now);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), interval_)) return;
  }
}

bool HealthWatch::Ask() {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + interval_));
  HealthCheckResponse response;
  const grpc::Status status = grpc::health::v1::Health::NewStub(channel_)->Check(
      &context, HealthCheckRequest(), &response);
  return status.ok() && response.status() == HealthCheckResponse::SERVING;
}

}  // namespace bellwire
