#include "gateway/doors/grpc/send_stream.h"

#include <utility>

#include "common/error.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/call/call_trace.h"
#include "gateway/send/registry_error.h"
#include "gateway/send/send_result.h"

namespace bellwire::gateway {
namespace {

absl::Status GoElsewhere() {
  return ShuttingDown(
      "Open a new stream and send what was not answered again, with the same message ids.");
}

}  // namespace

void SendStream::Start(const Environment& environment, std::shared_ptr<RpcCall> call) {
  std::shared_ptr<SendStream>(new SendStream(environment, std::move(call)))->Open();
}

void SendStream::Open() {
  if (!environment_.drain->Add(shared_from_this())) End(GoElsewhere());
  const absl::StatusOr<absl::string_view> jwt = BearerToken(call_->metadata());
  if (!jwt.ok()) {
    End(jwt.status());
    DoneHandling();
    return;
  }
  jwt_ = std::string(*jwt);
  environment_.authenticator->Authenticate(
      jwt_, [self = shared_from_this()](absl::StatusOr<ProviderIdentity> identity) {
        if (identity.ok()) {
          self->identity_ = *std::move(identity);
          self->NoteFresh(self->identity_);
          self->TakePlace();
        } else {
          self->End(identity.status());
        }
        self->DoneHandling();
      });
}

void SendStream::NoteFresh(const ProviderIdentity& identity) {
  absl::MutexLock lock(&mu_);
  fresh_ = identity;
}

// A stream on which nothing is sent has nobody else to ask.
void SendStream::OnRecheck() {
  {
    absl::MutexLock lock(&mu_);
    if (ended_ || rechecking_ || !fresh_.has_value() || fresh_->IsFresh(*environment_.clock)) {
      return;
    }
    rechecking_ = true;
  }
  environment_.authenticator->Authenticate(
      jwt_, [self = shared_from_this()](absl::StatusOr<ProviderIdentity> identity) {
        {
          absl::MutexLock lock(&self->mu_);
          self->rechecking_ = false;
          if (identity.ok()) self->fresh_ = *identity;
        }
        // A registry that doesn't answer has said nothing about the credential.
        if (!absl::IsUnauthenticated(identity.status())) return;
        self->End(identity.status());
        self->Proceed();
      });
}

void SendStream::TakePlace() {
  place_ = environment_.streams->TryTake(identity_.team_id);
  if (!place_.has_value()) End(QuotaExceeded("streams of Sends"));
}

void SendStream::OnReadDone(bool ok) {
  bool handle = false;
  {
    absl::MutexLock lock(&mu_);
    reading_ = false;
    handle = ok && !ended_;
    handling_ = handle;
    if (!ok) ended_ = true;
  }
  if (handle) {
    HandleMessage();
  } else {
    Proceed();
  }
}

// A stream may outlive its JWT and its key, and must not: every message is from somebody who may
// send now.
void SendStream::HandleMessage() {
  if (identity_.IsFresh(*environment_.clock)) {
    SendMessage();
    return;
  }
  environment_.authenticator->Authenticate(
      jwt_, [self = shared_from_this()](absl::StatusOr<ProviderIdentity> identity) {
        if (identity.ok()) {
          self->identity_ = *std::move(identity);
          self->NoteFresh(self->identity_);
          self->SendMessage();
          return;
        }
        self->End(identity.status());
        self->DoneHandling();
      });
}

void SendStream::SendMessage() {
  const uint64_t correlation_id = message_.correlation_id();
  {
    absl::MutexLock lock(&mu_);
    ++unanswered_;
  }
  TakeCallTrace(call_->metadata(), message_.mutable_request());
  environment_.engine->Send(
      identity_.team_id, std::move(*message_.mutable_request()),
      [self = shared_from_this(), correlation_id](absl::StatusOr<push::v1::SendResponse> result) {
        self->OnResult(correlation_id, std::move(result));
      });
  DoneHandling();
}

void SendStream::DoneHandling() {
  {
    absl::MutexLock lock(&mu_);
    handling_ = false;
  }
  Proceed();
}

void SendStream::OnResult(uint64_t correlation_id, absl::StatusOr<push::v1::SendResponse> result) {
  push::v1::SendStreamResponse response;
  response.set_correlation_id(correlation_id);
  *response.mutable_result() = ToSendResult(std::move(result));
  {
    absl::MutexLock lock(&mu_);
    if (broken_) {
      --unanswered_;
    } else {
      results_.push_back(std::move(response));
    }
  }
  Proceed();
}

void SendStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    results_.pop_front();
    --unanswered_;
    if (!ok) {
      broken_ = true;
      ended_ = true;
      unanswered_ -= results_.size();
      results_.clear();
    }
  }
  Proceed();
}

void SendStream::OnDrain() {
  End(GoElsewhere());
  Proceed();
}

void SendStream::End(absl::Status why) {
  absl::MutexLock lock(&mu_);
  if (ended_) return;
  ended_ = true;
  end_ = std::move(why);
}

void SendStream::Proceed() {
  const push::v1::SendStreamResponse* write = nullptr;
  bool read = false;
  bool finish = false;
  absl::Status end;
  {
    absl::MutexLock lock(&mu_);
    if (!writing_ && !results_.empty()) {
      writing_ = true;
      // Stays where it is until OnWriteDone: deques don't move elements when others are added.
      write = &results_.front();
    }
    if (!reading_ && !handling_ && !ended_ && unanswered_ < kMaxSendStreamInFlight &&
        results_.size() < kMaxResultsWaiting) {
      reading_ = true;
      read = true;
    }
    // A read may still be waiting if it was not the client that ended the stream: the call ends it.
    finish = ended_ && !handling_ && !writing_ && unanswered_ == 0;
    end = end_;
  }
  if (write != nullptr) {
    call_->Write(write, [self = shared_from_this()](bool ok) { self->OnWriteDone(ok); });
  }
  if (read) {
    call_->Read(&message_, [self = shared_from_this()](bool ok) { self->OnReadDone(ok); });
  }
  if (finish) call_->Finish(std::move(end));
}

}  // namespace bellwire::gateway
