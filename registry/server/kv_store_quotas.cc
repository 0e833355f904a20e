// KvStore: quotas.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "registry/catalogue/catalogue.h"
#include "registry/quotas/quota_records.h"
#include "registry/server/kv_store.h"
#include "registry/topics/topic_list.h"

namespace bellwire::registry {

using admin::v1::QuotaSubject;
using storage::v1::Registration;

absl::Status KvStore::KnowQuotas(absl::string_view team_id) {
  if (quotas_.Knows(team_id)) return absl::OkStatus();
  // What the team uses is in its records then, whatever is staged.
  bool more = true;
  while (more) {
    BELLWIRE_ASSIGN_OR_RETURN(const RelayResult relayed, RelayReceipts(kMaxRelayEntries));
    more = relayed.more;
  }
  return quotas_.Learn(team_id);
}

absl::StatusOr<admin::v1::GetQuotaResponse> KvStore::GetQuota(absl::string_view team_id) {
  BELLWIRE_RETURN_IF_ERROR(KnowQuotas(team_id));
  if (team_id.empty()) return quotas_.GetServer();
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<admin::v1::App> apps, ListApps(team_id));
  std::vector<std::string> app_ids;
  for (const admin::v1::App& app : apps) app_ids.push_back(app.app_id());
  BELLWIRE_RETURN_IF_ERROR(CatchUpWithCounts());
  BELLWIRE_ASSIGN_OR_RETURN(const uint32_t topics, TopicsOf(team_id).Topics());
  return quotas_.Get(team_id, app_ids, topics);
}

absl::StatusOr<admin::v1::QuotaReport> KvStore::SetQuota(
    const admin::v1::SetQuotaRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  const QuotaSubject& subject = request.subject();
  std::string team_id;
  if (subject.id().empty()) {
    BELLWIRE_RETURN_IF_ERROR(SetServerQuota(&staged_, request));
    quotas_.Forget();
  } else {
    BELLWIRE_ASSIGN_OR_RETURN(team_id, TeamOf(subject));
    BELLWIRE_RETURN_IF_ERROR(SetTeamQuota(&staged_, team_id, request));
    quotas_.Forget(team_id);
  }
  BELLWIRE_ASSIGN_OR_RETURN(const admin::v1::GetQuotaResponse quotas, GetQuota(team_id));
  for (const admin::v1::QuotaReport& report : quotas.quotas()) {
    if (report.subject().kind() == subject.kind() && report.subject().id() == subject.id()) {
      return report;
    }
  }
  // Of the tokens of an app for which nothing is set any more: what holds for the team's.
  admin::v1::QuotaReport report = quotas.quotas(1);
  *report.mutable_subject() = subject;
  report.clear_set();
  return report;
}

absl::StatusOr<std::string> KvStore::TeamOf(const QuotaSubject& subject) {
  // An app's id has a dot, and a team's has none.
  const bool is_app = absl::StrContains(subject.id(), '.');
  if ((subject.kind() == QuotaSubject::TEAM && is_app) ||
      (subject.kind() == QuotaSubject::APP && !is_app)) {
    return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_QUOTA",
                               absl::StrCat("the id is that of ", is_app ? "an app" : "a team",
                                            ", and the quota is of ",
                                            is_app ? "a team" : "an app")),
                     "subject.id");
  }
  if (is_app) {
    BELLWIRE_ASSIGN_OR_RETURN(const admin::v1::App app, Catalogue(&staged_).GetApp(subject.id()));
    return app.team_id();
  }
  BELLWIRE_ASSIGN_OR_RETURN(const admin::v1::Team team, Catalogue(&staged_).GetTeam(subject.id()));
  return team.team_id();
}

absl::Status KvStore::NoteReceiptStream(absl::string_view team_id, uint64_t stream, bool ended) {
  // One registry counts them: every stream reads feed 0 there.
  if (!CheckHome().ok()) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(KnowQuotas(team_id));
  return quotas_.NoteStream(team_id, stream, ended);
}

absl::Status KvStore::CountAccepted(DeviceTransaction& tx, const TokenRef& token,
                                    absl::string_view name, const QuotaBook::Message& message) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                            tx.FindRegistration(token.registration_id));
  const uint32_t today = DayOf(tx.now_ms());
  tx.CountAccepted(token.registration_id, today);
  quotas_.Take(*registration, name, message);
  if (!quotas_.CountsDaysOf(*registration)) return absl::OkStatus();
  Registration* const counts = tx.MutableRegistration(token.registration_id);
  if (counts->counted_day() != today) counts->set_counted_messages(0);
  counts->set_counted_day(today);
  counts->set_counted_messages(counts->counted_messages() + 1);
  return absl::OkStatus();
}

absl::Status KvStore::AdmitTopic(absl::string_view team_id, absl::string_view topic) {
  // Most topics have somebody: they cost one look.
  BELLWIRE_ASSIGN_OR_RETURN(uint64_t subscribers, TopicsOf(team_id).Subscribers(topic));
  if (subscribers > 0) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(KnowQuotas(team_id));
  BELLWIRE_RETURN_IF_ERROR(CatchUpWithCounts());
  TopicList topics = TopicsOf(team_id);
  BELLWIRE_ASSIGN_OR_RETURN(subscribers, topics.Subscribers(topic));
  if (subscribers > 0) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(const uint32_t count, topics.Topics());
  return quotas_.AdmitTopic(team_id, count);
}

}  // namespace bellwire::registry
