#include "connector/shard/shard_inbox.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace bellwire::connector {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

void ShardInbox::AddAnswer(Answer answer) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    batch_.answers.push_back(std::move(answer));
  }
  WakeIfNeeded();
}

void ShardInbox::AddRequest(Request request) {
  ConnectorResponse::Outcome refusal = ConnectorResponse::OUTCOME_UNSPECIFIED;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) {
      refusal = ConnectorResponse::NO_SESSION;
    } else if (batch_.requests.size() < kMaxShardRequests) {
      batch_.requests.push_back(std::move(request));
    } else {
      refusal = ConnectorResponse::OVERLOADED;
      // One entry a session at most: bounded by the sessions that the registry knows of.
      const ConnectorRequest& refused = request.request;
      if (refused.has_deliver() || refused.has_missed()) {
        uint64_t& seq = batch_.missed[refused.route().session_id()];
        seq = std::max({seq, refused.deliver().message().seq(), refused.missed().seq()});
      }
    }
  }
  if (refusal != ConnectorResponse::OUTCOME_UNSPECIFIED) std::move(request.done)(refusal);
  WakeIfNeeded();
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

ShardInbox::Batch ShardInbox::Take() {
  absl::MutexLock lock(&mutex_);
  woken_ = false;
  return std::exchange(batch_, Batch());
}

void ShardInbox::Close() {
  Batch batch;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    batch = std::exchange(batch_, Batch());
  }
  for (Request& request : batch.requests) {
    std::move(request.done)(ConnectorResponse::NO_SESSION);
  }
}

}  // namespace bellwire::connector
