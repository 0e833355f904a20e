#include "registry/feed/receipt_relay.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/feed/receipt_feed.h"
#include "registry/keys/keys.h"
#include "registry/quotas/quota_records.h"
#include "registry/topics/topic_list.h"
#include "registry/topics/topic_steps.h"

namespace bellwire::registry {

using storage::v1::Outbox;
using storage::v1::OutboxReceipt;

namespace {

// What goes to one team.
struct ForTeam {
  std::vector<storage::v1::FeedReceipt> receipts;
  // How many subscribers more each topic has.
  absl::btree_map<std::string, int64_t> topics;
  // By the id of the topic message.
  absl::btree_map<std::string, StepCounts> topic_messages;
  // What each app uses more, or less.
  absl::btree_map<std::string, UsageChange> usage;
};
// In the order of the team's id, so that a simulation repeats itself.
using ForTeams = absl::btree_map<std::string, ForTeam>;

void AddTo(ForTeams* of_team, const DeviceId& device, const Outbox& outbox) {
  for (const storage::v1::OutboxTopic& topic : outbox.topics()) {
    (*of_team)[topic.team_id()].topics[topic.topic()] += topic.change();
  }
  for (const storage::v1::OutboxUsage& usage : outbox.usage()) {
    (*of_team)[usage.team_id()].usage[usage.app_id()].Add(usage);
  }
  for (const OutboxReceipt& receipt : outbox.receipts()) {
    ForTeam& team = (*of_team)[receipt.team_id()];
    if (!receipt.topic_message_id().empty()) {
      ++team.topic_messages[receipt.topic_message_id()][receipt.receipt().step()];
    }
    storage::v1::FeedReceipt& to = team.receipts.emplace_back();
    to.set_device_id(std::string(device.bytes()));
    to.set_registration_id(receipt.registration_id());
    to.set_app_id(receipt.app_id());
    to.set_message_id(receipt.message_id());
    *to.mutable_receipt() = receipt.receipt();
  }
}

// What is damaged is logged and left as it is: it must not keep what comes after it.
absl::Status PassOverDamage(absl::string_view team_id, const absl::Status& status) {
  if (status.ok() || absl::IsUnavailable(status)) return status;
  LogError("relay_failed", {{"team", team_id}, {"error", status.message()}});
  return absl::OkStatus();
}

absl::Status CountTopics(Overlay* step, absl::string_view team_id, const Feeds& feeds,
                         const ForTeam& team, int64_t now_ms) {
  const uint32_t feed = feeds.own;
  for (const auto& [topic, change] : team.topics) {
    TopicList topics(step, FeedName(team_id, feed), feeds.all());
    BELLWIRE_RETURN_IF_ERROR(PassOverDamage(team_id, topics.Count(topic, change)));
  }
  for (const auto& [bytes, counts] : team.topic_messages) {
    const std::optional<MessageId> message_id = MessageId::FromBytes(bytes);
    if (!message_id.has_value()) continue;
    BELLWIRE_RETURN_IF_ERROR(
        PassOverDamage(
            team_id, CountTopicSteps(step, team_id, feed, *message_id, counts, now_ms)));
  }
  return absl::OkStatus();
}

absl::Status CountUsage(Overlay* step, absl::string_view team_id, const ForTeam& team) {
  if (team.usage.empty()) return absl::OkStatus();
  UsageChange of_all;
  for (const auto& [app_id, change] : team.usage) {
    storage::v1::OutboxUsage sum;
    sum.set_bytes_waiting(change.bytes_waiting);
    sum.set_day(change.day);
    sum.set_messages(change.messages);
    of_all.Add(sum);
    // All subscriptions have one record.
    if (app_id.empty()) continue;
    BELLWIRE_RETURN_IF_ERROR(PassOverDamage(team_id, AddUsage(step, team_id, app_id, change)));
  }
  return PassOverDamage(team_id, AddUsage(step, team_id, "", of_all));
}

}  // namespace

absl::StatusOr<RelayResult> ReceiptRelay::Run(size_t max_entries, int64_t now_ms) {
  // Before anything is moved: an empty outbox doesn't tell what its last entry was, and what came
  // below `from_` would never be seen.
  BELLWIRE_RETURN_IF_ERROR(LoadOrder());
  RelayResult result;
  std::vector<std::string> moved;
  std::string last;
  ForTeams of_team;
  size_t entries = 0;
  if (has_records_) {
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
          AddTo(&of_team, entry->device, *outbox);
          moved.emplace_back(key);
          return true;
        }));
  }
  const bool all_records_seen = !result.more;
  const size_t of_batch = all_records_seen ? std::min(batch_.size(), max_entries - entries) : 0;
  for (size_t i = 0; i < of_batch; ++i) AddTo(&of_team, batch_[i].device, batch_[i].outbox);
  result.more |= of_batch < batch_.size();
  if (entries + of_batch == 0) return result;
  // All of the feeds or none, or a retry would repeat the ones that worked.
  Overlay step(staged_);
  for (auto& [team_id, team] : of_team) {
    BELLWIRE_RETURN_IF_ERROR(CountTopics(&step, team_id, feeds_, team, now_ms));
    BELLWIRE_RETURN_IF_ERROR(CountUsage(&step, FeedName(team_id, feeds_.own), team));
    if (team.receipts.empty()) continue;
    BELLWIRE_ASSIGN_OR_RETURN(const std::vector<FeedPlace> after, OtherFeeds(team_id));
    BELLWIRE_RETURN_IF_ERROR(
        ReceiptFeed(&step, FeedName(team_id, feeds_.own), numbers_after_, retention_)
            .Append(std::move(team.receipts), now_ms, after));
    result.teams.push_back(team_id);
  }
  std::move(step).MergeInto(staged_);
  // Saying it again does no harm.
  if (noted_.size() + result.teams.size() > kMaxTeamsNoted) noted_.clear();
  if (!feeds_.IsOnlyOne()) noted_.insert(result.teams.begin(), result.teams.end());
  for (const std::string& key : moved) staged_->Delete(Family::kOutbox, key);
  batch_.erase(batch_.begin(), batch_.begin() + static_cast<ptrdiff_t>(of_batch));
  result.moved = moved.size() + of_batch;
  if (entries > 0) from_ = last + '\0';
  has_records_ = !all_records_seen;
  return result;
}

