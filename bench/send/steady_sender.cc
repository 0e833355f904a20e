#include "bench/send/steady_sender.h"

#include <algorithm>
#include <utility>

#include "bench/send/outcomes.h"
#include "common/ids.h"
#include "grpc/support/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/async_unary_call.h"
#include "grpcpp/support/status.h"

namespace bellwire::bench {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(10);
constexpr absl::Duration kRepeatAfter = absl::Milliseconds(200);
// So often somebody is asked whether it is over.
constexpr absl::Duration kLongestWait = absl::Milliseconds(50);

gpr_timespec In(absl::Duration wait) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(wait), GPR_TIMESPAN));
}

bool IsTransient(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::RESOURCE_EXHAUSTED;
}

}  // namespace

struct SteadySender::Call {
  MonotonicTime began;
  grpc::ClientContext context;
  push::v1::SendRequest request;
  push::v1::SendResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<push::v1::SendResponse>> reader;
};

SteadySender::SteadySender(const std::shared_ptr<grpc::Channel>& channel, std::string authorization,
                           Requests* requests, double per_second)
    : stub_(push::v1::PushService::NewStub(channel)),
      authorization_(std::move(authorization)),
      requests_(requests),
      interval_(absl::Seconds(1 / per_second)),
      next_message_(RealClock()->Monotonic()),
      thread_([this] { Run(); }) {}

SteadySender::~SteadySender() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = giving_up_ = true;
  }
  thread_.join();
}

nlohmann::json SteadySender::Report() {
  absl::MutexLock lock(&mutex_);
  const Histogram latency = std::exchange(latency_, {});
  return {{"sent", sent_},
          {"ok", ok_},
          {"repeated", repeated_},
          {"calls", latency.count()},
          {"p50_us", latency.Percentile(0.5)},
          {"p99_us", latency.Percentile(0.99)}};
}

nlohmann::json SteadySender::Stop(absl::Duration timeout) {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    const auto all_ok = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ok_ == sent_; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&all_ok), timeout)) {
      return {{"error", std::to_string(sent_ - ok_) + " messages were never answered OK"}};
    }
  }
  return Report();
}

void SteadySender::Run() {
  while (!Done()) {
    const absl::Duration wait = std::min(StartWhatIsDue() - RealClock()->Monotonic(), kLongestWait);
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, In(wait)) == grpc::CompletionQueue::GOT_EVENT) {
      OnAnswered(static_cast<Call*>(tag));
    }
  }
  queue_.Shutdown();
  void* tag = nullptr;
  for (bool ok = false; queue_.Next(&tag, &ok);) delete static_cast<Call*>(tag);
}

bool SteadySender::Done() {
  absl::MutexLock lock(&mutex_);
  return stopping_ && (giving_up_ || ok_ == sent_);
}

MonotonicTime SteadySender::StartWhatIsDue() {
  const MonotonicTime now = RealClock()->Monotonic();
  while (!repeats_.empty() && repeats_.front().when <= now) {
    Start(std::move(repeats_.front().request));
    repeats_.pop_front();
  }
  while (next_message_ <= now) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) break;
      ++sent_;
    }
    push::v1::SendRequest request;
    requests_->Fill(now, &request);
    request.set_message_id(FormatUuid(NewMessageId()));
    Start(std::move(request));
    next_message_ = next_message_ + interval_;
  }
  const MonotonicTime next_repeat = repeats_.empty() ? now + kLongestWait : repeats_.front().when;
  return next_message_ <= now ? next_repeat : std::min(next_message_, next_repeat);
}

void SteadySender::Start(push::v1::SendRequest request) {
  auto* call = new Call{.began = RealClock()->Monotonic(), .request = std::move(request)};
  call->context.AddMetadata("authorization", authorization_);
  call->context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + kCallTimeout));
  call->reader = stub_->AsyncSend(&call->context, call->request, &queue_);
  call->reader->Finish(&call->response, &call->status, call);
}

void SteadySender::OnAnswered(Call* call) {
  const std::unique_ptr<Call> owned(call);
  const MonotonicTime now = RealClock()->Monotonic();
  const bool ok = call->status.ok();
  {
    absl::MutexLock lock(&mutex_);
    latency_.Add(now - call->began);
    ++(ok ? ok_ : repeated_);
  }
  if (ok) return;
  if (!IsTransient(call->status.error_code())) ReportError(call->status.error_message());
  repeats_.push_back({now + kRepeatAfter, std::move(call->request)});
}

}  // namespace bellwire::bench
