#ifndef BELLWIRE_CONNECTOR_SHARD_SHARD_INBOX_H_
#define BELLWIRE_CONNECTOR_SHARD_SHARD_INBOX_H_

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "rpc/connector_api.h"

namespace bellwire::connector {

// What other threads have for a shard's thread. Answers of the registry are never refused: a
// connection waits for them, and there are no more than it asked for. Requests are bounded and
// refused beyond; of a refused delivery the inbox keeps a note, so that its session fetches the
// message from the mailbox although it is not handed over again.
//
// Thread-safe. Shared with threads that may outlive the shard: after Close nothing gets through,
// and whoever waits is answered NO_SESSION.
class ShardInbox {
 public:
  using Answer = absl::AnyInvocable<void() &&>;
  struct Request {
    internal::v1::ConnectorRequest request;
    ConnectorApi::ExchangeDone done;
  };
  struct Batch {
    std::vector<Answer> answers;
    std::vector<Request> requests;
    // Session id → the greatest seq whose delivery was refused.
    absl::flat_hash_map<uint64_t, uint64_t> missed;
  };

  // `wake` makes the shard's thread call Take soon, or says that it can't: then it is asked again
  // with the next entry. Called on any thread, with no lock held.
  explicit ShardInbox(absl::AnyInvocable<bool() const> wake) : wake_(std::move(wake)) {}
  ShardInbox(const ShardInbox&) = delete;
  ShardInbox& operator=(const ShardInbox&) = delete;

  void AddAnswer(Answer answer);
  // Answers OVERLOADED at once if kMaxShardRequests wait, NO_SESSION after Close.
  void AddRequest(Request request);

  // Everything that came since the last call.
  Batch Take();
  // From now on nothing gets in.
  void Close();

 private:
  void WakeIfNeeded();

  const absl::AnyInvocable<bool() const> wake_;
  absl::Mutex mutex_;
  Batch batch_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SHARD_INBOX_H_
