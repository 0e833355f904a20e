#include "registry/quotas/quota_records.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"
#include "registry/quotas/limits.h"

namespace bellwire::registry {
namespace {

using admin::v1::Quota;
using admin::v1::QuotaSubject;
using storage::v1::ServerQuotas;
using storage::v1::TeamQuotas;
using storage::v1::Usage;

constexpr int64_t kMsPerDay = int64_t{24} * 60 * 60 * 1000;

struct Place {
  Family family;
  std::string key;
};
Place PlaceOfUsage(absl::string_view team_id, absl::string_view app_id) {
  const uint32_t feed = FeedOfName(team_id);
  if (team_id.size() == (feed == 0 ? 0 : 1)) return {Family::kNames, SubscriptionUsageKey(feed)};
  return {Family::kTeams, TeamUsageKey(team_id, app_id)};
}

template <typename Record>
absl::StatusOr<Record> GetOrDefault(const Overlay& overlay, Family family, const std::string& key) {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<Record> record,
                            GetRecord<Record>(overlay, family, key));
  return std::move(record).value_or(Record());
}

template <typename Record>
void PutOrDelete(Overlay* overlay, Family family, const std::string& key, const Record& record) {
  if (record.ByteSizeLong() == 0) {
    overlay->Delete(family, key);
  } else {
    overlay->Put(family, key, record.SerializeAsString());
  }
}

// Its place in the order of the ids, made if there is none.
TeamQuotas::OfApp* AppOf(TeamQuotas* quotas, absl::string_view app_id) {
  auto& apps = *quotas->mutable_apps();
  const auto at = std::lower_bound(
      apps.begin(), apps.end(), app_id,
      [](const TeamQuotas::OfApp& app, absl::string_view id) { return app.app_id() < id; });
  const auto index = static_cast<int>(at - apps.begin());
  if (at != apps.end() && at->app_id() == app_id) return apps.Mutable(index);
  apps.Add()->set_app_id(std::string(app_id));
  std::rotate(apps.begin() + index, apps.end() - 1, apps.end());
  return apps.Mutable(index);
}

}  // namespace

void UsageChange::Add(const storage::v1::OutboxUsage& change) {
  bytes_waiting += change.bytes_waiting();
  if (change.messages() == 0 || change.day() < day) return;
  if (change.day() > day) messages = 0;
  day = change.day();
  messages += change.messages();
}

uint32_t DayOf(int64_t time_ms) {
  return static_cast<uint32_t>(std::max<int64_t>(time_ms, 0) / kMsPerDay);
}

absl::Status AddUsage(Overlay* overlay, absl::string_view team_id, absl::string_view app_id,
                      const UsageChange& change) {
  const Place place = PlaceOfUsage(team_id, app_id);
  BELLWIRE_ASSIGN_OR_RETURN(Usage usage, GetOrDefault<Usage>(*overlay, place.family, place.key));
  int64_t bytes = static_cast<int64_t>(usage.bytes_waiting()) + change.bytes_waiting;
  // Never below zero: a store that is older than these records holds messages that nobody counted.
  // Of several feeds one may have what another one lacks.
  if (FeedOfName(team_id) == 0) bytes = std::max<int64_t>(bytes, 0);
  usage.set_bytes_waiting(static_cast<uint64_t>(bytes));
  if (change.messages != 0 && change.day >= usage.day()) {
    if (change.day > usage.day()) usage.set_messages(0);
    usage.set_day(change.day);
    usage.set_messages(usage.messages() + change.messages);
  }
  PutOrDelete(overlay, place.family, place.key, usage);
  return absl::OkStatus();
}

absl::StatusOr<Usage> GetUsage(const Overlay& overlay, absl::string_view team_id,
                               absl::string_view app_id) {
  const Place place = PlaceOfUsage(team_id, app_id);
  return GetOrDefault<Usage>(overlay, place.family, place.key);
}

absl::StatusOr<TeamQuotas> GetTeamQuotas(const Overlay& overlay, absl::string_view team_id) {
  return GetOrDefault<TeamQuotas>(overlay, Family::kTeams, TeamQuotasKey(team_id));
}

absl::StatusOr<ServerQuotas> GetServerQuotas(const Overlay& overlay) {
  return GetOrDefault<ServerQuotas>(overlay, Family::kNames, ServerQuotasKey());
}

