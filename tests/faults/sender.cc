#include "tests/faults/sender.h"

#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bellwire::tests {
namespace {

// Well below kMaxMailboxMessagesPerApp: acknowledgements that died with a connector hold places too.
constexpr int64_t kMaxOutstanding = 40;
// A JWT is good for an hour.
constexpr absl::Duration kRenewAfter = absl::Minutes(30);
constexpr size_t kMaxRefusalsKept = 20;
// After a round in which nothing was answered OK, or nothing was to be sent.
constexpr int kPauseMs = 5;

// What a backend repeats (push.proto).
bool IsWorthRetrying(int code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         code == grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

Sender::Sender(Provider provider, std::vector<SendLane> lanes, Ledger* ledger)
    : provider_(std::move(provider)),
      lanes_(std::move(lanes)),
      ledger_(ledger),
      pending_(lanes_.size()),
      thread_([this] { Run(); }) {}

Sender::~Sender() {
  stopping_ = true;
  thread_.join();
}

bool Sender::Finish() {
  finishing_ = true;
  return finished_;
}

std::vector<std::string> Sender::refusals() const {
  absl::MutexLock lock(&mutex_);
  return refusals_;
}

void Sender::Run() {
  MonotonicTime renewed = RealClock()->Monotonic();
  while (!stopping_) {
    if (RealClock()->Monotonic() - renewed > kRenewAfter && provider_.RenewCredential().ok()) {
      renewed = RealClock()->Monotonic();
    }
    const int64_t before = accepted_;
    SendRound();
    if (accepted_ == before) poll(nullptr, 0, kPauseMs);
  }
}

void Sender::SendRound() {
  const bool finishing = finishing_;
  push::v1::SendBatchRequest batch;
  std::vector<size_t> indices;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Pending& pending = pending_[i];
    if (pending.refused) continue;
    if (pending.message_id.empty()) {
      if (finishing || taken_up_ >= allowed_) continue;
      if (ledger_->Outstanding(lanes_[i].lane) >= kMaxOutstanding) continue;
      ++taken_up_;
      pending.message_id = FormatUuid(NewMessageId());
    } else {
      ++retries_;
    }
    push::v1::SendRequest& request = *batch.add_requests();
    request.set_token(lanes_[i].token);
    request.set_message_id(pending.message_id);
    request.set_priority(push::v1::PRIORITY_HIGH);
    request.set_payload(Ledger::Payload(lanes_[i].lane, ledger_->Accepted(lanes_[i].lane) + 1));
    indices.push_back(i);
  }
  if (indices.empty()) {
    finished_ = finishing;
    return;
  }
  const auto answer = provider_.SendBatch(batch, gateway_);
  if (!answer.ok()) {
    gateway_ = 1 - gateway_;
    if (!IsWorthRetrying(static_cast<int>(answer.status().code()))) {
      for (const size_t i : indices) Refuse(i, answer.status().ToString());
    }
    return;
  }
  if (answer->results_size() != batch.requests_size()) {
    for (const size_t i : indices) Refuse(i, "a batch with too few results");
    return;
  }
  for (size_t k = 0; k < indices.size(); ++k) {
    TakeAnswer(indices[k], answer->results(static_cast<int>(k)));
  }
}

void Sender::TakeAnswer(size_t index, const push::v1::SendResult& result) {
  Pending& pending = pending_[index];
  if (result.has_error()) {
    if (!IsWorthRetrying(result.error().code())) {
      Refuse(index, absl::StrCat(result.error().reason(), ": ", result.error().message()));
    }
    return;
  }
  if (result.response().outcome() != push::v1::SendResponse::ACCEPTED ||
      result.response().message_id() != pending.message_id) {
    return Refuse(index, absl::StrCat("answered ", result.response().ShortDebugString()));
  }
  ledger_->Accept(lanes_[index].lane);
  if (result.response().duplicate()) ++duplicates_;
  pending.message_id.clear();
  ++accepted_;
}

void Sender::Refuse(size_t index, const std::string& why) {
  pending_[index].refused = true;
  absl::MutexLock lock(&mutex_);
  if (refusals_.size() < kMaxRefusalsKept) {
    refusals_.push_back(absl::StrCat("lane ", lanes_[index].lane, ": ", why));
  }
}

}  // namespace bellwire::tests
