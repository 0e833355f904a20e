#include "gateway/receipts/receipt_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/send/registry_error.h"

namespace bellwire::gateway {

using internal::v1::ReadReceiptsResponse;

namespace {

// Some 10 µs of a thread each.
constexpr size_t kReceiptsPerTurn = 16;

}  // namespace

void ReceiptStream::Start(const Environment& environment, std::shared_ptr<RpcCall> call) {
  std::shared_ptr<ReceiptStream>(new ReceiptStream(environment, std::move(call)))->Open();
}

void ReceiptStream::Open() {
  call_->OnCancel([self = shared_from_this()] { self->End(absl::CancelledError()); });
  if (!environment_.drain->Add(shared_from_this())) {
    OnDrain();
    return;
  }
  const absl::StatusOr<absl::string_view> jwt = BearerToken(call_->metadata());
  if (!jwt.ok()) {
    End(jwt.status());
    return;
  }
  jwt_ = std::string(*jwt);
  Authenticate();
}

void ReceiptStream::Authenticate() {
  environment_.authenticate(
      jwt_, [self = shared_from_this()](absl::StatusOr<ProviderIdentity> identity) {
        if (!identity.ok()) {
          self->End(identity.status());
          return;
        }
        self->identity_ = *std::move(identity);
        {
          absl::MutexLock lock(&self->mu_);
          self->fresh_ = self->identity_;
        }
        if (absl::Status status = RequireFullAccess(self->identity_); !status.ok()) {
          return self->End(std::move(status));
        }
        if (self->begun_) {
          self->Read();
        } else {
          self->Begin();
        }
      });
}

// A client that doesn't read holds the stream up in a write.
void ReceiptStream::OnRecheck() {
  {
    absl::MutexLock lock(&mu_);
    if (ended_ || rechecking_ || !fresh_.has_value() || fresh_->IsFresh(*environment_.clock)) {
      return;
    }
    rechecking_ = true;
  }
  environment_.authenticate(
      jwt_, [self = shared_from_this()](absl::StatusOr<ProviderIdentity> identity) {
        {
          absl::MutexLock lock(&self->mu_);
          self->rechecking_ = false;
          if (identity.ok()) self->fresh_ = *identity;
        }
        if (absl::IsUnauthenticated(identity.status())) self->End(identity.status());
      });
}

void ReceiptStream::Begin() {
  begun_ = true;
  place_ = environment_.streams->TryTake(identity_.team_id);
  if (!place_.has_value()) {
    End(QuotaExceeded("streams of receipts"));
    return;
  }
  call_->Read(&request_, [self = shared_from_this()](bool ok) {
    if (ok) return self->BeginAtCursor();
    self->End(MakeError(absl::StatusCode::kInvalidArgument, "MISSING_REQUEST",
                        "The call has no request message."));
  });
}

void ReceiptStream::BeginAtCursor() {
  std::optional<FeedPositions> from;
  if (!request_.cursor().empty()) {
    absl::StatusOr<FeedPositions> positions =
        DecodeReceiptCursor(identity_.team_id, request_.cursor());
    if (!positions.ok()) {
      End(positions.status());
      return;
    }
    from = *std::move(positions);
  }
  feeds_ = FeedMerger::New(environment_.feeds, identity_.team_id, std::move(from), stream_);
  Read();
}

void ReceiptStream::Read() {
  if (ended_) return;
  // A stream may outlive its JWT and its key, and must not.
  if (!identity_.IsFresh(*environment_.clock)) {
    Authenticate();
    return;
  }
  // Not longer than the credential is known to be good.
  const absl::Duration good_for = identity_.recheck_at - environment_.clock->Monotonic();
  {
    absl::MutexLock lock(&mu_);
    asked_ = true;
  }
  feeds_->Next(std::min(kMaxReceiptWait, good_for),
               [self = shared_from_this()](absl::StatusOr<std::optional<FeedMerger::Piece>> read) {
                 self->OnRead(std::move(read));
               });
}

void ReceiptStream::OnRead(absl::StatusOr<std::optional<FeedMerger::Piece>> read) {
  if (!read.ok()) {
    End(FromRegistryError(read.status()));
    return;
  }
  positions_ = feeds_->positions();
  if (!read->has_value()) {
    piece_ = FeedMerger::Piece();
    next_ = 0;
    response_.Clear();
    response_.set_cursor(EncodeReceiptCursor(identity_.team_id, positions_));
    Write();
    return;
  }
  if ((*read)->receipts.empty()) {
    call_->Idle([self = shared_from_this()](bool ok) {
      if (ok) return self->Read();
      self->End(absl::CancelledError());
    });
    return;
  }
  piece_ = **std::move(read);
  next_ = 0;
  WriteNextInTurn();
}

void ReceiptStream::WriteNextInTurn() {
  call_->InTurn([self = shared_from_this()] {
    if (!self->ended_) self->WriteNext();
  });
}

void ReceiptStream::WriteNext() {
  internal::v1::FeedReceipt& receipt = piece_.receipts[next_++];
  const std::optional<DeviceId> device = DeviceId::FromBytes(receipt.device_id());
  const std::optional<MessageId> message = MessageId::FromBytes(receipt.message_id());
  if (!device.has_value() || (!message.has_value() && !receipt.message_id().empty())) {
    End(FromRegistryError(absl::InternalError("the registry answered a receipt of nothing")));
    return;
  }
  response_.Clear();
  response_.set_token(environment_.sealer->Seal({.device_id = *device,
                                                 .registration_id = receipt.registration_id(),
                                                 .app_tag = AppTag(receipt.app_id())}));
  if (message.has_value()) response_.set_message_id(FormatUuid(*message));
  response_.set_app_id(std::move(*receipt.mutable_app_id()));
  *response_.mutable_receipt() = std::move(*receipt.mutable_receipt());
  positions_[piece_.feed] = receipt.position();
  response_.set_cursor(EncodeReceiptCursor(identity_.team_id, positions_));
  Write();
}

void ReceiptStream::Write() {
  call_->Write(&response_, [self = shared_from_this()](bool ok) { self->OnWriteDone(ok); });
}

void ReceiptStream::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::CancelledError());
  } else if (next_ == piece_.receipts.size()) {
    Read();
  } else if (next_ % kReceiptsPerTurn == 0) {
    WriteNextInTurn();
  } else {
    WriteNext();
  }
}

void ReceiptStream::OnDrain() { End(ShuttingDown("Watch again, from the last cursor.")); }

void ReceiptStream::End(absl::Status why) {
  if (ended_.exchange(true)) return;
  // First: who hears of the end may count on it.
  GiveBack();
  call_->Finish(std::move(why));
}

void ReceiptStream::GiveBack() {
  internal::v1::ReadReceiptsRequest request;
  {
    absl::MutexLock lock(&mu_);
    if (!asked_) return;
    request.set_team_id(fresh_->team_id);
  }
  request.set_stream(stream_);
  request.set_stream_ended(true);
  // If it gets lost, the registry forgets the stream in its own time.
  environment_.feeds->ReadReceipts(std::move(request),
                                   [](const absl::StatusOr<ReadReceiptsResponse>&) {});
}

}  // namespace bellwire::gateway
