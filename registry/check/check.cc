#include "registry/check/check.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/admin/v1/devices.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "common/limits.h"
#include "registry/check/check_device.h"
#include "registry/check/check_topics.h"
#include "registry/check/teams_key.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

using storage::v1::Feed;
using storage::v1::FeedBlock;
using storage::v1::MessageLife;
using storage::v1::Registration;

// One run over all families.
class Check {
 public:
  Check(const KvReader* reader, bool whole, const std::vector<uint32_t>& feeds,
        absl::FunctionRef<void(uint64_t)> progress, CheckReport* report)
      : reader_(*reader),
        whole_(whole),
        progress_(progress),
        report_(*report),
        topics_(reader, report, whole ? feeds : std::vector<uint32_t>()) {}

  void Run() {
    ScanFamily(Family::kTeams, "teams", [&](auto key, auto value) { TakeTeams(key, value); });
    ScanFamily(Family::kNames, "names", [&](auto key, auto value) { TakeName(key, value); });
    if (ScanFamily(Family::kDevices, "devices",
                   [&](auto key, auto value) { TakeDevice(key, value); })) {
      if (device_ != nullptr) device_->Judge();
      if (whole_ && devices_counted_.value_or(static_cast<int64_t>(devices_found_)) !=
                        static_cast<int64_t>(devices_found_)) {
        report_.Add("the number of devices", absl::StrCat("the store counts ", *devices_counted_,
                                                          " and has ", devices_found_));
      }
    }
    LookForStrayLives();
    if (ScanFamily(Family::kTimeline, "timeline", [&](auto key, auto) { TakeTimeline(key); })) {
      for (const auto& [device, registration_id] : ending_topics_) {
        report_.Add(absl::StrCat("device ", ToHex(device), ", registration ",
                                 absl::Hex(registration_id, absl::kZeroPad16)),
                    "has ended and keeps its topics: nothing in the timeline ends them");
      }
    }
    ScanFamily(Family::kOutbox, "outbox", [&](auto key, auto value) { TakeOutbox(key, value); });
    if (ScanFamily(Family::kFeeds, "feeds", [&](auto key, auto value) { TakeFeeds(key, value); })) {
      for (const auto& [team_id, feed] : feeds_) JudgeFeed(team_id, feed);
    }
    if (ScanFamily(Family::kTopics, "topics",
                   [&](auto key, auto value) { topics_.Take(key, value); })) {
      topics_.Judge();
    }
    progress_(records_);
  }

 private:
  static constexpr uint64_t kProgressEvery = 4096;

  // What there is of a team's feed.
  struct FeedFound {
    std::optional<Feed> record;
    uint64_t begins = 0;
    // The last position of its blocks so far.
    std::optional<uint64_t> reaches;
  };

  template <typename Visit>
  bool ScanFamily(Family family, absl::string_view name, Visit visit) {
    // After every key: none begins with so many of these.
    const std::string end(64, '\xff');
    const absl::Status status =
        reader_.Scan(family, "", end, [&](absl::string_view key, absl::string_view value) {
          if (++records_ % kProgressEvery == 0) progress_(records_);
          visit(key, value);
          return true;
        });
    if (status.ok()) return true;
    report_.Add(absl::StrCat("column family ", name),
                absl::StrCat("it can't be read to its end: ", status.message()));
    return false;
  }

  // Lives of devices that have no record: DeviceCheck has taken all others. One look per device.
  void LookForStrayLives() {
    std::string from;
    while (true) {
      std::string first;
      const absl::Status status = reader_.Scan(Family::kLives, from, std::string(64, '\xff'),
                                               [&](absl::string_view key, absl::string_view) {
                                                 first = std::string(key);
                                                 return false;
                                               });
      if (!status.ok()) {
        report_.Add("column family lives",
                    absl::StrCat("it can't be read to its end: ", status.message()));
        return;
      }
      if (first.empty()) return;
      const auto device = DeviceId::FromBytes(absl::string_view(first).substr(0, DeviceId::kSize));
      if (!device.has_value()) {
        report_.Add(absl::StrCat("key ", absl::BytesToHexString(first), " of the lives"),
                    "it is no device's");
        from = first + '\0';
        continue;
      }
      if (!Exists(Family::kDevices, DeviceRecordKey(*device))) {
        report_.Add(absl::StrCat("device ", ToHex(*device)),
                    "has lives of messages but no record of its own");
      }
      from = LivesEnd(*device);
    }
  }