void ReceiptRelay::Add(uint64_t order, const DeviceId& device, Outbox outbox) {
  if (outbox.receipts_size() + outbox.topics_size() + outbox.usage_size() == 0) return;
  batch_.push_back({order, device, std::move(outbox)});
}

void ReceiptRelay::Stage() {
  for (const Entry& entry : batch_) {
    staged_->PutNew(Family::kOutbox, OutboxKey(entry.order, entry.device),
                    entry.outbox.SerializeAsString());
    has_records_ = true;
  }
  batch_.clear();
}

void ReceiptRelay::OnCommitFailed() {
  has_records_ = true;
  from_.clear();
  noted_.clear();
}

void ReceiptRelay::OnPartitionsChanged() {
  OnCommitFailed();
  // The outbox of what came may be further.
  next_order_ = 0;
}

absl::StatusOr<std::vector<FeedPlace>> ReceiptRelay::OtherFeeds(
    const std::string& team_id) const {
  std::vector<FeedPlace> places;
  if (noted_.contains(team_id)) return places;
  for (const uint32_t feed : feeds_.all()) {
    if (feed == feeds_.own) continue;
    BELLWIRE_ASSIGN_OR_RETURN(
        const uint64_t position,
        ReceiptFeed(staged_, FeedName(team_id, feed), numbers_after_, retention_).LastPosition());
    if (position > 0) places.push_back({feed, position});
  }
  return places;
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
  return absl::OkStatus();
}

}  // namespace bellwire::registry
