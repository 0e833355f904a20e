#include "registry/receipt_relay.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/keys.h"
#include "registry/receipt_feed.h"
#include "registry/records.h"

namespace bellwire::registry {

using storage::v1::Outbox;
using storage::v1::OutboxReceipt;

absl::StatusOr<RelayResult> ReceiptRelay::Run(size_t max_entries, int64_t now_ms) {
  // Before anything is moved: an empty outbox doesn't tell what its last entry was, and what came below
  // `from_` would never be seen.
  BELLWIRE_RETURN_IF_ERROR(LoadOrder());
  RelayResult result;
  std::vector<std::string> moved;
  std::string last;
  // In the order of the team's id, so that a simulation repeats itself.
  absl::btree_map<std::string, std::vector<storage::v1::FeedReceipt>> of_team;
  size_t entries = 0;
  BELLWIRE_RETURN_IF_ERROR(staged_->Scan(
      Family::kOutbox, from_, OutboxEnd(), [&](absl::string_view key, absl::string_view value) {
        if (entries == max_entries) {
          result.more = true;
          return false;
        }
        ++entries;
        last = std::string(key);
        const std::optional<OutboxEntry> entry = ParseOutboxKey(key);
        absl::StatusOr<Outbox> outbox = ParseRecord<Outbox>(value);
        if (!entry.has_value() || !outbox.ok()) {
          LogError("relay_failed", {{"device", entry.has_value() ? ToHex(entry->device) : ""},
                                    {"error", "a damaged outbox entry"}});
          return true;
        }
        for (OutboxReceipt& receipt : *outbox->mutable_receipts()) {
          storage::v1::FeedReceipt& to = of_team[receipt.team_id()].emplace_back();
          to.set_device_id(std::string(entry->device.bytes()));
          to.set_registration_id(receipt.registration_id());
          to.set_app_id(std::move(*receipt.mutable_app_id()));
          to.set_message_id(std::move(*receipt.mutable_message_id()));
          *to.mutable_receipt() = std::move(*receipt.mutable_receipt());
        }
        moved.emplace_back(key);
        return true;
      }));
  if (entries == 0) return result;
  // All of the feeds or none, or a retry would repeat the ones that worked.
  Overlay step(staged_);
  for (const auto& [team_id, receipts] : of_team) {
    BELLWIRE_RETURN_IF_ERROR(ReceiptFeed(&step, team_id).Append(receipts, now_ms));
    result.teams.push_back(team_id);
  }
  std::move(step).MergeInto(staged_);
  for (const std::string& key : moved) {
    if (ParseOutboxKey(key)->order >= batch_from_order_) {
      staged_->Forget(Family::kOutbox, key);
    } else {
      staged_->Delete(Family::kOutbox, key);
    }
  }
  result.moved = moved.size();
  from_ = last + '\0';
  return result;
}

absl::StatusOr<uint64_t> ReceiptRelay::NextOrder() {
  BELLWIRE_RETURN_IF_ERROR(LoadOrder());
  return next_order_++;
}

absl::Status ReceiptRelay::LoadOrder() {
  if (next_order_ != 0) return absl::OkStatus();
  uint64_t last = 0;
  BELLWIRE_RETURN_IF_ERROR(staged_->Scan(Family::kOutbox, "", OutboxEnd(),
                                         [&](absl::string_view key, absl::string_view) {
                                           const auto entry = ParseOutboxKey(key);
                                           if (entry.has_value()) last = entry->order;
                                           return true;
                                         }));
  next_order_ = last + 1;
  batch_from_order_ = next_order_;
  return absl::OkStatus();
}

}  // namespace bellwire::registry