  // Whether a record is there. What can't be read is not called missing.
  bool Exists(Family family, absl::string_view key) const {
    const auto found = reader_.Get(family, key);
    return !found.ok() || found->has_value();
  }

  void TakeDevice(absl::string_view key, absl::string_view value) {
    if (key.size() <= DeviceId::kSize) {
      report_.Count(RecordKind::kUnknown);
      report_.Add(absl::StrCat("key ", absl::BytesToHexString(key), " of the devices"),
                  "it is no device's");
      return;
    }
    const DeviceId device = *DeviceId::FromBytes(key.substr(0, DeviceId::kSize));
    if (device_ == nullptr || device != device_id_) {
      if (device_ != nullptr) device_->Judge();
      ++devices_found_;
      device_id_ = device;
      device_ = std::make_unique<DeviceCheck>(device, &reader_, &report_, &ending_topics_);
    }
    device_->Take(key, value);
  }

  void TakeTimeline(absl::string_view key) {
    report_.Count(RecordKind::kTimeline);
    const std::optional<TimelineEntry> entry = ParseTimelineKey(key);
    if (entry.has_value() && entry->kind == TimelineEntry::Kind::kTopics) {
      ending_topics_.erase({entry->device, entry->message.registration_id});
    }
    if (!entry.has_value()) {
      report_.Add(absl::StrCat("timeline entry ", absl::BytesToHexString(key)),
                  "it can't be parsed");
      return;
    }
    if (IsAboutSomething(*entry)) return;
    report_.Add(absl::StrCat("timeline entry ", absl::BytesToHexString(key)),
                absl::StrCat("nothing is due then for ",
                             entry->kind == TimelineEntry::Kind::kFeed ||
                                     entry->kind == TimelineEntry::Kind::kTopicMessage
                                 ? TeamName(entry->team_id)
                                 : absl::StrCat("device ", ToHex(entry->device))));
  }

  // Records that can't be parsed were reported where they lie.
  bool IsAboutSomething(const TimelineEntry& entry) const {
    switch (entry.kind) {
      case TimelineEntry::Kind::kLife: {
        const auto life =
            GetRecord<MessageLife>(reader_, Family::kLives, LifeKey(entry.device, entry.message));
        return !life.ok() || (life->has_value() && (*life)->wake_at_ms() == entry.time_ms);
      }
      case TimelineEntry::Kind::kNowOrNever:
        // A device that was deleted leaves such entries until their time.
        return Exists(Family::kDevices, NowOrNeverKey(entry.device, entry.seq)) ||
               !Exists(Family::kDevices, DeviceRecordKey(entry.device));
      case TimelineEntry::Kind::kExpiry:
      case TimelineEntry::Kind::kRegistration: {
        const auto record =
            GetRecord<Registration>(reader_, Family::kDevices,
                                    RegistrationKey(entry.device, entry.message.registration_id));
        if (!record.ok()) return true;
        if (!record->has_value()) return false;
        return entry.kind == TimelineEntry::Kind::kExpiry ? (*record)->wake_at_ms() == entry.time_ms
                                                          : (*record)->removed_at_ms() != 0;
      }
      case TimelineEntry::Kind::kTopics:
      case TimelineEntry::Kind::kScheduled:
        // It may have ended since, and so may its device: such entries stay until their time.
        return true;
      case TimelineEntry::Kind::kFeed: {
        const auto feed = GetRecord<Feed>(reader_, Family::kTeams, FeedKey(entry.team_id));
        return !feed.ok() || (feed->has_value() && (*feed)->wake_at_ms() == entry.time_ms);
      }
      case TimelineEntry::Kind::kTopicMessage: {
        // What a feed has counted of a message may be gone before it is due.
        if (FeedOfName(entry.team_id) != 0) return true;
        const auto fan_out =
            GetRecord<storage::v1::FanOut>(reader_, Family::kTopics,
                                           FanOutKey(entry.team_id, entry.message.message_id));
        return !fan_out.ok() ||
               (fan_out->has_value() && (*fan_out)->wake_at_ms() == entry.time_ms);
      }
    }
    return true;
  }

