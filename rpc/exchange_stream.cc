#include "rpc/exchange_stream.h"

#include <utility>

#include "common/limits.h"

namespace bellwire {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

namespace {

// What this version doesn't know of can't mean that the message is taken care of.
ConnectorResponse::Outcome KnownOutcome(ConnectorResponse::Outcome outcome) {
  switch (outcome) {
    case ConnectorResponse::TAKEN:
    case ConnectorResponse::DEVICE_ACKED:
    case ConnectorResponse::OVERLOADED:
      return outcome;
    default:
      return ConnectorResponse::NO_SESSION;
  }
}

}  // namespace

std::shared_ptr<ExchangeStream> ExchangeStream::Create(internal::v1::Connector::Stub* stub,
                                                       Events events) {
  std::shared_ptr<ExchangeStream> stream(new ExchangeStream(std::move(events)));
  stream->self_ = stream;
  stub->async()->Exchange(&stream->context_, stream.get());
  stream->AddHold();
  stream->StartRead(&stream->incoming_);
  return stream;
}

void ExchangeStream::Exchange(ConnectorRequest request, ConnectorApi::ExchangeDone done) {
  bool start_writing = false;
  {
    absl::ReleasableMutexLock lock(&mutex_);
    const bool over = done_ || half_closed_;
    if (over || pending_.size() >= kMaxConnectorInFlight) {
      const auto refusal = over ? ConnectorResponse::NO_SESSION : ConnectorResponse::OVERLOADED;
      refused_ = refused_ || over;
      owes_missed_ = owes_missed_ || !over;
      lock.Release();
      std::move(done)(refusal);
      return;
    }
    const uint64_t id = next_correlation_id_++;
    request.set_correlation_id(id);
    const bool ending = read_ended_ || write_failed_;
    if (!ending && !queue_.Push(std::move(request))) {
      lock.Release();
      std::move(done)(ConnectorResponse::OVERLOADED);
      return;
    }
    pending_.emplace(id, std::move(done));
    if (ending) return;  // OnDone is near and answers.
    if (!writing_) start_writing = writing_ = true;
  }
  // Outside of the lock, which is safe because only the one who set writing_ comes here.
  if (start_writing) WriteNext();
}

bool ExchangeStream::HalfCloseIfIdle() {
  {
    absl::MutexLock lock(&mutex_);
    if (!pending_.empty() || !queue_.empty() || writing_) return false;
    if (half_closed_ || read_ended_ || write_failed_ || done_) return true;
    half_closed_ = writing_ = true;
  }
  StartWritesDone();
  return true;
}

void ExchangeStream::OnWritesDoneDone(bool) {
  bool remove_hold = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    remove_hold = read_ended_;
  }
  if (remove_hold) RemoveHold();
}

void ExchangeStream::WriteNext() {
  grpc::WriteOptions options;
  {
    absl::MutexLock lock(&mutex_);
    outgoing_ = queue_.Pop();
    // gRPC may keep this one back until the next: a busy stream writes many requests with one
    // system call.
    if (!queue_.empty()) options.set_buffer_hint();
  }
  StartWrite(&outgoing_, options);
}

void ExchangeStream::OnWriteDone(bool ok) {
  bool write_more = false;
  bool remove_hold = false;
  {
    absl::MutexLock lock(&mutex_);
    if (!ok) write_failed_ = true;
    write_more = !write_failed_ && !read_ended_ && !queue_.empty();
    if (!write_more) {
      writing_ = false;
      remove_hold = read_ended_;
    }
  }
  if (!ok) context_.TryCancel();  // So that reading ends as well.
  if (write_more) WriteNext();
  if (remove_hold) RemoveHold();
}

void ExchangeStream::OnReadInitialMetadataDone(bool ok) {
  if (ok) std::move(events_.on_opened)();
}

void ExchangeStream::OnReadDone(bool ok) {
  if (!ok) {
    bool remove_hold;
    {
      absl::MutexLock lock(&mutex_);
      read_ended_ = true;
      remove_hold = !writing_;
    }
    if (remove_hold) RemoveHold();
    return;
  }
  ConnectorApi::ExchangeDone done;
  bool tell_missed = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = pending_.find(incoming_.correlation_id());
    if (it != pending_.end()) {
      done = std::move(it->second);
      pending_.erase(it);
    }
    // Once the crowd is over, so that one such request makes up for many.
    tell_missed = owes_missed_ && pending_.size() <= kMaxConnectorInFlight / 2;
    if (tell_missed) owes_missed_ = false;
  }
  if (tell_missed) {
    ConnectorRequest missed;
    missed.mutable_missed();
    // If the stream breaks before, the connector knows as well.
    Exchange(std::move(missed), [](ConnectorResponse::Outcome) {});
  }
  // An answer that nobody waits for would be the connector's mistake; it harms nobody.
  if (done) std::move(done)(KnownOutcome(incoming_.outcome()));
  StartRead(&incoming_);
}

void ExchangeStream::OnDone(const grpc::Status& status) {
  Events events = std::move(events_);
  absl::flat_hash_map<uint64_t, ConnectorApi::ExchangeDone> unanswered;
  bool missed = false;
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
    missed = !status.ok() || refused_ || owes_missed_ || !pending_.empty() || !queue_.empty();
    unanswered.swap(pending_);
    queue_ = HandOverBuffer();
  }
  for (auto& [id, done] : unanswered) std::move(done)(ConnectorResponse::NO_SESSION);
  self_.reset();  // Perhaps the last reference: nothing of this object is touched from here on.
  std::move(events.on_ended)(status, missed);
}

}  // namespace bellwire
