#include "rpc/grpc_session_server.h"

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/limits.h"
#include "common/log.h"
#include "grpcpp/grpcpp.h"
#include "rpc/session_ends.h"
#include "rpc/stream_pulse.h"

namespace bellwire {

using internal::v1::SessionEvent;
using internal::v1::SessionRequest;

namespace {

// How often the pulses are felt.
constexpr absl::Duration kTick = absl::Milliseconds(250);

}  // namespace

// The registry's end of one stream. It owns itself until OnDone; the service holds it as long as it
// is the connector's latest, and an answer that the registry owes holds it too, so it may come at
// any time.
//
// gRPC's operations are started outside of the lock, each by the one who set the flag that says it
// is in flight (reading_, writing_, cutting_, finished_). Finish comes last: it is called only
// while none is set, and none is set after it, so that nothing touches the call once gRPC has let
// go of it.
class GrpcSessionService::Stream final
    : public grpc::ServerBidiReactor<SessionRequest, SessionEvent>,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(GrpcSessionService* service, grpc::CallbackServerContext* context)
      : service_(service), context_(context), pulse_(service->clock_->Monotonic()) {}

  void Start() {
    self_ = shared_from_this();
    // Answers that come late find the stream ended.
    server_ = std::make_shared<SessionServer>(service_->registry_, [weak = weak_from_this()] {
      if (const auto stream = weak.lock()) {
        stream->Write(/*beat=*/false);
      }
    });
    StartSendInitialMetadata();  // At once: this is how the connector learns that we are here.
    StartRead(&incoming_);
  }

  bool HandOver(internal::v1::ConnectorRequest request) {
    return server_->HandOver(std::move(request));
  }

  // To be called every kTick.
  void Tick(MonotonicTime now) {
    bool broken = false;
    bool speak = false;
    {
      absl::MutexLock lock(&mutex_);
      broken = pulse_.IsBroken(now);
      speak = pulse_.HasToSpeak(now);
    }
    if (broken) return Cut();
    if (speak) Write(/*beat=*/true);
  }
  // Ends it soon.
  void Cut() {
    {
      absl::MutexLock lock(&mutex_);
      if (finished_ || cutting_) return;
      cutting_ = true;
    }
    // Outside of the lock: it may call back. cutting_ keeps the call.
    context_->TryCancel();
    {
      absl::MutexLock lock(&mutex_);
      cutting_ = false;
    }
    MaybeFinish();
  }

