#include "rpc/grpc_connector_client.h"

#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "common/limits.h"
#include "common/log.h"
#include "grpc/support/time.h"
#include "grpcpp/alarm.h"
#include "rpc/credentials.h"
#include "rpc/dial_backoff.h"
#include "rpc/exchange_stream.h"

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

// A connector in another process: its stream, or the wait before the next one. Thread-safe.
//
// It outlives its streams, because the directory forgets it only while it has none. A stream holds
// the channel, and the last channel of a process must not die on one of gRPC's own threads: it
// would wait for that thread (CompletionQueue::ReleaseCallbackAlternativeCQ). Therefore a stream
// counts as live until nothing of it is left, and the channel goes with AwaitEnd. No callback and
// no gRPC operation runs under the lock.
class RemoteConnector final : public ConnectorApi {
 public:
  RemoteConnector(std::string address, const InternalCredentials& credentials, const Clock* clock)
      : address_(std::move(address)),
        clock_(clock),
        stub_(internal::v1::Connector::NewStub(
            NewInternalChannel(address_, credentials, Role::kConnector))),
        backoff_(clock),
        last_used_(clock->Monotonic()) {}

  void Exchange(ConnectorRequest request, ExchangeDone done) override {
    if (const std::shared_ptr<ExchangeStream> stream = FindOrDial()) {
      stream->Exchange(std::move(request), std::move(done));
    } else {
      NoteMissed();
      std::move(done)(ConnectorResponse::NO_SESSION);
    }
  }

  // Closes the stream if nothing was asked for kConnectorIdle and nothing is unanswered. True if
  // there is nothing to close (any more).
  bool CloseIfIdle() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<ExchangeStream> idle;
    {
      absl::MutexLock lock(&mutex_);
      if (clock_->Monotonic() - last_used_ < kConnectorIdle) return false;
      if (stream_ == nullptr) return live_ == 0;
      idle = stream_;
    }
    // Whoever finds it between these two is refused, which OnEnded makes up for.
    if (!idle->HalfCloseIfIdle()) return false;
    absl::MutexLock lock(&mutex_);
    if (stream_ == idle) stream_ = nullptr;
    return false;
  }

  // From now on every answer is NO_SESSION, and soon there is no stream.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<ExchangeStream> stream;
    std::unique_ptr<grpc::Alarm> redial;  // Cancelled by its destructor.
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
      stream = std::move(stream_);
      stream_ = nullptr;
      redial = std::move(redial_);
    }
    if (stream != nullptr) stream->Cancel();
  }

  // Waits until the last stream has ended, and lets go of the channel. REQUIRES: Close was called.
  void AwaitEnd() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* live) { return *live == 0; }, &live_));
    stub_.reset();
  }

 private:
  // Null while backing off, and after Close.
  std::shared_ptr<ExchangeStream> FindOrDial() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      last_used_ = clock_->Monotonic();
    }
    return Dial();
  }

  std::shared_ptr<ExchangeStream> Dial() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<ExchangeStream> stream;
    {
      absl::MutexLock lock(&mutex_);
      if (stream_ != nullptr || closed_ || !backoff_.MayDial()) return stream_;
      stream_ = ExchangeStream::Create(
          stub_.get(), {.on_opened = [this] { OnOpened(); },
                        .on_ended = [this, number = ++last_stream_number_](
                                        const grpc::Status& status,
                                        bool missed) { OnEnded(number, status, missed); }});
      ++live_;
      stream = stream_;
    }
    stream->Dial();
    return stream;
  }

  void TellMissed(ExchangeStream* stream) ABSL_LOCKS_EXCLUDED(mutex_) {
    ConnectorRequest request;
    request.mutable_missed();
    // Answered before the stream counts as ended, so `this` is there.
    stream->Exchange(std::move(request), [this](ConnectorResponse::Outcome outcome) {
      if (outcome != ConnectorResponse::TAKEN) return;
      absl::MutexLock lock(&mutex_);
      missed_ = false;
    });
  }

  // The connector can't know of a request that never left: it has to be told, as soon as it can be
  // reached, even if no other request comes.
  void NoteMissed() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    missed_ = true;
    ArmRedial();
  }

  // Setting an alarm for later calls nothing back, so it may be done under the lock.
  void ArmRedial() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!missed_ || closed_ || redial_ != nullptr) return;
    ++live_;
    redial_ = std::make_unique<grpc::Alarm>();
    redial_->Set(gpr_time_from_millis(absl::ToInt64Milliseconds(kConnectorDialMax), GPR_TIMESPAN),
                 [this](bool due) { OnRedial(due); });
  }

  // `due`: not cancelled.
  void OnRedial(bool due) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::unique_ptr<grpc::Alarm> over;  // Destroyed outside of the lock.
    std::shared_ptr<ExchangeStream> stream;
    bool again = false;
    {
      absl::MutexLock lock(&mutex_);
      over = std::move(redial_);
      redial_ = nullptr;
      stream = stream_;
      // A connector that is away for so long has lost its sessions, or is not ours any more.
      again = due && !closed_ && missed_ && clock_->Monotonic() - last_used_ < kConnectorIdle;
    }
    if (again && stream != nullptr) TellMissed(stream.get());
    if (again && stream == nullptr) Dial();
    stream.reset();
    over.reset();
    absl::MutexLock lock(&mutex_);
    if (again) ArmRedial();
    --live_;  // Now this may be destroyed.
  }

  void OnOpened() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<ExchangeStream> told;
    {
      absl::MutexLock lock(&mutex_);
      backoff_.OnOpened();
      failing_ = false;
      if (missed_) told = stream_;
    }
    LogInfo("connector_stream_opened", {{"address", address_}});
    if (told != nullptr) TellMissed(told.get());
  }

  void OnEnded(uint64_t number, const grpc::Status& status, bool missed)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    bool log = false;
    {
      std::shared_ptr<ExchangeStream> ended;  // Destroyed outside of the lock.
      absl::MutexLock lock(&mutex_);
      // Otherwise it was closed on purpose, and perhaps there is another by now.
      if (stream_ != nullptr && number == last_stream_number_) {
        ended = std::move(stream_);
        stream_ = nullptr;
        // CloseIfIdle ends it in good order, and may not have got round to forgetting it.
        if (!status.ok()) {
          backoff_.OnEnded();
          log = !std::exchange(failing_, true);
        }
      }
    }
    if (log) {
      LogWarning("connector_stream_broke", {{"address", address_},
                                            {"code", status.error_code()},
                                            {"message", status.error_message()}});
    }
    if (missed) NoteMissed();
    absl::MutexLock lock(&mutex_);
    --live_;  // Now this may be destroyed.
  }

  const std::string address_;
  const Clock* const clock_;

  absl::Mutex mutex_;
  // Null after AwaitEnd.
  std::unique_ptr<internal::v1::Connector::Stub> stub_ ABSL_GUARDED_BY(mutex_);
  DialBackoff backoff_ ABSL_GUARDED_BY(mutex_);
  MonotonicTime last_used_ ABSL_GUARDED_BY(mutex_);
  // The stream in use; null if there is none. Its end is reported with its number.
  std::shared_ptr<ExchangeStream> stream_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_stream_number_ ABSL_GUARDED_BY(mutex_) = 0;
  // A delivery was refused, or was unanswered when the stream broke; the connector does not know.
  bool missed_ ABSL_GUARDED_BY(mutex_) = false;
  // Dials again, to say so, though nobody asks. Set while missed_.
  std::unique_ptr<grpc::Alarm> redial_ ABSL_GUARDED_BY(mutex_);
  // Streams of which anything is left, with those that were closed a moment ago, and alarms that
  // have not gone off.
  int live_ ABSL_GUARDED_BY(mutex_) = 0;
  // The last attempt failed, and the log knows.
  bool failing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

