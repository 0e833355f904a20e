#include "registry/quotas/limits.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"

namespace bellwire::registry {
namespace {

using admin::v1::Quota;
using admin::v1::QuotaSubject;

// A field of Quota, and who has it.
struct Field {
  absl::string_view name;
  bool (Quota::*has)() const;
  int64_t (Quota::*get)() const;
  void (Quota::*set)(int64_t);
  void (Quota::*clear)();
  int64_t Limits::*limit;
  int64_t most;
  bool of_teams_only;
};

#define BELLWIRE_QUOTA_FIELD(field, most, of_teams_only)                                     \
  {#field,         &Quota::has_##field, &Quota::field, &Quota::set_##field,                  \
   &Quota::clear_##field, &Limits::field, most, of_teams_only}
const Field kFields[] = {
    BELLWIRE_QUOTA_FIELD(messages_per_second, kMaxMessagesPerSecondLimit, false),
    BELLWIRE_QUOTA_FIELD(messages_per_day, kMaxLimit, false),
    BELLWIRE_QUOTA_FIELD(bytes_waiting, kMaxLimit, false),
    BELLWIRE_QUOTA_FIELD(receipt_streams, kMaxReceiptStreamsLimit, true),
    BELLWIRE_QUOTA_FIELD(topics, kMaxLimit, true),
};
#undef BELLWIRE_QUOTA_FIELD

const Field* FindField(absl::string_view name) {
  const auto* const field = std::find_if(std::begin(kFields), std::end(kFields),
                                         [&](const Field& f) { return f.name == name; });
  return field == std::end(kFields) ? nullptr : field;
}

absl::Status Bad(absl::string_view message, absl::string_view field) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_QUOTA", message), field);
}

bool IsOf(const Field& field, QuotaSubject::Kind kind) {
  return !field.of_teams_only || kind == QuotaSubject::TEAM;
}

absl::Status NotOf(const Field& field, QuotaSubject::Kind kind, absl::string_view where) {
  return Bad(absl::StrCat("\"", field.name, "\" is a limit of teams, and not of a ",
                          QuotaKindName(kind)),
             where);
}

}  // namespace

Limits BuiltInLimits(QuotaSubject::Kind kind) {
  Limits limits;
  if (kind == QuotaSubject::TEAM) {
    limits.messages_per_day = kDefaultTeamMessagesPerDay;
    limits.receipt_streams = kMaxReceiptStreamsLimit;
    limits.topics = kDefaultTeamTopics;
  }
  if (kind == QuotaSubject::TEAM || kind == QuotaSubject::ALL_SUBSCRIPTIONS) {
    limits.bytes_waiting = kDefaultBytesWaiting;
    limits.bytes_waiting_by_default = true;
  }
  return limits;
}

Limits Resolve(const Quota& quota, Limits otherwise) {
  for (const Field& field : kFields) {
    if ((quota.*field.has)()) otherwise.*field.limit = (quota.*field.get)();
  }
  if (quota.has_bytes_waiting()) otherwise.bytes_waiting_by_default = false;
  return otherwise;
}

Quota ToQuota(const Limits& limits, QuotaSubject::Kind kind) {
  Quota quota;
  for (const Field& field : kFields) {
    if (IsOf(field, kind)) (quota.*field.set)(limits.*field.limit);
  }
  return quota;
}

void Apply(const admin::v1::SetQuotaRequest& request, Quota* quota) {
  for (const std::string& name : request.clear()) {
    if (const Field* field = FindField(name)) (quota->*field->clear)();
  }
  for (const Field& field : kFields) {
    if ((request.set().*field.has)()) (quota->*field.set)((request.set().*field.get)());
  }
}

absl::Status CheckSetQuota(const admin::v1::SetQuotaRequest& request) {
  const QuotaSubject::Kind kind = request.subject().kind();
  if (!QuotaSubject::Kind_IsValid(kind) || kind == QuotaSubject::KIND_UNSPECIFIED) {
    return Bad("the subject has no kind: a team, an app, a token, a subscription, or all of these",
               "subject.kind");
  }
  const std::string& id = request.subject().id();
  const bool has_id = kind == QuotaSubject::TEAM || kind == QuotaSubject::APP ||
                      kind == QuotaSubject::TOKEN;
  if (!has_id && !id.empty()) {
    return Bad("quotas of subscriptions are the server's: leave the id out", "subject.id");
  }
  if (id.size() > kMaxAppIdBytes) return Bad("the id is too long", "subject.id");
  for (const std::string& name : request.clear()) {
    const Field* const field = FindField(name);
    if (field == nullptr) {
      return Bad(absl::StrCat("there is no limit \"", name.substr(0, kMaxShortIdBytes), "\""),
                 "clear");
    }
    if (!IsOf(*field, kind)) return NotOf(*field, kind, "clear");
  }
  for (const Field& field : kFields) {
    if (!(request.set().*field.has)()) continue;
    const std::string where = absl::StrCat("set.", field.name);
    const int64_t value = (request.set().*field.get)();
    if (!IsOf(field, kind)) return NotOf(field, kind, where);
    // Waits for receipts are bounded for each team: no more of them can be allowed.
    if (value < kNoLimit || value > field.most) {
      return Bad(absl::StrCat(field.name, " is -1 (no limit), or from 0 to ", field.most,
                              ", and not ", value),
                 where);
    }
  }
  return absl::OkStatus();
}

absl::string_view QuotaKindName(QuotaSubject::Kind kind) {
  switch (kind) {
    case QuotaSubject::TEAM:
      return "team";
    case QuotaSubject::APP:
      return "app";
    case QuotaSubject::TOKEN:
      return "token";
    case QuotaSubject::SUBSCRIPTION:
      return "subscription";
    case QuotaSubject::ALL_SUBSCRIPTIONS:
      return "subscriptions";
    default:
      return "";
  }
}

}  // namespace bellwire::registry
