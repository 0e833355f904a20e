#include "registry/feed/receipt_feed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

using storage::v1::Feed;
using storage::v1::FeedBlock;

absl::Status CursorTooOldError(absl::Duration retention) {
  return MakeError(
      absl::StatusCode::kOutOfRange, "CURSOR_TOO_OLD",
      absl::StrCat("receipts after this cursor have been forgotten already: they are kept for ",
                   retention / absl::Hours(24), " days"));
}

absl::StatusOr<FeedReceipt> Decode(uint64_t position, storage::v1::FeedReceipt stored) {
  const std::optional<DeviceId> device = DeviceId::FromBytes(stored.device_id());
  const std::optional<MessageId> message = MessageId::FromBytes(stored.message_id());
  if (!device.has_value() || (!message.has_value() && !stored.message_id().empty())) {
    return StoreCorruptError("a receipt of a feed");
  }
  return FeedReceipt{.position = position,
                     .device = *device,
                     .registration_id = stored.registration_id(),
                     .app_id = std::move(*stored.mutable_app_id()),
                     .message_id = message,
                     .step = stored.receipt().step(),
                     .time = absl::FromUnixMillis(stored.receipt().time_ms()),
                     .detail = std::move(*stored.mutable_receipt()->mutable_detail())};
}

}  // namespace

absl::StatusOr<Feed> ReceiptFeed::Load() const {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<Feed> feed,
                            GetRecord<Feed>(*overlay_, Family::kTeams, FeedKey(team_id_)));
  return std::move(feed).value_or(Feed());
}

void ReceiptFeed::Save(const Feed& feed) {
  overlay_->Put(Family::kTeams, FeedKey(team_id_), feed.SerializeAsString());
}

void ReceiptFeed::WakeAt(Feed* feed, int64_t time_ms) {
  feed->set_wake_at_ms(time_ms);
  overlay_->Put(
      Family::kTimeline,
      TimelineKey({.time_ms = time_ms, .kind = TimelineEntry::Kind::kFeed, .team_id = team_id_}),
      std::string());
}

absl::StatusOr<uint64_t> ReceiptFeed::LastPosition() const {
  BELLWIRE_ASSIGN_OR_RETURN(const Feed feed, Load());
  return feed.last_position();
}

absl::Status ReceiptFeed::Append(std::vector<storage::v1::FeedReceipt> receipts, int64_t now_ms,
                                 const std::vector<FeedPlace>& after) {
  BELLWIRE_ASSIGN_OR_RETURN(Feed feed, Load());
  if (feed.last_position() == 0) {
    // The first ones, or what comes late of a team that was deleted: nothing of it is made anew.
    absl::string_view team_id = team_id_;
    if (FeedOfName(team_id) != 0) team_id.remove_suffix(1);
    BELLWIRE_ASSIGN_OR_RETURN(const auto team,
                              overlay_->Get(Family::kTeams, TeamRecordKey(team_id)));
    if (!team.has_value()) return absl::OkStatus();
  }
  for (size_t begin = 0; begin < receipts.size(); begin += kMaxFeedBlockReceipts) {
    const size_t end = std::min(receipts.size(), begin + kMaxFeedBlockReceipts);
    FeedBlock block;
    block.set_relayed_at_ms(now_ms);
    for (const FeedPlace& place : begin == 0 ? after : std::vector<FeedPlace>()) {
      storage::v1::FeedPlace* const to = block.add_after();
      to->set_feed(place.feed);
      to->set_position(place.position);
    }
    for (size_t i = begin; i < end; ++i) *block.add_receipts() = std::move(receipts[i]);
    if (feed.last_position() < numbers_after_) {
      block.set_skipped(numbers_after_ - feed.last_position());
      feed.set_last_position(numbers_after_);
    }
    feed.set_last_position(feed.last_position() + (end - begin));
    overlay_->Put(Family::kFeeds, FeedBlockKey(team_id_, feed.last_position()),
                  block.SerializeAsString());
  }
  if (feed.wake_at_ms() == 0) WakeAt(&feed, now_ms + absl::ToInt64Milliseconds(retention_));
  Save(feed);
  return absl::OkStatus();
}

