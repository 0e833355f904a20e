#include "connector/shard/shard_inbox.h"

#include <utility>

#include "common/limits.h"

namespace bellwire::connector {

using internal::v1::ConnectorRequest;

void ShardInbox::AddAnswer(Answer answer) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    entries_.emplace_back(std::move(answer));
  }
  WakeIfNeeded();
}

bool ShardInbox::AddRequest(ConnectorRequest request) {
  bool taken = false;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    // None passes the mark of its session: once there is one, there is no room until Take.
    // Nothing else would tell an idle session that its device was revoked: there are as many of
    // these as somebody revokes devices in a moment.
    taken = requests_ < kMaxShardRequests || request.evict().revoked();
    if (taken) {
      ++requests_;
      entries_.emplace_back(std::move(request));
    } else if (request.has_deliver() || request.has_missed()) {
      request.mutable_missed();  // In place of the message.
      const uint64_t session_id = request.route().session_id();
      marks_.insert_or_assign(session_id, std::move(request));
    }
  }
  WakeIfNeeded();
  return taken;
}

void ShardInbox::WakeIfNeeded() {
  {
    absl::MutexLock lock(&mutex_);
    if (woken_ || closed_) return;
    woken_ = true;
  }
  if (wake_()) return;
  absl::MutexLock lock(&mutex_);
  woken_ = false;
}

std::vector<ShardInbox::Entry> ShardInbox::Take() {
  absl::MutexLock lock(&mutex_);
  woken_ = false;
  requests_ = 0;
  for (auto& [session_id, mark] : marks_) entries_.emplace_back(std::move(mark));
  marks_.clear();
  return std::exchange(entries_, {});
}

void ShardInbox::Close() {
  std::vector<Entry> entries;  // Outlives the lock.
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  marks_.clear();
  entries.swap(entries_);
}

}  // namespace bellwire::connector
