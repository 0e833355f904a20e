#ifndef BELLWIRE_CONNECTOR_SHARD_SHARD_INBOX_H_
#define BELLWIRE_CONNECTOR_SHARD_SHARD_INBOX_H_

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.pb.h"

namespace bellwire::connector {

// What other threads have for a shard's thread, in the order in which it came: answers of the
// registry, and what it hands over. Answers are never refused: a connection waits for them, and
// there are no more than it asked for. Hand-overs are bounded and refused beyond; a session whose
// delivery was refused gets a mark (Missed) behind all that waits, and so fetches the message from
// the mailbox although it is not handed over again.
//
// Thread-safe. Shared with threads that may outlive the shard: after Close nothing gets through.
class ShardInbox {
 public:
  using Answer = absl::AnyInvocable<void() &&>;
  using Entry = std::variant<Answer, internal::v1::ConnectorRequest>;

  // `wake` makes the shard's thread call Take soon, or says that it can't: then it is asked again
  // with the next entry. Called on any thread, with no lock held.
  explicit ShardInbox(absl::AnyInvocable<bool() const> wake) : wake_(std::move(wake)) {}
  ShardInbox(const ShardInbox&) = delete;
  ShardInbox& operator=(const ShardInbox&) = delete;

  void AddAnswer(Answer answer);
  // As ConnectorApi::HandOver: false if kMaxShardRequests wait, and after Close.
  bool AddRequest(internal::v1::ConnectorRequest request);

  // Everything that came since the last call.
  std::vector<Entry> Take();
  // From now on nothing gets in.
  void Close();

 private:
  void WakeIfNeeded();

  const absl::AnyInvocable<bool() const> wake_;
  absl::Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  // How many of them are hand-overs.
  size_t requests_ ABSL_GUARDED_BY(mutex_) = 0;
  // By session id: at most one for each that the registry knows of.
  absl::btree_map<uint64_t, internal::v1::ConnectorRequest> marks_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SHARD_INBOX_H_