absl::StatusOr<FeedPage> ReceiptFeed::Read(std::optional<uint64_t> after,
                                           size_t max_receipts) const {
  BELLWIRE_ASSIGN_OR_RETURN(const Feed feed, Load());
  FeedPage page;
  page.next_position = after.value_or(feed.last_position());
  if (page.next_position < feed.trimmed_to()) return CursorTooOldError(retention_);
  if (page.next_position > std::max(feed.last_position(), numbers_after_)) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CURSOR",
                     "the cursor is beyond the end of the feed: is it from another server?");
  }
  // Beyond it: a cursor from before the store was restored. All that is new comes after it.
  if (page.next_position >= feed.last_position()) return page;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(overlay_->Scan(
      Family::kFeeds, FeedBlockKey(team_id_, page.next_position + 1), FeedBlocksEnd(team_id_),
      [&](absl::string_view key, absl::string_view value) {
        absl::StatusOr<FeedBlock> block = ParseRecord<FeedBlock>(value);
        if (!block.ok()) {
          status = block.status();
          return false;
        }
        const uint64_t last = PositionOfFeedBlockKey(key);
        const uint64_t size = block->receipts_size();
        const uint64_t before = last - size;
        if (size == 0 || last < size || before < block->skipped() ||
            before - block->skipped() > page.next_position) {
          status = StoreCorruptError(absl::StrCat("a feed lacks receipts before position ", last));
          return false;
        }
        if (block->after_size() > 0 && !page.receipts.empty()) return false;
        for (const storage::v1::FeedPlace& place : block->after()) {
          page.after.push_back({place.feed(), place.position()});
        }
        page.next_position = std::max(page.next_position, before);
        while (page.next_position < last && page.receipts.size() < max_receipts) {
          const int index = static_cast<int>(page.next_position - before);
          absl::StatusOr<FeedReceipt> receipt =
              Decode(page.next_position + 1, std::move(*block->mutable_receipts(index)));
          if (!receipt.ok()) {
            status = receipt.status();
            return false;
          }
          page.receipts.push_back(*std::move(receipt));
          ++page.next_position;
        }
        return page.receipts.size() < max_receipts;
      }));
  BELLWIRE_RETURN_IF_ERROR(status);
  if (page.receipts.empty()) return StoreCorruptError("a feed lacks its newest receipts");
  return page;
}

absl::Status ReceiptFeed::Trim(int64_t woken_at_ms, int64_t now_ms) {
  overlay_->Delete(Family::kTimeline, TimelineKey({.time_ms = woken_at_ms,
                                                   .kind = TimelineEntry::Kind::kFeed,
                                                   .team_id = team_id_}));
  BELLWIRE_ASSIGN_OR_RETURN(Feed feed, Load());
  if (feed.wake_at_ms() != woken_at_ms) return absl::OkStatus();
  feed.clear_wake_at_ms();
  std::vector<std::string> old;
  // Of the first block that stays.
  std::optional<int64_t> next_due_ms;
  // From `trimmed_to` on: a feed read from its beginning would wade through all that was ever
  // deleted.
  BELLWIRE_RETURN_IF_ERROR(overlay_->Scan(
      Family::kFeeds, FeedBlockKey(team_id_, feed.trimmed_to() + 1), FeedBlocksEnd(team_id_),
      [&](absl::string_view key, absl::string_view value) {
        const absl::StatusOr<FeedBlock> block = ParseRecord<FeedBlock>(value);
        // What can't be read must not keep what comes after it for ever.
        const int64_t due_ms =
            block.ok() ? block->relayed_at_ms() + absl::ToInt64Milliseconds(retention_) : now_ms;
        if (due_ms > now_ms || old.size() == kMaxFeedTrimBlocks) {
          next_due_ms = due_ms;
          return false;
        }
        old.emplace_back(key);
        return true;
      }));
  for (const std::string& key : old) overlay_->Delete(Family::kFeeds, key);
  if (!old.empty()) feed.set_trimmed_to(PositionOfFeedBlockKey(old.back()));
  if (next_due_ms.has_value()) {
    const absl::Duration rest =
        old.size() == kMaxFeedTrimBlocks ? absl::ZeroDuration() : kFeedTrimInterval;
    WakeAt(&feed, std::max(*next_due_ms, now_ms + absl::ToInt64Milliseconds(rest)));
  }
  Save(feed);
  return absl::OkStatus();
}

}  // namespace bellwire::registry
