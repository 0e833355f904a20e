#include "bench/send/stream_backend.h"

#include <deque>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bench/send/load_driver.h"
#include "bench/send/outcomes.h"
#include "common/clock.h"
#include "grpc/support/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"

namespace bellwire::bench {
namespace {

// One SendStream: what it is given waits for the write before it. The correlation id is a slot's
// number. Whoever takes events from the completion queue calls it, and nobody else.
class OneStream {
 public:
  // What the completion queue's tags point to.
  struct Event {
    OneStream* stream;
    void (OneStream::*handle)(bool ok);
  };

  // `authorization` is the credential that the call carries.
  OneStream(push::v1::PushService::Stub* stub, const std::string& authorization,
            grpc::CompletionQueue* queue) {
    context_.AddMetadata("authorization", authorization);
    stream_ = stub->PrepareAsyncSendStream(&context_, queue);
    stream_->StartCall(&started_);
  }

  void Send(Requests* requests, MonotonicTime began, LoadDriver::Done done) {
    if (ended_) return std::move(done)(0, 1);
    size_t slot;
    if (free_.empty()) {
      slot = waiting_.size();
      waiting_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    waiting_[slot] = {began, std::move(done)};
    push::v1::SendStreamRequest& request = unsent_.emplace_back();
    request.set_correlation_id(slot);
    requests->Fill(began, request.mutable_request());
    WriteNext();
  }

  // Nothing more is sent.
  void Finish() {
    finishing_ = true;
    WriteNext();
  }
  bool ended() const { return ended_; }

 private:
  struct Waiting {
    MonotonicTime began;
    LoadDriver::Done done;
  };

  void WriteNext() {
    if (writing_) return;
    if (!unsent_.empty()) {
      writing_ = true;
      grpc::WriteOptions options;
      // More follows: it may share a packet.
      if (unsent_.size() > 1) options.set_buffer_hint();
      stream_->Write(unsent_.front(), options, &written_);
    } else if (finishing_) {
      writing_ = true;
      stream_->WritesDone(&writes_done_);
    }
  }

  void OnStarted(bool ok) {
    if (!ok) return End();
    ReadNext();
    writing_ = false;
    WriteNext();
  }
  void ReadNext() { stream_->Read(&response_, &read_); }
  void End() { stream_->Finish(&status_, &finished_); }

  void OnWritten(bool ok) {
    unsent_.pop_front();
    // After a write that failed none is possible; the read that waits ends the stream.
    writing_ = !ok;
    WriteNext();
  }
  // The server ends the stream when it has answered everything.
  void OnWritesDone(bool) {}

  void OnRead(bool ok) {
    if (!ok) return End();
    const size_t slot = response_.correlation_id();
    Waiting waiting = std::move(waiting_[slot]);
    free_.push_back(slot);
    const bool succeeded = response_.result().has_response();
    ReportIfFailed(response_.result(), waiting.began);
    ReadNext();
    std::move(waiting.done)(succeeded ? 1 : 0, succeeded ? 0 : 1);
  }

  void OnFinished(bool) {
    if (!status_.ok()) ReportError(status_.error_message());
    ended_ = true;
    for (Waiting& waiting : std::exchange(waiting_, {})) {
      if (waiting.done) std::move(waiting.done)(0, 1);
    }
  }

  Event started_{this, &OneStream::OnStarted};
  Event read_{this, &OneStream::OnRead};
  Event written_{this, &OneStream::OnWritten};
  Event writes_done_{this, &OneStream::OnWritesDone};
  Event finished_{this, &OneStream::OnFinished};
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientAsyncReaderWriter<push::v1::SendStreamRequest, push::v1::SendStreamResponse>>
      stream_;
  push::v1::SendStreamResponse response_;
  grpc::Status status_;
  std::deque<push::v1::SendStreamRequest> unsent_;
  std::vector<Waiting> waiting_;
  std::vector<size_t> free_;
  // Until the call has started, nothing may be written.
  bool writing_ = true;
  bool finishing_ = false;
  bool ended_ = false;
};

// Streams on the driver's thread alone. With the callback API, two threads of gRPC's would wake
// each other for every write that ends: at 5,000 messages a second that takes half as much CPU time
// again.
class StreamBackend final : public Backend {
 public:
  StreamBackend(const Flags& flags, const Provider& provider, Requests* requests)
      : Backend(flags, provider, requests) {
    for (const auto& stub : stubs_) {
      streams_.push_back(std::make_unique<OneStream>(stub.get(), authorization_, &queue_));
    }
  }

  void Start(MonotonicTime began, LoadDriver::Done done) override {
    streams_[next_++ % streams_.size()]->Send(requests_, began, std::move(done));
  }

  void Wait(MonotonicTime until) override {
    // A write that ends while nobody waits makes the next look at the sockets return without one:
    // look twice.
    for (int in_vain = 0; in_vain < 2;) {
      in_vain = HandleEvent(gpr_inf_past(GPR_CLOCK_MONOTONIC)) ? 0 : in_vain + 1;
    }
    // gRPC's timers tick in milliseconds: less than that is slept, and what arrives meanwhile
    // waits.
    constexpr absl::Duration kTick = absl::Milliseconds(1);
    const absl::Duration wait = until - RealClock()->Monotonic();
    if (wait > kTick) {
      HandleEvent(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                       gpr_time_from_nanos(absl::ToInt64Nanoseconds(wait - kTick), GPR_TIMESPAN)));
    } else {
      SleepUntil(until);
    }
  }

  void Finish() override {
    for (const auto& stream : streams_) {
      stream->Finish();
      while (!stream->ended()) HandleEvent(gpr_inf_future(GPR_CLOCK_MONOTONIC));
    }
    queue_.Shutdown();
    while (HandleEvent(gpr_inf_future(GPR_CLOCK_MONOTONIC))) {
    }
  }

 private:
  // Whether there was one until `deadline`.
  bool HandleEvent(gpr_timespec deadline) {
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
    const auto* event = static_cast<OneStream::Event*>(tag);
    (event->stream->*event->handle)(ok);
    return true;
  }

  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<OneStream>> streams_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Backend> NewStreamBackend(const Flags& flags, const Provider& provider,
                                          Requests* requests) {
  return std::make_unique<StreamBackend>(flags, provider, requests);
}

}  // namespace bellwire::bench