  void TakeOutbox(absl::string_view key, absl::string_view value) {
    report_.Count(RecordKind::kOutbox);
    const std::optional<OutboxEntry> entry = ParseOutboxKey(key);
    const auto record = ParseRecord<storage::v1::Outbox>(value);
    const std::string where = absl::StrCat("outbox entry ", absl::BytesToHexString(key));
    if (!entry.has_value() || !record.ok() ||
        record->receipts_size() + record->topics_size() + record->usage_size() == 0) {
      report_.Add(where, "it can't be parsed");
      return;
    }
    topics_.NotePending(*record);
    if (!Exists(Family::kDevices, DeviceRecordKey(entry->device))) {
      report_.Add(where, absl::StrCat("there is no device ", ToHex(entry->device)));
    }
    for (const auto& receipt : record->receipts()) {
      if ((!receipt.message_id().empty() && receipt.message_id().size() != MessageId::kSize) ||
          !Exists(Family::kTeams, TeamRecordKey(receipt.team_id()))) {
        report_.Add(where, "a receipt has a broken message id, or a team that is not known");
      }
    }
  }

  void TakeFeeds(absl::string_view key, absl::string_view value) {
    const std::optional<TeamsKey> parsed = ParseTeamsKey(key);
    if (!parsed.has_value()) {
      report_.Count(RecordKind::kUnknown);
      report_.Add(absl::StrCat("key ", absl::BytesToHexString(key), " of the feeds"),
                  "it is no team's");
      return;
    }
    if (parsed->kind == 'B') {
      TakeFeedBlock(parsed->team_id, parsed->rest, value);
    } else {
      report_.Count(RecordKind::kUnknown);
    }
  }

  void TakeFeedBlock(const std::string& team_id, absl::string_view rest, absl::string_view value) {
    report_.Count(RecordKind::kFeedBlock);
    FeedFound& feed = feeds_[team_id];
    const std::string where = absl::StrCat("feed of ", TeamName(team_id));
    const auto block = ParseRecord<FeedBlock>(value);
    const uint64_t last = rest.size() == 8 ? ParseBigEndian64(rest) : 0;
    const uint64_t covers =
        block.ok() ? static_cast<uint64_t>(block->receipts_size()) + block->skipped() : 0;
    if (!block.ok() || block->receipts_size() == 0 || last < covers) {
      report_.Add(where, absl::StrCat("the block up to position ", last, " can't be parsed"));
      feed.reaches = last;
      return;
    }
    const uint64_t before = last - covers;
    if (!feed.reaches.has_value()) {
      feed.begins = before;
    } else if (*feed.reaches != before) {
      report_.Add(where, absl::StrCat("receipts are missing, or twice there, between positions ",
                                      *feed.reaches, " and ", last));
    }
    feed.reaches = last;
    for (const auto& receipt : block->receipts()) {
      if (receipt.device_id().size() != DeviceId::kSize ||
          (!receipt.message_id().empty() && receipt.message_id().size() != MessageId::kSize)) {
        report_.Add(where, absl::StrCat("a receipt before position ", last, " has a broken id"));
      }
    }
  }

  void JudgeFeed(const std::string& team_id, const FeedFound& found) {
    const std::string where = absl::StrCat("feed of ", TeamName(team_id));
    if (!Exists(Family::kTeams, TeamRecordKey(TeamOfName(team_id)))) {
      report_.Add(where, "the team is not known");
    }
    if (!found.record.has_value()) {
      report_.Add(where, "its own record is missing or can't be parsed");
      return;
    }
    const Feed& feed = *found.record;
    const uint64_t begins = found.reaches.has_value() ? found.begins : feed.last_position();
    const uint64_t reaches = found.reaches.value_or(feed.last_position());
    if (begins != feed.trimmed_to() || reaches != feed.last_position()) {
      report_.Add(where,
                  absl::StrCat("it should hold positions ", feed.trimmed_to() + 1, " to ",
                               feed.last_position(), " and holds ", begins + 1, " to ", reaches));
    }
    const bool wakes = feed.wake_at_ms() != 0 &&
                       Exists(Family::kTimeline, TimelineKey({.time_ms = feed.wake_at_ms(),
                                                              .kind = TimelineEntry::Kind::kFeed,
                                                              .team_id = team_id}));
    if (found.reaches.has_value() && !wakes) {
      report_.Add(where, "nothing in the timeline will forget its receipts");
    }
  }

