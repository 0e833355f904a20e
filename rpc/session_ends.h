#ifndef BELLWIRE_RPC_SESSION_ENDS_H_
#define BELLWIRE_RPC_SESSION_ENDS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "rpc/connector_api.h"
#include "rpc/hand_over_buffer.h"
#include "rpc/registry_api.h"

// The two ends of a stream between a connector and a registry (Session.Attach in internal.proto),
// apart from what carries it: gRPC (grpc_session_client.h, grpc_session_server.h) or a simulated
// network. What carries it takes frames from Next in order, and gives them to the other end in that
// order: so answers and hand-overs arrive in the order of the registry's commits.
namespace bellwire {

// Each method of SessionApi with its field of SessionRequest and SessionEvent.
#define BELLWIRE_SESSION_FRAMES(X) \
  X(Bind, bind)                    \
  X(Unbind, unbind)                \
  X(Pull, pull)                    \
  X(Ack, ack)                      \
  X(AppAck, app_ack)               \
  X(ReportSent, report_sent)       \
  X(RegisterApp, register_app)     \
  X(RemoveApp, remove_app)         \
  X(Resume, resume)                \
  X(HandedOver, handed_over)

// The connector's end of one stream, which begins with Attach. Calls beyond kMaxRegistryQueue
// unanswered ones end with RESOURCE_EXHAUSTED OVERLOADED, those of a stream that has ended with
// UNAVAILABLE REGISTRY_UNAVAILABLE; both carry RetryInfo.
//
// Thread-safe; OnEvent is for one thread at a time. Nothing is called back under a lock.
class SessionCaller final : public SessionApi {
 public:
  // `wake` is called when Next has something that it had not before; on any thread. `connector` is
  // handed over to; it must outlive this object.
  SessionCaller(const internal::v1::Attach& attach, ConnectorApi* connector,
                absl::AnyInvocable<void() const> wake);

  BELLWIRE_SESSION_METHODS(BELLWIRE_OVERRIDE)

  // The next frame to write; nullopt: there is none.
  std::optional<internal::v1::SessionRequest> Next() ABSL_LOCKS_EXCLUDED(mutex_);
  bool has_next() const ABSL_LOCKS_EXCLUDED(mutex_);
  // A frame has come.
  void OnEvent(internal::v1::SessionEvent event) ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream has ended: answers what is unanswered, and all that is called from now on.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using OnAnswer = absl::AnyInvocable<void(absl::StatusOr<internal::v1::SessionEvent>) &&>;

  void Call(internal::v1::SessionRequest request, OnAnswer on_answer) ABSL_LOCKS_EXCLUDED(mutex_);

  ConnectorApi* const connector_;
  const absl::AnyInvocable<void() const> wake_;

  mutable absl::Mutex mutex_;
  std::deque<internal::v1::SessionRequest> queue_ ABSL_GUARDED_BY(mutex_);
  // In the order of the calls, in which they are answered when the stream ends.
  absl::btree_map<uint64_t, OnAnswer> unanswered_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// The registry's end of one stream. Shared with the calls that it has made, whose answers may come
// late: nothing becomes of them after End.
//
// Thread-safe; OnRequest is for one thread at a time.
class SessionServer final : public std::enable_shared_from_this<SessionServer> {
 public:
  // `wake` as above. `registry` must outlive OnRequest. `max_bytes` as HandOverBuffer has it.
  SessionServer(SessionApi* registry, absl::AnyInvocable<void() const> wake,
                size_t max_bytes = HandOverBuffer::kMaxHandOverBytes);

  // A frame has come, not an Attach.
  void OnRequest(internal::v1::SessionRequest request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Requests that came and whose answers Next has not given. Who carries the stream bounds them: it
  // takes no frame while there are kMaxConnectorInFlight.
  size_t unanswered() const ABSL_LOCKS_EXCLUDED(mutex_);

  // As ConnectorApi::HandOver.
  bool HandOver(internal::v1::ConnectorRequest request) ABSL_LOCKS_EXCLUDED(mutex_);

  std::optional<internal::v1::SessionEvent> Next() ABSL_LOCKS_EXCLUDED(mutex_);
  bool has_next() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream has ended: what waits is dropped, and so is all that comes.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // False: dropped.
  bool Push(internal::v1::SessionEvent event) ABSL_LOCKS_EXCLUDED(mutex_);

  SessionApi* const registry_;
  const absl::AnyInvocable<void() const> wake_;

  mutable absl::Mutex mutex_;
  HandOverBuffer buffer_ ABSL_GUARDED_BY(mutex_);
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_SESSION_ENDS_H_
