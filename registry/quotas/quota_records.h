#ifndef BELLWIRE_REGISTRY_QUOTAS_QUOTA_RECORDS_H_
#define BELLWIRE_REGISTRY_QUOTAS_QUOTA_RECORDS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "registry/engine/overlay.h"

// The records of quotas, and of what is used. Transactions of one team, or of the server. An empty
// `team_id` stands for all subscriptions together. What is used has a record in each feed
// (registry/keys/feeds.h): FeedName(team_id, feed) names one. Not thread-safe. Errors: those
// of KvReader.
namespace bellwire::registry {

// A change of what is used.
struct UsageChange {
  int64_t bytes_waiting = 0;
  // Messages accepted on `day` (days since the Unix epoch).
  uint32_t day = 0;
  uint64_t messages = 0;

  void Add(const storage::v1::OutboxUsage& change);
};

// Days since the Unix epoch, in UTC.
uint32_t DayOf(int64_t time_ms);

// Changes the record of an app; empty: of the team as a whole.
absl::Status AddUsage(Overlay* overlay, absl::string_view team_id, absl::string_view app_id,
                      const UsageChange& change);
// None is all zeros.
absl::StatusOr<storage::v1::Usage> GetUsage(const Overlay& overlay, absl::string_view team_id,
                                            absl::string_view app_id);

absl::StatusOr<storage::v1::TeamQuotas> GetTeamQuotas(const Overlay& overlay,
                                                      absl::string_view team_id);
absl::StatusOr<storage::v1::ServerQuotas> GetServerQuotas(const Overlay& overlay);
// What was set for an app. nullptr: nothing.
const storage::v1::TeamQuotas::OfApp* FindApp(const storage::v1::TeamQuotas& quotas,
                                              absl::string_view app_id);

// Of a team, or of one of its apps (TEAM, APP and TOKEN with an id). `team_id` is the app's.
// REQUIRES: CheckSetQuota took the request.
absl::Status SetTeamQuota(Overlay* overlay, absl::string_view team_id,
                          const admin::v1::SetQuotaRequest& request);
// The others. REQUIRES: as above.
absl::Status SetServerQuota(Overlay* overlay, const admin::v1::SetQuotaRequest& request);

// What the app has used, or with an empty one the team and all of its apps: nothing is left of it.
absl::Status ForgetUsage(Overlay* overlay, absl::string_view team_id, absl::string_view app_id);

// The app was deleted; empty: the team was.
absl::Status ForgetQuotas(Overlay* overlay, absl::string_view team_id, absl::string_view app_id);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_QUOTAS_QUOTA_RECORDS_H_