  void TakeTeams(absl::string_view key, absl::string_view value) {
    const std::optional<TeamsKey> parsed = ParseTeamsKey(key);
    if (!parsed.has_value()) {
      report_.Count(RecordKind::kUnknown);
      report_.Add(absl::StrCat("key ", absl::BytesToHexString(key), " of the teams"),
                  "it is no team's");
      return;
    }
    switch (parsed->kind) {
      case 'T': {
        report_.Count(RecordKind::kTeam);
        const auto team = ParseRecord<admin::v1::Team>(value);
        if (!team.ok() || team->team_id() != parsed->team_id || !parsed->rest.empty()) {
          report_.Add(TeamName(parsed->team_id), "its record can't be parsed, or is another's");
        }
        return;
      }
      case 'A': {
        report_.Count(RecordKind::kApp);
        const auto app = ParseRecord<admin::v1::App>(value);
        const bool fits = app.ok() && app->app_id() == parsed->rest;
        TakeNamed("app", *parsed, fits && app->team_id() == parsed->team_id,
                  AppNameKey(parsed->rest));
        return;
      }
      case 'F': {
        report_.Count(RecordKind::kFeed);
        auto feed = ParseRecord<Feed>(value);
        FeedFound& found = feeds_[parsed->team_id];
        if (feed.ok()) found.record = *std::move(feed);
        return;
      }
      case 'K': {
        report_.Count(RecordKind::kKey);
        const auto signing_key = ParseRecord<admin::v1::Key>(value);
        const bool fits = signing_key.ok() && signing_key->key_id() == parsed->rest;
        TakeNamed("key", *parsed, fits && signing_key->team_id() == parsed->team_id,
                  KeyNameKey(parsed->rest));
        return;
      }
      case 'Q':
        TakeQuota<storage::v1::TeamQuotas>(TeamName(parsed->team_id), value);
        return;
      case 'S':
        TakeQuota<storage::v1::Usage>(TeamName(parsed->team_id), value);
        return;
      default:
        report_.Count(RecordKind::kUnknown);
    }
  }

  // Quotas, or what is used of them.
  template <typename Record>
  void TakeQuota(const std::string& where, absl::string_view value) {
    report_.Count(RecordKind::kQuota);
    if (!ParseRecord<Record>(value).ok()) {
      report_.Add(where, "its quotas, or what it uses of them, can't be parsed");
    }
  }

  void TakeNamed(absl::string_view what, const TeamsKey& key, bool fits,
                 const std::string& name_key) {
    const std::string where =
        absl::StrCat(what, " ", absl::CHexEscape(key.rest), " of ", TeamName(key.team_id));
    if (!fits) report_.Add(where, "its record can't be parsed, or is another's");
    if (!Exists(Family::kTeams, TeamRecordKey(key.team_id))) {
      report_.Add(where, "the team's own record is missing");
    }
    const auto owner = GetRecord<storage::v1::NameOwner>(reader_, Family::kNames, name_key);
    if (owner.ok() && (!owner->has_value() || (*owner)->team_id() != key.team_id)) {
      report_.Add(where, "its name is not known, or belongs to another team: nobody can find it");
    }
  }