const TeamQuotas::OfApp* FindApp(const TeamQuotas& quotas, absl::string_view app_id) {
  const auto at = std::lower_bound(
      quotas.apps().begin(), quotas.apps().end(), app_id,
      [](const TeamQuotas::OfApp& app, absl::string_view id) { return app.app_id() < id; });
  return at == quotas.apps().end() || at->app_id() != app_id ? nullptr : &*at;
}

absl::Status SetTeamQuota(Overlay* overlay, absl::string_view team_id,
                          const admin::v1::SetQuotaRequest& request) {
  BELLWIRE_ASSIGN_OR_RETURN(TeamQuotas quotas, GetTeamQuotas(*overlay, team_id));
  const QuotaSubject& subject = request.subject();
  if (subject.id() == team_id) {
    Apply(request, subject.kind() == QuotaSubject::TEAM ? quotas.mutable_team()
                                                        : quotas.mutable_token());
    if (quotas.team().ByteSizeLong() == 0) quotas.clear_team();
    if (quotas.token().ByteSizeLong() == 0) quotas.clear_token();
  } else {
    TeamQuotas::OfApp* const app = AppOf(&quotas, subject.id());
    Apply(request,
          subject.kind() == QuotaSubject::APP ? app->mutable_app() : app->mutable_token());
    if (app->app().ByteSizeLong() == 0) app->clear_app();
    if (app->token().ByteSizeLong() == 0) app->clear_token();
    if (!app->has_app() && !app->has_token()) {
      auto& apps = *quotas.mutable_apps();
      apps.erase(std::find_if(apps.begin(), apps.end(), [&](const TeamQuotas::OfApp& other) {
        return other.app_id() == subject.id();
      }));
    }
  }
  PutOrDelete(overlay, Family::kTeams, TeamQuotasKey(team_id), quotas);
  return absl::OkStatus();
}

absl::Status SetServerQuota(Overlay* overlay, const admin::v1::SetQuotaRequest& request) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerQuotas quotas, GetServerQuotas(*overlay));
  const auto quota_of = [&](QuotaSubject::Kind kind) -> Quota* {
    switch (kind) {
      case QuotaSubject::TEAM:
        return quotas.mutable_team();
      case QuotaSubject::APP:
        return quotas.mutable_app();
      case QuotaSubject::TOKEN:
        return quotas.mutable_token();
      case QuotaSubject::SUBSCRIPTION:
        return quotas.mutable_subscription();
      default:
        return quotas.mutable_all_subscriptions();
    }
  };
  Apply(request, quota_of(request.subject().kind()));
  overlay->Put(Family::kNames, ServerQuotasKey(), quotas.SerializeAsString());
  return absl::OkStatus();
}

absl::Status ForgetUsage(Overlay* overlay, absl::string_view team_id, absl::string_view app_id) {
  if (!app_id.empty()) {
    overlay->Delete(Family::kTeams, TeamUsageKey(team_id, app_id));
    return absl::OkStatus();
  }
  std::vector<std::string> keys;
  BELLWIRE_RETURN_IF_ERROR(overlay->Scan(Family::kTeams, TeamUsageKey(team_id, ""),
                                         TeamUsageEnd(team_id),
                                         [&](absl::string_view key, absl::string_view) {
                                           keys.emplace_back(key);
                                           return true;
                                         }));
  for (const std::string& key : keys) overlay->Delete(Family::kTeams, key);
  return absl::OkStatus();
}

absl::Status ForgetQuotas(Overlay* overlay, absl::string_view team_id, absl::string_view app_id) {
  if (app_id.empty()) {
    overlay->Delete(Family::kTeams, TeamQuotasKey(team_id));
    return absl::OkStatus();
  }
  BELLWIRE_ASSIGN_OR_RETURN(TeamQuotas quotas, GetTeamQuotas(*overlay, team_id));
  auto& apps = *quotas.mutable_apps();
  const auto at = std::find_if(apps.begin(), apps.end(), [&](const TeamQuotas::OfApp& app) {
    return app.app_id() == app_id;
  });
  if (at == apps.end()) return absl::OkStatus();
  apps.erase(at);
  PutOrDelete(overlay, Family::kTeams, TeamQuotasKey(team_id), quotas);
  return absl::OkStatus();
}

}  // namespace bellwire::registry
