#include "registry/mailbox/page.h"

#include <algorithm>

#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/mailbox/expiry.h"
#include "rpc/priority.h"

namespace bellwire::registry {
namespace {

void PassOver(const Envelope& mail, Page* page) {
  const push::v1::Priority priority = PriorityOf(mail);
  const auto it = std::find_if(page->passed_over.begin(), page->passed_over.end(),
                               [&](const PassedOver& p) { return p.priority == priority; });
  if (it != page->passed_over.end()) {
    it->last_seq = mail.seq();
  } else {
    page->passed_over.push_back(
        {.priority = priority, .first_seq = mail.seq(), .last_seq = mail.seq()});
  }
}

}  // namespace

absl::StatusOr<Page> ReadPage(DeviceTransaction& tx, uint64_t after_seq, const PageBounds& bounds) {
  BELLWIRE_RETURN_IF_ERROR(tx.ReleaseDue());
  const size_t max_bytes = std::min(bounds.max_bytes, kMaxPageBytes);
  const size_t max_messages = std::clamp<size_t>(bounds.max_messages, 1, kMaxPageMessages);
  Page page;
  page.complete_to_seq = tx.device().last_seq();
  if (tx.device().mailbox_records() == 0) return page;

  const uint64_t from = std::max<uint64_t>(after_seq, tx.device().settled_seq());
  uint64_t last_seen = from;
  size_t bytes = 0;
  size_t scanned = 0;
  BELLWIRE_RETURN_IF_ERROR(tx.ScanMail(from, [&](const Envelope& mail) -> absl::StatusOr<bool> {
    const bool expired = IsExpired(mail.expires_at_ms(), tx.now_ms());
    const bool wanted = bounds.priorities.Contains(PriorityOf(mail));
    const bool fits = page.messages.size() < max_messages &&
                      (page.messages.empty() || bytes + mail.payload().size() <= max_bytes);
    if (scanned++ == kMaxPageScan || (!expired && wanted && !fits)) {
      page.more = true;
      return false;
    }
    last_seen = mail.seq();
    if (!expired && !wanted) {
      PassOver(mail, &page);
    } else if (!expired) {
      bytes += mail.payload().size();
      page.messages.push_back(mail);
    }
    return true;
  }));
  if (page.more) page.complete_to_seq = last_seen;
  for (const Envelope& mail : page.messages) BELLWIRE_RETURN_IF_ERROR(tx.NoteHandedOver(mail));
  return page;
}

absl::StatusOr<bool> HasMailAfter(DeviceTransaction& tx, uint64_t after_seq) {
  BELLWIRE_RETURN_IF_ERROR(tx.ReleaseDue());
  if (tx.device().mailbox_records() == 0 || after_seq >= tx.device().last_seq()) return false;
  bool found = false;
  const uint64_t from = std::max<uint64_t>(after_seq, tx.device().settled_seq());
  BELLWIRE_RETURN_IF_ERROR(tx.ScanMail(from, [&](const Envelope& mail) -> absl::StatusOr<bool> {
    found = !IsExpired(mail.expires_at_ms(), tx.now_ms());
    return !found;
  }));
  return found;
}

}  // namespace bellwire::registry
