#ifndef BELLWIRE_RPC_EXCHANGE_STREAM_H_
#define BELLWIRE_RPC_EXCHANGE_STREAM_H_

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "rpc/connector_api.h"
#include "rpc/hand_over_buffer.h"

namespace bellwire {

// The calling end of one Connector.Exchange stream, from Dial to the end: numbers requests, keeps
// one write in flight and the rest in order behind it, and gives each answer to the request it
// belongs to. When the stream ends, whatever is unanswered ends as NO_SESSION.
//
// It owns itself until gRPC is done with it; whoever else holds a reference may go on calling.
// Thread-safe. Callbacks run on gRPC's threads, or inside Exchange, never under a lock of this
// class.
class ExchangeStream final : public grpc::ClientBidiReactor<internal::v1::ConnectorRequest,
                                                            internal::v1::ConnectorResponse> {
 public:
  // Both are called at most once, `on_ended` always and last: after every ExchangeDone, and after
  // the stream has let go of itself. Neither may block.
  struct Events {
    absl::AnyInvocable<void() &&> on_opened;
    // `missed`: the connector may lack something that it could not know of if the stream ended in
    // good order.
    absl::AnyInvocable<void(const grpc::Status& status, bool missed) &&> on_ended;
  };

  // `stub` must live until `on_ended`. Nothing happens before Dial.
  static std::shared_ptr<ExchangeStream> Create(internal::v1::Connector::Stub* stub, Events events);

  // Starts the call. To be called exactly once; Exchange may come before it.
  void Dial() { StartCall(); }

  // As ConnectorApi::Exchange. OVERLOADED beyond kMaxConnectorInFlight unanswered requests and
  // where HandOverBuffer has no room, NO_SESSION once the stream has ended.
  void Exchange(internal::v1::ConnectorRequest request, ConnectorApi::ExchangeDone done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the stream soon.
  void Cancel() { context_.TryCancel(); }
  // Ends an idle stream in good order, so that the connector knows that nothing got lost. What
  // comes later is answered NO_SESSION. False if it is not idle: then nothing happens.
  bool HalfCloseIfIdle() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit ExchangeStream(Events events) : events_(std::move(events)) {}

  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnWritesDoneDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  // Sends the head of the queue. REQUIRES: the caller has set writing_, or keeps it set.
  void WriteNext() ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::ClientContext context_;
  Events events_;
  // This stream's reference to itself, until OnDone.
  std::shared_ptr<ExchangeStream> self_;

  // In gRPC's hands from StartRead to OnReadDone, and from StartWrite to OnWriteDone.
  internal::v1::ConnectorResponse incoming_;
  internal::v1::ConnectorRequest outgoing_;

  mutable absl::Mutex mutex_;
  // The unanswered requests, sent or not.
  absl::flat_hash_map<uint64_t, ConnectorApi::ExchangeDone> pending_ ABSL_GUARDED_BY(mutex_);
  HandOverBuffer queue_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_correlation_id_ ABSL_GUARDED_BY(mutex_) = 1;
  // A StartWrite is, or is about to be, in flight: who set it is the only one to call it. Writes
  // are started from outside of gRPC's reactions, so the stream has a hold; it is removed when
  // reading has ended and no write is in flight, after which none is started.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_failed_ ABSL_GUARDED_BY(mutex_) = false;
  // It was idle, and nothing is written any more.
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  // OVERLOADED was answered, and the connector does not know that it missed something.
  bool owes_missed_ ABSL_GUARDED_BY(mutex_) = false;
  // Something came after that.
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_EXCHANGE_STREAM_H_