class GrpcConnectorDirectory final : public ConnectorDirectory {
 public:
  GrpcConnectorDirectory(InternalCredentials credentials, std::string local_address,
                         ConnectorApi* local, const Clock* clock)
      : credentials_(std::move(credentials)),
        local_address_(std::move(local_address)),
        local_(std::shared_ptr<void>(), local),
        clock_(clock),
        last_sweep_(clock->Monotonic()) {}

  ~GrpcConnectorDirectory() override {
    absl::flat_hash_map<std::string, std::shared_ptr<RemoteConnector>> connectors;
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
      connectors.swap(connectors_);
    }
    // Outside of the lock: callbacks that are answered now may still look around.
    for (const auto& [address, connector] : connectors) connector->Close();
    for (const auto& [address, connector] : connectors) connector->AwaitEnd();
  }

  std::shared_ptr<ConnectorApi> Find(absl::string_view address) override {
    if (local_ != nullptr && address == local_address_) return local_;
    absl::MutexLock lock(&mutex_);
    if (closed_) {
      auto nobody = std::make_shared<RemoteConnector>(std::string(address), credentials_, clock_);
      nobody->Close();
      return nobody;
    }
    Sweep();
    std::shared_ptr<RemoteConnector>& connector = connectors_[address];
    if (connector == nullptr) {
      connector = std::make_shared<RemoteConnector>(std::string(address), credentials_, clock_);
    }
    return connector;
  }

 private:
  // Forgets the connectors that nobody needs, now and then.
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const MonotonicTime now = clock_->Monotonic();
    if (now - last_sweep_ < kConnectorIdle / 4) return;
    last_sweep_ = now;
    for (auto it = connectors_.begin(); it != connectors_.end();) {
      // A count of one is the map's own: only Find, which has the lock, could make it two. What a
      // caller holds on to is kept, so that there is never a second stream to one connector.
      if (it->second->CloseIfIdle() && it->second.use_count() == 1) {
        connectors_.erase(it++);
      } else {
        ++it;
      }
    }
  }

  const InternalCredentials credentials_;
  const std::string local_address_;
  const std::shared_ptr<ConnectorApi> local_;  // Not owned.
  const Clock* const clock_;

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<RemoteConnector>> connectors_
      ABSL_GUARDED_BY(mutex_);
  MonotonicTime last_sweep_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<ConnectorDirectory> NewConnectorDirectory(InternalCredentials credentials,
                                                          std::string local_address,
                                                          ConnectorApi* local, const Clock* clock) {
  return std::make_unique<GrpcConnectorDirectory>(std::move(credentials), std::move(local_address),
                                                  local, clock);
}

}  // namespace bellwire
