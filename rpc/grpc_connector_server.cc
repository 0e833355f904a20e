#include "rpc/grpc_connector_server.h"

#include <cstdint>
#include <deque>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "common/limits.h"

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

// The serving end of one Connector.Exchange stream. It owns itself until OnDone; an answer that the
// connector owes holds a reference as well, so it may come at any time.
//
// gRPC's operations are started outside of the lock, each by the one who set the flag that says it
// is in flight (reading_, writing_, finished_). Finish comes last: it is called only while neither
// is set, and none is set after it, so that nothing touches the call once gRPC has let go of it.
class ServingStream final : public grpc::ServerBidiReactor<ConnectorRequest, ConnectorResponse>,
                            public std::enable_shared_from_this<ServingStream> {
 public:
  ServingStream(ConnectorApi* connector, const grpc::CallbackServerContext* context)
      : connector_(connector), context_(context) {}

  void Start() {
    self_ = shared_from_this();
    StartSendInitialMetadata();  // At once: this is how the caller learns that we are here.
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        absl::MutexLock lock(&mutex_);
        read_ended_ = true;
        reading_ = false;
      }
      MaybeFinish();
      return;
    }
    {
      absl::MutexLock lock(&mutex_);
      ++unanswered_;
    }
    const uint64_t id = incoming_.correlation_id();
    connector_->Exchange(std::move(incoming_),
                         [self = shared_from_this(), id](ConnectorResponse::Outcome outcome) {
                           self->Answer(id, outcome);
                         });
    bool read = false;
    {
      absl::MutexLock lock(&mutex_);
      read = !cancelled_ && unanswered_ < kMaxConnectorInFlight;
      reading_ = read;
    }
    if (read) {
      StartRead(&incoming_);
    } else {
      MaybeFinish();
    }
  }

  void OnWriteDone(bool ok) override {
    bool write = false;
    bool read = false;
    {
      absl::MutexLock lock(&mutex_);
      if (!ok) cancelled_ = true;
      --unanswered_;
      write = !cancelled_ && !answers_.empty();
      writing_ = write;
      // Resumed near half, so that a stream at its bound reads in runs.
      read = !reading_ && !read_ended_ && !cancelled_ && !finished_ &&
             unanswered_ <= kMaxConnectorInFlight / 2;
      if (read) reading_ = true;
    }
    if (read) StartRead(&incoming_);
    if (write) {
      WriteNext();
    } else {
      MaybeFinish();
    }
  }

  void OnCancel() override {
    {
      absl::MutexLock lock(&mutex_);
      cancelled_ = true;
    }
    MaybeFinish();
  }

  void OnDone() override {
    const std::shared_ptr<ServingStream> self = std::move(self_);
    if (context_->IsCancelled()) {
      // It did not say good-bye: the registry died, or the way from it broke. It may have committed
      // messages that it never got to hand over.
      ConnectorRequest lost;
      lost.mutable_missed();
      connector_->Exchange(std::move(lost), [](ConnectorResponse::Outcome) {});
    }
    absl::MutexLock lock(&mutex_);
    answers_.clear();
  }

 private:
  // From any thread, at any time.
  void Answer(uint64_t id, ConnectorResponse::Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (cancelled_ || finished_) return;
      ConnectorResponse& answer = answers_.emplace_back();
      answer.set_correlation_id(id);
      answer.set_outcome(outcome);
      if (writing_) return;
      writing_ = true;
    }
    WriteNext();
  }

  // REQUIRES: the caller has set writing_, or keeps it set.
  void WriteNext() ABSL_LOCKS_EXCLUDED(mutex_) {
    grpc::WriteOptions options;
    {
      absl::MutexLock lock(&mutex_);
      outgoing_ = std::move(answers_.front());
      answers_.pop_front();
      if (!answers_.empty()) options.set_buffer_hint();  // Many answers, one system call.
    }
    StartWrite(&outgoing_, options);
  }

  // A caller that has said all still gets what it is owed; one that is gone doesn't.
  void MaybeFinish() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      const bool over = cancelled_ || (read_ended_ && unanswered_ == 0);
      if (!over || reading_ || writing_ || finished_) return;
      finished_ = true;
    }
    Finish(grpc::Status::OK);
  }

  ConnectorApi* const connector_;
  // Until OnDone.
  const grpc::CallbackServerContext* const context_;
  // This stream's reference to itself, until OnDone.
  std::shared_ptr<ServingStream> self_;

  // In gRPC's hands while reading_ or writing_.
  ConnectorRequest incoming_;
  ConnectorResponse outgoing_;

  absl::Mutex mutex_;
  // Requests read whose answers aren't written: with the connector, in answers_, or in outgoing_.
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<ConnectorResponse> answers_ ABSL_GUARDED_BY(mutex_);
  // A read is in flight, or its message is being handed over. Unset at the bound, and at the end.
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // No more requests: the caller said so, or is gone.
  bool read_ended_ ABSL_GUARDED_BY(mutex_) = false;
  // The caller is gone.
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class GrpcConnectorService final : public internal::v1::Connector::CallbackService {
 public:
  explicit GrpcConnectorService(ConnectorApi* connector) : connector_(connector) {}

  grpc::ServerBidiReactor<ConnectorRequest, ConnectorResponse>* Exchange(
      grpc::CallbackServerContext* context) override {
    const auto stream = std::make_shared<ServingStream>(connector_, context);
    stream->Start();
    return stream.get();
  }

 private:
  ConnectorApi* const connector_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewGrpcConnectorService(ConnectorApi* connector) {
  return std::make_unique<GrpcConnectorService>(connector);
}

}  // namespace bellwire
