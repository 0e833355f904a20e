#include "rpc/grpc_session_client.h"

#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"
#include "rpc/dial_backoff.h"
#include "rpc/session_ends.h"
#include "rpc/stream_pulse.h"

namespace bellwire {
namespace {

using internal::v1::SessionEvent;
using internal::v1::SessionRequest;

// How often the pulse is felt, and whether to dial is asked: a fraction of either.
constexpr absl::Duration kTick = absl::Milliseconds(100);

// The connector's end of one Session.Attach, from Dial to its end. Keeps one write in flight and
// the rest in order behind it. It owns itself until gRPC is done with it.
//
// gRPC's operations are started outside of the lock, by whoever set writing_. Writes are started
// from outside of gRPC's reactions, so the stream has a hold; it is removed when reading has ended
// and no write is in flight, after which none is started.
class ClientStream final : public grpc::ClientBidiReactor<SessionRequest, SessionEvent> {
 public:
  // `on_ended` comes last, after the stream has let go of itself.
  struct Events {
    absl::AnyInvocable<void() &&> on_opened;
    absl::AnyInvocable<void(const grpc::Status& status) &&> on_ended;
  };

  static std::shared_ptr<ClientStream> Create(internal::v1::Session::Stub* stub,
                                              const internal::v1::Attach& attach,
                                              ConnectorApi* connector, const Clock* clock,
                                              Events events) {
    std::shared_ptr<ClientStream> stream(
        new ClientStream(attach, connector, clock, std::move(events)));
    stream->self_ = stream;
    stub->async()->Attach(&stream->context_, stream.get());
    stream->AddHold();
    stream->StartRead(&stream->incoming_);
    return stream;
  }

  void Dial() {
    StartCall();
    Write(/*beat=*/false);
  }
  void Cancel() { context_.TryCancel(); }
  SessionCaller* caller() { return &caller_; }

  // To be called every kTick.
  void Tick() {
    bool broken = false;
    bool speak = false;
    {
      absl::MutexLock lock(&mutex_);
      broken = pulse_.IsBroken(clock_->Monotonic());
      speak = pulse_.HasToSpeak(clock_->Monotonic());
    }
    if (broken) return Cancel();
    if (speak) Write(/*beat=*/true);
  }

 private:
  ClientStream(const internal::v1::Attach& attach, ConnectorApi* connector, const Clock* clock,
               Events events)
      : clock_(clock),
        caller_(attach, connector, [this] { Write(/*beat=*/false); }),
        events_(std::move(events)),
        pulse_(clock->Monotonic()) {}

  // Writes what is next, if nothing is being written; with `beat`, at least a sign of life.
  void Write(bool beat) ABSL_LOCKS_EXCLUDED(mutex_) {
    do {
      {
        absl::MutexLock lock(&mutex_);
        if (writing_ || read_ended_ || write_failed_) return;
        writing_ = true;
      }
      std::optional<SessionRequest> next = caller_.Next();
      if (next.has_value() || beat) {
        outgoing_ = next.has_value() ? *std::move(next) : SessionRequest();
        grpc::WriteOptions options;
        // gRPC may keep this one back until the next: many requests, one system call.
        if (caller_.has_next()) options.set_buffer_hint();
        return StartWrite(&outgoing_, options);
      }
      EndWriting();
      // One that came after Next was asked found writing_ set.
    } while (caller_.has_next());
  }
  void EndWriting() ABSL_LOCKS_EXCLUDED(mutex_) {
    bool remove_hold = false;
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      remove_hold = read_ended_;
    }
    if (remove_hold) RemoveHold();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    if (!ok) return;
    {
      absl::MutexLock lock(&mutex_);
      pulse_.OnHeard(clock_->Monotonic());
    }
    std::move(events_.on_opened)();
  }

  void OnReadDone(bool ok) override {
    bool remove_hold = false;
    {
      absl::MutexLock lock(&mutex_);
      if (ok) {
        pulse_.OnHeard(clock_->Monotonic());
      } else {
        read_ended_ = true;
        remove_hold = !writing_;
      }
    }
    if (remove_hold) RemoveHold();
    if (!ok) return;
    caller_.OnEvent(std::move(incoming_));
    incoming_ = SessionEvent();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      if (ok) {
        pulse_.OnSpoke(clock_->Monotonic());
      } else {
        write_failed_ = true;
      }
    }
    if (!ok) Cancel();  // So that reading ends as well.
    EndWriting();
    if (ok && caller_.has_next()) Write(/*beat=*/false);
  }

  void OnDone(const grpc::Status& status) override {
    Events events = std::move(events_);
    caller_.End();
    // Perhaps the last reference: nothing of this object is touched from here on.
    std::shared_ptr<ClientStream> self = std::move(self_);
    self.reset();
    std::move(events.on_ended)(status);
  }