  void TakeNetworkSlot(absl::string_view key, absl::string_view value) {
    report_.Count(RecordKind::kNetworkSlot);
    const std::string where = absl::StrCat("network slot ", absl::BytesToHexString(key.substr(1)));
    const auto slot = ParseRecord<storage::v1::NetworkSlot>(value);
    if (!slot.ok()) return report_.Add(where, "its record can't be parsed");
    std::set<std::string> ids;
    bool fits = static_cast<size_t>(slot->networks_size()) <= kMaxNetworksPerSlot;
    for (const storage::v1::PooledNetwork& network : slot->networks()) {
      const auto id = NetworkId::FromBytes(network.network_id());
      fits = fits && id.has_value() && NetworkSlotKey(*id) == key &&
             ids.insert(network.network_id()).second &&
             static_cast<size_t>(network.votes_size()) <= kMaxNetworkVotes;
    }
    if (!fits) report_.Add(where, "it holds a network that is another slot's, or too much");
  }

  void TakePayloadKeys(absl::string_view value) {
    report_.Count(RecordKind::kPayloadKeys);
    const auto keys = ParseRecord<storage::v1::PayloadKeys>(value);
    if (!keys.ok() || keys->current().empty()) {
      report_.Add("keys of payloads", "their record can't be parsed");
    }
  }

  void TakeDeletion(absl::string_view key, absl::string_view value) {
    report_.Count(RecordKind::kDeletion);
    const std::optional<DeletionName> name = ParseDeletionKey(key);
    if (!name.has_value() || !ParseRecord<storage::v1::Deletion>(value).ok()) {
      report_.Add(absl::StrCat("deletion ", absl::CHexEscape(key)), "it can't be parsed");
    } else if (!Exists(Family::kTeams, TeamRecordKey(name->team_id))) {
      report_.Add(absl::StrCat("deletion ", absl::CHexEscape(key)), "its team is gone already");
    }
  }

  void TakeEnrolment(absl::string_view key, absl::string_view value) {
    report_.Count(RecordKind::kEnrolment);
    const auto enrolment = ParseRecord<admin::v1::Enrolment>(value);
    if (enrolment.ok() && EnrolmentKey(enrolment->enrolment_id()) == key &&
        enrolment->has_expire_time() &&
        (enrolment->devices() == 0 || enrolment->used() <= enrolment->devices())) {
      return;
    }
    report_.Add(absl::StrCat("enrolment ", absl::CHexEscape(key.substr(1))),
                "its record can't be parsed, is another's, or has let in more than it may");
  }

  void TakeEnrolmentUse(absl::string_view key, absl::string_view value) {
    report_.Count(RecordKind::kEnrolment);
    if (ParseRecord<storage::v1::DeviceCount>(value).ok()) return;
    report_.Add(absl::StrCat("uses of enrolment ", absl::CHexEscape(key.substr(2))),
                "their number can't be parsed");
  }

  void TakeDeviceCount(absl::string_view value) {
    report_.Count(RecordKind::kDeviceCount);
    const auto count = ParseRecord<storage::v1::DeviceCount>(value);
    if (!count.ok()) return report_.Add("the number of devices", "it can't be parsed");
    // Of several feeds the sum counts.
    devices_counted_ = devices_counted_.value_or(0) + static_cast<int64_t>(count->devices());
  }

  void TakeName(absl::string_view key, absl::string_view value) {
    if (absl::StartsWith(key, "N")) return TakeNetworkSlot(key, value);
    if (key == PayloadKeysKey()) return TakePayloadKeys(value);
    if (absl::StartsWith(key, DeletionsFrom())) return TakeDeletion(key, value);
    if (absl::StartsWith(key, EnrolmentsFrom())) return TakeEnrolment(key, value);
    const uint32_t feed = FeedOfNameKey(key);
    if (key == DeviceCountKey(feed)) return TakeDeviceCount(value);
    if (feed != 0 && absl::StartsWith(key, "U")) return TakeEnrolmentUse(key, value);
    if (key == FeedsKey()) return report_.Count(RecordKind::kFeed);
    if (key == ServerQuotasKey()) return TakeQuota<storage::v1::ServerQuotas>("the server", value);
    if (key == SubscriptionUsageKey(feed)) {
      return TakeQuota<storage::v1::Usage>("the server", value);
    }
    report_.Count(RecordKind::kName);
    const auto owner = ParseRecord<storage::v1::NameOwner>(value);
    const std::string where = absl::StrCat("name ", absl::CHexEscape(key));
    if (!owner.ok() || owner->team_id().empty()) {
      report_.Add(where, "its record can't be parsed");
    } else if (!Exists(Family::kTeams, TeamRecordKey(owner->team_id()))) {
      // A name without app or key is none: putting them is two steps, and the second may have
      // failed.
      report_.Add(where, absl::StrCat("it belongs to ", TeamName(owner->team_id()),
                                      ", which is not known"));
    }
  }

