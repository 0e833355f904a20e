#include "tests/faults/sender.h"

#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bellwire::tests {
namespace {

// Well below kMaxMailboxMessagesPerApp: acknowledgements that died with a connector hold places
// too.
constexpr int64_t kMaxOutstanding = 40;
// A JWT is good for an hour.
constexpr absl::Duration kRenewAfter = absl::Minutes(30);
constexpr size_t kMaxRefusalsKept = 20;
// After a round in which nothing was answered OK, or nothing was to be sent.
constexpr int kPauseMs = 5;

}  // namespace

Sender::Sender(std::unique_ptr<SendTransport> transport, std::vector<SendLane> lanes,
               Ledger* ledger)
    : transport_(std::move(transport)),
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
    if (RealClock()->Monotonic() - renewed > kRenewAfter) {
      transport_->RenewCredential();
      renewed = RealClock()->Monotonic();
    }
    const int64_t before = accepted_;
    SendRound();
    if (accepted_ == before) poll(nullptr, 0, kPauseMs);
  }
}

void Sender::SendRound() {
  const bool finishing = finishing_;
  std::vector<SendItem> items;
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
    items.push_back(
        {.to = lanes_[i].token,
         .message_id = pending.message_id,
         .payload = Ledger::Payload(lanes_[i].lane, ledger_->Accepted(lanes_[i].lane) + 1)});
    indices.push_back(i);
  }
  if (indices.empty()) {
    finished_ = finishing;
    return;
  }
  bool reached = false;
  const std::vector<SendOutcome> outcomes = transport_->Send(items, gateway_, &reached);
  if (!reached) gateway_ = 1 - gateway_;
  for (size_t k = 0; k < indices.size(); ++k) TakeAnswer(indices[k], outcomes[k]);
}

void Sender::TakeAnswer(size_t index, const SendOutcome& outcome) {
  switch (outcome.kind) {
    case SendOutcome::Kind::kRetry:
      return;
    case SendOutcome::Kind::kLost:
      ++lost_answers_;
      return;
    case SendOutcome::Kind::kRefused:
      return Refuse(index, outcome.why);
    case SendOutcome::Kind::kAccepted:
      break;
  }
  ledger_->Accept(lanes_[index].lane);
  if (outcome.duplicate) ++duplicates_;
  pending_[index].message_id.clear();
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