  const Clock* const clock_;
  grpc::ClientContext context_;
  SessionCaller caller_;
  Events events_;
  // This stream's reference to itself, until OnDone.
  std::shared_ptr<ClientStream> self_;

  // In gRPC's hands from StartRead to OnReadDone, and from StartWrite to OnWriteDone.
  SessionEvent incoming_;
  SessionRequest outgoing_;

  absl::Mutex mutex_;
  StreamPulse pulse_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// Its thread dials, and feels the pulse. A stream counts as live until nothing of it is left: the
// last channel of a process must not die on one of gRPC's own threads, for which it would wait
// (CompletionQueue::ReleaseCallbackAlternativeCQ).
class GrpcSessionClient final : public SessionStream {
 public:
  GrpcSessionClient(const std::shared_ptr<grpc::Channel>& channel, const Clock* clock)
      : stub_(internal::v1::Session::NewStub(channel)), clock_(clock), backoff_(clock) {}
  ~GrpcSessionClient() override { Close(); }

  void Open(const internal::v1::Attach& attach, ConnectorEnd* connector) override {
    attach_ = attach;
    connector_ = connector;
    // Calls that come at once wait for it.
    Dial();
    thread_ = std::thread([this] { Loop(); });
  }

  void Close() override {
    std::shared_ptr<ClientStream> stream;
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
      stream = stream_;
    }
    if (thread_.joinable()) thread_.join();
    if (stream != nullptr) stream->Cancel();
    stream.reset();
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* live) { return *live == 0; }, &live_));
  }

#define BELLWIRE_FORWARD(Contract, Method, Request, Response)      \
  void Method(Request request, Done<Response> done) override {     \
    const std::shared_ptr<ClientStream> stream = Find();           \
    if (stream == nullptr) return std::move(done)(Unreachable());  \
    stream->caller()->Method(std::move(request), std::move(done)); \
  }
  BELLWIRE_SESSION_METHODS(BELLWIRE_FORWARD)
#undef BELLWIRE_FORWARD

 private:
  static absl::Status Unreachable() {
    return WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                                    "the registry can't be reached"),
                          kRegistryRetryAfter);
  }
  std::shared_ptr<ClientStream> Find() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return stream_;
  }

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        mutex_.AwaitWithTimeout(absl::Condition(&closed_), kTick);
        if (closed_) return;
      }
      if (const std::shared_ptr<ClientStream> stream = Find()) {
        stream->Tick();
      } else {
        Dial();
      }
    }
  }

  void Dial() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<ClientStream> stream;
    {
      absl::MutexLock lock(&mutex_);
      if (closed_ || !backoff_.MayDial()) return;
      stream_ = ClientStream::Create(
          stub_.get(), attach_, connector_, clock_,
          {.on_opened = [this] { OnOpened(); },
           .on_ended = [this](const grpc::Status& status) { OnEnded(status); }});
      ++live_;
      stream = stream_;
    }
    stream->Dial();
  }

  void OnOpened() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      backoff_.OnOpened();
      failing_ = false;
      opened_ = true;
    }
    LogInfo("registry_stream_opened");
    connector_->OnStreamOpened(/*devices=*/{});
  }

  // Everything of the stream was answered. No other is dialled before this returns, so nothing that
  // one hands over can pass OnStreamBroken.
  void OnEnded(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool was_open = false;
    bool log = false;
    {
      absl::MutexLock lock(&mutex_);
      was_open = std::exchange(opened_, false);
      log = !std::exchange(failing_, true) && !closed_;
    }
    if (log) {
      LogWarning("registry_stream_broke",
                 {{"code", status.error_code()}, {"message", status.error_message()}});
    }
    if (was_open) connector_->OnStreamBroken(/*devices=*/{});
    std::shared_ptr<ClientStream> ended;
    {
      absl::MutexLock lock(&mutex_);
      backoff_.OnEnded();
      ended = std::move(stream_);
      stream_ = nullptr;
    }
    ended.reset();
    absl::MutexLock lock(&mutex_);
    --live_;  // Now this may be destroyed.
  }

  const std::unique_ptr<internal::v1::Session::Stub> stub_;
  const Clock* const clock_;
  internal::v1::Attach attach_;
  ConnectorEnd* connector_ = nullptr;
  std::thread thread_;

  absl::Mutex mutex_;
  DialBackoff backoff_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ClientStream> stream_ ABSL_GUARDED_BY(mutex_);
  // Streams of which anything is left: at most one.
  int live_ ABSL_GUARDED_BY(mutex_) = 0;
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  // The last attempt failed, and the log knows.
  bool failing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<SessionStream> NewGrpcSessionClient(std::shared_ptr<grpc::Channel> channel,
                                                    const Clock* clock) {
  return std::make_unique<GrpcSessionClient>(std::move(channel), clock);
}

}  // namespace bellwire