  const KvReader& reader_;
  const bool whole_;
  const absl::FunctionRef<void(uint64_t)> progress_;
  CheckReport& report_;
  uint64_t records_ = 0;

  // nullopt: the store does not say.
  std::optional<int64_t> devices_counted_;
  uint64_t devices_found_ = 0;
  // The device that the scan is in.
  DeviceId device_id_;
  std::unique_ptr<DeviceCheck> device_;
  // By team.
  std::map<std::string, FeedFound> feeds_;
  // Registrations that have ended and have topics, until their entry in the timeline is found.
  EndingTopics ending_topics_;
  TopicsCheck topics_;
};

}  // namespace

absl::string_view RecordKindName(RecordKind kind) {
  switch (kind) {
    case RecordKind::kDevice:
      return "devices";
    case RecordKind::kInstalledApp:
      return "apps on devices";
    case RecordKind::kSubscription:
      return "subscriptions on devices";
    case RecordKind::kRegistration:
      return "registrations";
    case RecordKind::kMessage:
      return "messages in mailboxes";
    case RecordKind::kGapNotice:
      return "gap notices";
    case RecordKind::kScheduled:
      return "scheduled messages";
    case RecordKind::kNowOrNever:
      return "now-or-never numbers";
    case RecordKind::kRecallNotice:
      return "recall notices";
    case RecordKind::kLife:
      return "message lives";
    case RecordKind::kTimeline:
      return "timeline entries";
    case RecordKind::kOutbox:
      return "outbox entries";
    case RecordKind::kFeed:
      return "feeds";
    case RecordKind::kFeedBlock:
      return "feed blocks";
    case RecordKind::kTeam:
      return "teams";
    case RecordKind::kApp:
      return "apps";
    case RecordKind::kKey:
      return "keys";
    case RecordKind::kName:
      return "names";
    case RecordKind::kEnrolment:
      return "enrolment tokens";
    case RecordKind::kDeviceCount:
      return "numbers of devices";
    case RecordKind::kNetworkSlot:
      return "network slots";
    case RecordKind::kQuota:
      return "quotas and what is used";
    case RecordKind::kTopicSubscription:
      return "topics of registrations";
    case RecordKind::kSubscriber:
      return "subscribers of topics";
    case RecordKind::kTopic:
      return "topics";
    case RecordKind::kTopicMessage:
      return "topic messages and their fan-outs";
    case RecordKind::kDeletion:
      return "deletions that go on";
    case RecordKind::kPayloadKeys:
      return "keys of payloads";
    case RecordKind::kUnknown:
      return "of a kind not known here";
  }
  return "";
}

uint64_t CheckReport::records() const {
  uint64_t sum = 0;
  for (const uint64_t count : counts) sum += count;
  return sum;
}

void CheckReport::Add(std::string where, std::string what) {
  ++problem_count;
  if (problems.size() < kMaxCheckProblems) problems.push_back({std::move(where), std::move(what)});
}

void CheckRecords(const KvReader& reader, absl::FunctionRef<void(uint64_t records)> progress,
                  CheckReport* report) {
  std::vector<uint32_t> feeds = {0};
  // What can't be read is found again with the names.
  const auto others = reader.Get(Family::kNames, FeedsKey());
  if (others.ok() && others->has_value()) {
    for (const char feed : **others) feeds.push_back(static_cast<uint8_t>(feed));
  }
  Check(&reader, /*whole=*/true, feeds, progress, report).Run();
}

void CheckPart(const KvReader& reader, absl::FunctionRef<void(uint64_t records)> progress,
               CheckReport* report) {
  Check(&reader, /*whole=*/false, {0}, progress, report).Run();
}

}  // namespace bellwire::registry
