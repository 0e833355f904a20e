#ifndef BELLWIRE_REGISTRY_QUOTAS_LIMITS_H_
#define BELLWIRE_REGISTRY_QUOTAS_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "common/limits.h"

// What quotas allow where nobody has set anything, and which limits there are. Pure functions.
namespace bellwire::registry {

inline constexpr int64_t kNoLimit = -1;

// A team's messages of a day: 115 a second all day long. Receipts of a week stay on disk, some 300
// bytes a message, so one team takes 21 GB of it at most.
inline constexpr int64_t kDefaultTeamMessagesPerDay = 10'000'000;
// What may wait for a team's devices, and for all subscriptions together: 250,000 full payloads.
// Less where the disk is small: see kDiskPart.
inline constexpr int64_t kDefaultBytesWaiting = int64_t{1} << 30;
// One that nobody has set is no more than this part of the room that is left on the store's disk:
// a byte that waits costs up to three of RocksDB's files before they are merged. One team alone
// then takes a quarter of the disk at most, and others find room.
inline constexpr int64_t kDiskPart = 4;
// Topics with a subscriber.
inline constexpr int64_t kDefaultTeamTopics = 100'000;
// A limit that is set is at most so great; what is more is no limit.
inline constexpr int64_t kMaxMessagesPerSecondLimit = 1'000'000;
inline constexpr int64_t kMaxLimit = int64_t{1} << 50;
inline constexpr int64_t kMaxReceiptStreamsLimit = kMaxReceiptStreamsPerTeam;

// Each at least 0, or kNoLimit.
struct Limits {
  int64_t messages_per_second = kNoLimit;
  int64_t messages_per_day = kNoLimit;
  int64_t bytes_waiting = kNoLimit;
  int64_t receipt_streams = kNoLimit;
  int64_t topics = kNoLimit;
  // Nobody has set it: kDiskPart counts as well.
  bool bytes_waiting_by_default = false;

  friend bool operator==(const Limits&, const Limits&) = default;
};

// Where nothing is set.
Limits BuiltInLimits(admin::v1::QuotaSubject::Kind kind);
// `quota` where it says something, `otherwise` elsewhere.
Limits Resolve(const admin::v1::Quota& quota, Limits otherwise);
// With the fields that subjects of this kind have.
admin::v1::Quota ToQuota(const Limits& limits, admin::v1::QuotaSubject::Kind kind);

// Changes `quota` as `request` says.
void Apply(const admin::v1::SetQuotaRequest& request, admin::v1::Quota* quota);
//   INVALID_ARGUMENT BAD_QUOTA: names what is wrong. Whether the team or app exists is not asked.
absl::Status CheckSetQuota(const admin::v1::SetQuotaRequest& request);

// "team", "app", "token", "subscription", "subscriptions": for errors and metrics.
absl::string_view QuotaKindName(admin::v1::QuotaSubject::Kind kind);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_QUOTAS_LIMITS_H_
