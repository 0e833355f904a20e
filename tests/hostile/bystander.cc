#include "tests/hostile/bystander.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "common/clock.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(20);

}  // namespace

Bystander::Bystander(const Fleet& fleet, const Provider& provider, std::string token, int gateway)
    : provider_(provider),
      token_(std::move(token)),
      channel_(fleet.Channel(gateway)),
      thread_([this] { Run(); }) {}

Bystander::Report Bystander::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (!times_.empty()) {
    std::sort(times_.begin(), times_.end());
    report_.p99 = times_[times_.size() * 99 / 100];
  }
  return report_;
}

void Bystander::Run() {
  const auto stub = push::v1::PushService::NewStub(channel_);
  while (!stopping_) {
    const MonotonicTime began = RealClock()->Monotonic();
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + kDeadline));
    // As a provider that knows its trade: a connection that the server closed is no failure.
    context.set_wait_for_ready(true);
    provider_.Authorize(&context);
    push::v1::SendRequest request;
    request.set_token(token_);
    request.set_payload("beside an attack");
    push::v1::SendResponse response;
    const grpc::Status status = stub->Send(&context, request, &response);
    ++report_.sent;
    times_.push_back(RealClock()->Monotonic() - began);
    report_.slowest = std::max(report_.slowest, times_.back());
    if (status.ok()) {
      ++report_.served;
      ++served_;
    } else {
      report_.last_error = absl::StrCat(status.error_code(), " ", status.error_message());
    }
    WaitUntil([this] { return stopping_.load(); },
              std::max(absl::ZeroDuration(), began + kInterval - RealClock()->Monotonic()));
  }
}

ProcessSize SizeOf(pid_t pid) {
  ProcessSize size;
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    if (word == "VmRSS:") {
      status >> size.resident_bytes;
      size.resident_bytes *= 1024;
    } else if (word == "VmHWM:") {
      status >> size.peak_bytes;
      size.peak_bytes *= 1024;
    } else if (word == "Threads:") {
      status >> size.threads;
    }
  }
  return size;
}

ThreadWatch::ThreadWatch(pid_t pid)
    : thread_([this, pid] {
        // WaitUntil looks every few milliseconds.
        while (!stopping_) {
          most_ = std::max(most_.load(), SizeOf(pid).threads);
          WaitUntil([this] { return stopping_.load(); }, absl::Milliseconds(50));
        }
      }) {}

ThreadWatch::~ThreadWatch() {
  stopping_ = true;
  thread_.join();
}

void ResetPeak(pid_t pid) { std::ofstream(absl::StrCat("/proc/", pid, "/clear_refs")) << "5"; }

}  // namespace bellwire::tests
