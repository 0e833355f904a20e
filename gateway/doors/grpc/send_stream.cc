#include "gateway/doors/grpc/send_stream.h"

#include <utility>

#include "common/error.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/send/send_result.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

absl::Status GoElsewhere() {
  return ShuttingDown(
      "Open a new stream and send what was not answered again, with the same message ids.");
}

}  // namespace

SendStream* SendStream::New(const Environment& environment,
                            const grpc::CallbackServerContext& context) {
  std::shared_ptr<SendStream> stream(new SendStream(environment));
  stream->self_ = stream;
  stream->Open(context);
  return stream.get();  // gRPC calls OnDone only after it got the reactor.
}

void SendStream::Open(const grpc::CallbackServerContext& context) {
  if (!environment_.drain->Add(shared_from_this())) End(GoElsewhere());
  const absl::StatusOr<absl::string_view> jwt = BearerToken(context.client_metadata());
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
        } else {
          self->End(identity.status());
        }
        self->DoneHandling();
      });
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
          self->SendMessage();
          return;
        }
        self->End(identity.status());
        self->DoneHandling();
      });
}

void SendStream::SendMessage() {
  const uint64_t correlation_id = message_.correlation_id();
  bool abandoned = false;
  {
    absl::MutexLock lock(&mu_);
    abandoned = broken_;
    if (!abandoned) ++unanswered_;
  }
  if (abandoned) return DoneHandling();
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

void SendStream::OnDrainOver() {
  End(GoElsewhere());
  {
    absl::MutexLock lock(&mu_);
    broken_ = true;
    // The write under way keeps its result.
    while (results_.size() > (writing_ ? 1 : 0)) {
      results_.pop_back();
      --unanswered_;
    }
  }
  Proceed();
}

void SendStream::OnDone() {
  environment_.drain->Remove(this);
  const std::shared_ptr<SendStream> last = std::move(self_);
}

void SendStream::End(absl::Status why) {
  absl::MutexLock lock(&mu_);
  if (ended_) return;
  ended_ = true;
  end_ = std::move(why);
}

void SendStream::Proceed() {
  const push::v1::SendStreamResponse* write = nullptr;
  grpc::WriteOptions write_options;
  bool read = false;
  {
    absl::MutexLock lock(&mu_);
    if (!writing_ && !results_.empty()) {
      writing_ = true;
      // Stays where it is until OnWriteDone: deques don't move elements when others are added.
      write = &results_.front();
      // More follows at once, so that many results share one packet.
      if (results_.size() > 1) write_options.set_buffer_hint();
    }
    if (!reading_ && !handling_ && !ended_ && unanswered_ < kMaxSendStreamInFlight) {
      reading_ = true;
      read = true;
    }
    ++starting_;
  }
  if (write != nullptr) StartWrite(write, write_options);
  if (read) StartRead(&message_);

  absl::Status end;
  {
    absl::MutexLock lock(&mu_);
    --starting_;
    // A read may still be waiting if it was not the client that ended the stream: gRPC ends it.
    if (!ended_ || starting_ > 0 || writing_ || finished_) return;
    // Those that the engine owes us are waited for, unless nobody else does.
    if (!broken_ && (handling_ || unanswered_ > 0)) return;
    finished_ = true;
    end = end_;
  }
  Finish(ToGrpcStatus(end));
}

}  // namespace bellwire::gateway