  void OnReadDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      if (ok) {
        pulse_.OnHeard(service_->clock_->Monotonic());
      } else {
        over_ = true;
        reading_ = false;
      }
    }
    if (!ok) return MaybeFinish();
    if (incoming_.has_attach()) {
      if (incarnation_ == 0) {
        incarnation_ = incoming_.attach().connector_incarnation();
        LogInfo("connector_attached", {{"address", incoming_.attach().connector_address()}});
        service_->OnAttach(incarnation_, shared_from_this());
      }
    } else {
      server_->OnRequest(std::move(incoming_));
    }
    incoming_ = SessionRequest();
    const bool room = server_->unanswered() < kMaxConnectorInFlight;
    bool read = false;
    {
      absl::MutexLock lock(&mutex_);
      read = reading_ = room && !over_;
    }
    if (read) return StartRead(&incoming_);
    // Answers that were written meanwhile may have made room, and not found reading_ unset.
    Write(/*beat=*/true);
    MaybeFinish();
  }

  void OnWriteDone(bool ok) override {
    const bool room = server_->unanswered() <= kMaxConnectorInFlight / 2;
    bool read = false;
    {
      absl::MutexLock lock(&mutex_);
      if (ok) {
        pulse_.OnSpoke(service_->clock_->Monotonic());
      } else {
        over_ = true;
      }
      writing_ = false;
      // Resumed near half, so that a stream at its bound reads in runs.
      read = room && !reading_ && !over_ && !finished_;
      if (read) reading_ = true;
    }
    if (read) StartRead(&incoming_);
    if (server_->has_next()) Write(/*beat=*/false);
    MaybeFinish();
  }

  void OnCancel() override {
    {
      absl::MutexLock lock(&mutex_);
      over_ = true;
    }
    MaybeFinish();
  }

  void OnDone() override {
    const std::shared_ptr<Stream> self = std::move(self_);
    server_->End();
    if (incarnation_ != 0) service_->OnEnded(incarnation_, this);
  }

 private:
  // As ClientStream::Write.
  void Write(bool beat) ABSL_LOCKS_EXCLUDED(mutex_) {
    do {
      {
        absl::MutexLock lock(&mutex_);
        if (writing_ || over_ || finished_) return;
        writing_ = true;
      }
      std::optional<SessionEvent> next = server_->Next();
      if (next.has_value() || beat) {
        outgoing_ = next.has_value() ? *std::move(next) : SessionEvent();
        grpc::WriteOptions options;
        if (server_->has_next()) options.set_buffer_hint();
        return StartWrite(&outgoing_, options);
      }
      {
        absl::MutexLock lock(&mutex_);
        writing_ = false;
      }
    } while (server_->has_next());
    MaybeFinish();
  }

  // A connector that says nothing more is gone, and so are its sessions.
  void MaybeFinish() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!over_ || reading_ || writing_ || cutting_ || finished_) return;
      finished_ = true;
    }
    Finish(grpc::Status::OK);
  }

  GrpcSessionService* const service_;
  // Until Finish.
  grpc::CallbackServerContext* const context_;
  std::shared_ptr<SessionServer> server_;
  // This stream's reference to itself, until OnDone.
  std::shared_ptr<Stream> self_;
  // Of the first frame. Only reads touch it, and OnDone.
  uint64_t incarnation_ = 0;

  // In gRPC's hands while reading_ or writing_.
  SessionRequest incoming_;
  SessionEvent outgoing_;

  absl::Mutex mutex_;
  StreamPulse pulse_ ABSL_GUARDED_BY(mutex_);
  // A read is in flight, or its frame is being handled. Unset at the bound, and at the end.
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // The connector is gone.
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool cutting_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

GrpcSessionService::GrpcSessionService(SessionApi* registry,
                                       std::function<void(uint64_t incarnation)> on_gone,
                                       const Clock* clock)
    : registry_(registry),
      on_gone_(std::move(on_gone)),
      clock_(clock),
      thread_([this] { Loop(); }) {}

GrpcSessionService::~GrpcSessionService() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  thread_.join();
}

grpc::ServerBidiReactor<SessionRequest, SessionEvent>* GrpcSessionService::Attach(
    grpc::CallbackServerContext* context) {
  const auto stream = std::make_shared<Stream>(this, context);
  stream->Start();
  return stream.get();
}

bool GrpcSessionService::HandOver(internal::v1::ConnectorRequest request) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = streams_.find(request.route().connector_incarnation());
    if (it != streams_.end()) stream = it->second;
  }
  return stream != nullptr && stream->HandOver(std::move(request));
}

bool GrpcSessionService::HasStream(uint64_t incarnation) const {
  absl::MutexLock lock(&mutex_);
  return streams_.contains(incarnation);
}

void GrpcSessionService::OnAttach(uint64_t incarnation, std::shared_ptr<Stream> stream) {
  std::shared_ptr<Stream> earlier;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = streams_.find(incarnation);
    if (it != streams_.end()) {
      earlier = std::move(it->second);
      streams_.erase(it);
    }
  }
  if (earlier != nullptr) {
    // The connector has given it up, and this end does not know yet.
    earlier->Cut();
    on_gone_(incarnation);
  }
  absl::MutexLock lock(&mutex_);
  streams_[incarnation] = std::move(stream);
}

void GrpcSessionService::OnEnded(uint64_t incarnation, const Stream* stream) {
  std::shared_ptr<Stream> ended;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = streams_.find(incarnation);
    if (it == streams_.end() || it->second.get() != stream) return;
    ended = std::move(it->second);
    streams_.erase(it);
  }
  on_gone_(incarnation);
}

void GrpcSessionService::Loop() {
  while (true) {
    std::vector<std::shared_ptr<Stream>> streams;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&closed_), kTick);
      if (closed_) return;
      streams.reserve(streams_.size());
      for (const auto& [incarnation, stream] : streams_) streams.push_back(stream);
    }
    for (const std::shared_ptr<Stream>& stream : streams) stream->Tick(clock_->Monotonic());
  }
}

}  // namespace bellwire
