#include "connector/session/sent_window.h"

#include <algorithm>
#include <cassert>

namespace bellwire::connector {

namespace {

void AddItem(uint64_t seq, int64_t sent_at_ms,
             google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>* items) {
  internal::v1::AckRequest::Item* item = items->Add();
  item->set_seq(seq);
  item->set_sent_at_ms(sent_at_ms);
}

bool InRanges(const device::v1::Ack& ack, uint64_t seq) {
  for (const device::v1::SeqRange& range : ack.ranges()) {
    if (range.first() <= seq && seq <= range.last()) return true;
  }
  return false;
}

}  // namespace

bool SentWindow::HasRoom(size_t payload_bytes) const {
  if (Scarce() && unacked_bytes_.amount() > 0) return false;
  return free_messages() > 0 && free_bytes() >= payload_bytes;
}

uint32_t SentWindow::free_bytes() const {
  const size_t used = static_cast<size_t>(unacked_bytes_.amount());
  return static_cast<uint32_t>(kSessionWindowBytes - std::min(used, kSessionWindowBytes));
}

uint32_t SentWindow::free_messages() const {
  const size_t used = entries_.size() - now_or_never_;
  const size_t free = kSessionWindowMessages - std::min(used, kSessionWindowMessages);
  return static_cast<uint32_t>(Scarce() ? std::min<size_t>(free, 1) : free);
}

void SentWindow::Add(uint64_t seq, size_t payload_bytes, int64_t sent_at_ms, bool now_or_never) {
  // What waited for its priority's sake comes after greater ones.
  const bool in_turn = !now_or_never && seq > greatest_seq_;
  if (in_turn) greatest_seq_ = seq;
  entries_.push_back(Entry{.seq = seq,
                           .sent_at_ms = sent_at_ms,
                           .bytes = static_cast<uint32_t>(payload_bytes),
                           .progress = Progress::kUnacked,
                           .report = Report::kFresh,
                           .now_or_never = now_or_never,
                           .in_turn = in_turn});
  unacked_bytes_.Set(unacked_bytes_.amount() + static_cast<int64_t>(payload_bytes));
  if (now_or_never) ++now_or_never_;
}

bool SentWindow::IsUnacked(uint64_t seq) const {
  return std::any_of(entries_.begin(), entries_.end(), [seq](const Entry& entry) {
    return entry.seq == seq && entry.progress == Progress::kUnacked;
  });
}

std::vector<uint64_t> SentWindow::UnackedNowOrNever() const {
  std::vector<uint64_t> seqs;
  for (const Entry& entry : entries_) {
    if (entry.now_or_never && entry.progress == Progress::kUnacked) seqs.push_back(entry.seq);
  }
  return seqs;
}

void SentWindow::Acknowledge(const device::v1::Ack& ack,
                             absl::FunctionRef<void(uint64_t seq, bool now_or_never)> on_acked) {
  const uint64_t up_to = ack.up_to_seq();
  // A cumulative acknowledgement speaks for what the device had received when it wrote it. Pushes
  // in their turn come in growing order of seq, so "up to" is exact for them. One out of its turn
  // may have been written after the device acknowledged that seq or a greater one: only `ranges`
  // speak for it.
  bool cumulative = up_to > 0;
  for (Entry& entry : entries_) {
    const bool covered =
        (cumulative && entry.in_turn && entry.seq <= up_to) || InRanges(ack, entry.seq);
    // What was written after the named push can't have been received with it.
    if (entry.seq == up_to) cumulative = false;
    if (!covered || entry.progress != Progress::kUnacked) continue;
    entry.progress = Progress::kAcked;
    ++news_;
    unacked_bytes_.Set(unacked_bytes_.amount() - entry.bytes);
    on_acked(entry.seq, entry.now_or_never);
  }
}

void SentWindow::TellRegistry(
    google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>* items) {
  for (Entry& entry : entries_) {
    if (entry.progress != Progress::kAcked) continue;
    entry.progress = Progress::kTold;
    AddItem(entry.seq, entry.sent_at_ms, items);
  }
  news_ = 0;
}

void SentWindow::RegistryTook() {
  const Entry* const end =
      std::remove_if(entries_.begin(), entries_.end(), [this](const Entry& entry) {
        if (entry.progress != Progress::kTold) return false;
        if (entry.now_or_never) --now_or_never_;
        return true;
      });
  entries_.erase(end, entries_.end());
}

void SentWindow::RegistryFailed() {
  for (Entry& entry : entries_) {
    if (entry.progress != Progress::kTold) continue;
    entry.progress = Progress::kAcked;
    ++news_;
  }
}

bool SentWindow::ReportSlow(
    google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>* items) {
  bool more = false;
  for (Entry& entry : entries_) {
    if (entry.progress != Progress::kUnacked) continue;
    if (entry.report == Report::kFresh) {
      entry.report = Report::kAged;
      more = true;
    } else if (entry.report == Report::kAged) {
      entry.report = Report::kDone;
      AddItem(entry.seq, entry.sent_at_ms, items);
    }
  }
  return more;
}

}  // namespace bellwire::connector
