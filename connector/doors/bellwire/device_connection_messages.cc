// What DeviceConnection does with messages: takes them from hand-overs and pages, and sends them
// when their turn has come. The rest of it is in device_connection.cc.

#include <utility>

#include "common/error.h"
#include "connector/doors/bellwire/device_connection.h"
#include "connector/doors/bellwire/frames.h"
#include "rpc/priority.h"

namespace bellwire::connector {

using internal::v1::ConnectorRequest;
using internal::v1::Envelope;
using internal::v1::HandedOverRequest;

bool DeviceConnection::HandOver(const ConnectorRequest& request) {
  const bool is_session = state_ == ConnectionState::kBinding || IsBound();
  if (!is_session || request.device_id() != device_id_.bytes()) return false;
  // Another owns the device since, and may have taken back what this one still hands over.
  if (request.epoch() < epoch_) return true;
  if (request.has_deliver() && request.epoch() > epoch_) MeetNewOwner();
  switch (request.body_case()) {
    case ConnectorRequest::kDeliver:
      // It waits in its mailbox for the session to come.
      if (state_ == ConnectionState::kDraining) return false;
      // None comes before the answer to Bind.
      if (state_ == ConnectionState::kActive) Deliver(request.deliver().message());
      return true;
    case ConnectorRequest::kEvict:
      Evict(request.evict());
      return true;
    case ConnectorRequest::kRecall:
      if (state_ == ConnectionState::kActive) {
        std::string frame;
        AppendRecall(request.recall(), &frame);
        Send(frame);
      }
      return true;
    case ConnectorRequest::kMissed:
      order_.FallBehind();
      PullIfWanted();
      return true;
    case ConnectorRequest::BODY_NOT_SET:
      return true;  // Of a later version: nothing that this session could do.
  }
  return true;
}

// What the owner before has still on its way comes later, or never: the mailbox has it.
void DeviceConnection::MeetNewOwner() {
  if (state_ != ConnectionState::kActive || order_.suspended()) return;
  order_.Suspend();
  Resume();
}

void DeviceConnection::Deliver(const Envelope& message) {
  std::string frames;
  if (IsNowOrNever(message)) {
    DeliverNowOrNever(message, &frames);
  } else {
    order_.Offer(message, [&](const Envelope& m) { return TransmitInTurn(m, &frames); });
  }
  Send(frames);
  PullIfWanted();
}

void DeviceConnection::DeliverNowOrNever(const Envelope& message, std::string* frames) {
  // A repeated Send: the device's word is awaited already.
  if (window_.IsUnacked(message.seq())) return;
  if (!window_.HasRoomForNowOrNever()) {
    return TellOutcome(message.seq(), HandedOverRequest::NOT_TAKEN);
  }
  Transmit(message, frames);
  order_.OpenForNormal();
}

void DeviceConnection::TellOutcome(uint64_t seq, HandedOverRequest::Outcome outcome) {
  HandedOverRequest request;
  request.set_device_id(std::string(device_id_.bytes()));
  *request.mutable_route() = MyRoute();
  request.set_seq(seq);
  request.set_outcome(outcome);
  host_->HandedOver(std::move(request));
}

bool DeviceConnection::TransmitInTurn(const Envelope& message, std::string* frames) {
  if (!window_.HasRoom(message.payload().size())) return false;
  if (PriorityOf(message) == push::v1::PRIORITY_HIGH) order_.OpenForNormal();
  Transmit(message, frames);
  return true;
}

void DeviceConnection::Transmit(const Envelope& message, std::string* frames) {
  if (context_->counters != nullptr) context_->counters->pushes.Add();
  window_.Add(message.seq(), message.payload().size(), WallNowMs(*context_->clock),
              IsNowOrNever(message));
  if (report_deadline_ == kNever) {
    report_deadline_ = Now() + kReportSentAfter;
    Rearm();
  }
  AppendEnvelope(message, frames);
}

void DeviceConnection::PullIfWanted() {
  if (state_ != ConnectionState::kActive) return;
  order_.CloseIfThrough();
  LimitNormalWait();
  if (retry_deadline_ != kNever || !window_.HasRoomForPage() || !order_.wants_pull()) return;
  internal::v1::PullRequest pull;
  pull.set_device_id(std::string(device_id_.bytes()));
  order_.StartPull(&pull);
  pull.set_max_bytes(window_.free_bytes());
  pull.set_max_messages(window_.free_messages());
  host_->Pull(std::move(pull));
}

void DeviceConnection::OnPulled(absl::StatusOr<internal::v1::PullResponse> response) {
  if (state_ != ConnectionState::kActive || !order_.pulling()) return;
  if (response.ok() && response->epoch() < epoch_) {
    response = absl::UnavailableError("it is no owner of the device any more");
  }
  if (EndIfRevoked(response.status())) return;
  if (!response.ok()) {
    if (!IsTransient(response.status())) {
      return Overloaded(absl::StrCat("no Pull: ", response.status().message()));
    }
    order_.PullFailed();
    return RegistryFailed();
  }
  std::string frames;
  order_.FinishPull(response->page(),
                    [&](const Envelope& message) { return TransmitInTurn(message, &frames); });
  RegistryTook();
  Send(frames);
  PullIfWanted();
}

void DeviceConnection::LimitNormalWait() {
  if (!order_.has_waiting_normal()) {
    normal_deadline_ = kNever;
  } else if (normal_deadline_ == kNever) {
    normal_deadline_ = Now() + kMaxNormalWait;
    Rearm();
  }
}

void DeviceConnection::Evict(const internal::v1::Evict& evict) {
  if (state_ != ConnectionState::kBinding && !IsBound()) return;
  if (evict.revoked()) return Revoked();
  // This session may be the newer one.
  if (login_number_ <= evict.winning_login_number()) Replaced(evict.winning_login_number());
}

// --- The stream to the registry. ---

void DeviceConnection::OnRegistryLost() {
  if (state_ == ConnectionState::kActive) order_.Suspend();
}

void DeviceConnection::Resume() {
  if (state_ != ConnectionState::kActive || !order_.suspended()) return;
  internal::v1::ResumeRequest resume;
  resume.set_device_id(std::string(device_id_.bytes()));
  *resume.mutable_route() = MyRoute();
  // An answer under way may tell of another.
  if (pending_app_requests_ == 0) resume.set_registrations_tag(registrations_tag_);
  resume.set_after_seq(order_.seen_up_to());
  host_->Resume(std::move(resume));
}

void DeviceConnection::OnResumed(const absl::StatusOr<internal::v1::ResumeResponse>& response) {
  if (state_ != ConnectionState::kActive || !order_.suspended()) return;
  if (ErrorReason(response.status()) == "STALE_LOGIN") {
    return Replaced(WinningLoginNumber(response.status()));
  }
  if (EndIfRevoked(response.status())) return;
  if (!response.ok() && !IsTransient(response.status())) {
    return Overloaded(absl::StrCat("no Resume: ", response.status().message()));
  }
  if (!response.ok() || response->epoch() < epoch_) return RegistryFailed();
  epoch_ = response->epoch();
  order_.Resume(response->behind());
  // What failed before failed with the stream.
  retry_deadline_ = kNever;
  RegistryTook();
}

}  // namespace bellwire::connector
