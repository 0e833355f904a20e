#include "registry/quotas/quota_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/keys/keys.h"
#include "registry/quotas/quota_records.h"

namespace bellwire::registry {
namespace {

using admin::v1::Quota;
using admin::v1::QuotaReport;
using admin::v1::QuotaSubject;
using storage::v1::Registration;
using storage::v1::ServerQuotas;
using storage::v1::TeamQuotas;

// How often the room on the disk is asked for.
constexpr absl::Duration kFreeBytesAge = absl::Seconds(1);

// "100 messages a second"
std::string Allowance(absl::string_view field, int64_t limit) {
  if (field == "messages_per_second") return absl::StrCat(limit, " messages a second");
  if (field == "messages_per_day") return absl::StrCat(limit, " messages a day (UTC)");
  if (field == "bytes_waiting") return absl::StrCat(limit, " bytes of messages that wait");
  if (field == "topics") return absl::StrCat(limit, " topics");
  return absl::StrCat(limit, " streams of receipts at a time");
}

}  // namespace

QuotaBook::QuotaBook(Overlay* staged, Options options)
    : staged_(staged), options_(std::move(options)) {}

const QuotaBook::Team* QuotaBook::FindTeam(absl::string_view team_id) const {
  const auto it = teams_.find(team_id);
  return it == teams_.end() ? nullptr : &it->second;
}

QuotaBook::Team& QuotaBook::TeamOf(absl::string_view team_id) {
  const auto it = teams_.find(team_id);
  if (it != teams_.end()) return it->second;
  ++known_;
  return teams_[std::string(team_id)];
}

QuotaBook::App& QuotaBook::AppOf(Team* team, absl::string_view app_id) {
  const auto it = team->apps.find(app_id);
  if (it != team->apps.end()) return it->second;
  ++known_;
  App& app = team->apps[std::string(app_id)];
  app.limits = team->app_limits;
  app.token = team->token;
  return app;
}

bool QuotaBook::Knows(absl::string_view team_id) const {
  const Team* const team = FindTeam(team_id);
  if (team == nullptr || !team->known) return false;
  return !options_.share || options_.clock->Monotonic() < team->known_until;
}

void QuotaBook::AddUse(const storage::v1::Usage& usage, bool other, Subject* subject) const {
  const auto add = [&usage](Use* use) {
    use->bytes_waiting += static_cast<int64_t>(usage.bytes_waiting());
    if (usage.day() < use->day) return;
    if (usage.day() > use->day) use->messages = 0;
    use->day = usage.day();
    use->messages += static_cast<int64_t>(usage.messages());
  };
  add(&subject->use);
  if (other) add(&subject->others);
}

int64_t QuotaBook::RateOf(const Subject& subject) const {
  const int64_t limit = subject.limits.messages_per_second;
  if (!options_.share || limit <= 0) return limit;
  const auto share = static_cast<int64_t>(static_cast<double>(limit) * options_.share());
  const int64_t rest = subject.others_rate.has_value()
                           ? limit - static_cast<int64_t>(*subject.others_rate)
                           : 0;
  return std::clamp<int64_t>(std::max(share, rest), 1, limit);
}

absl::Status QuotaBook::Learn(absl::string_view team_id) {
  if (known_ >= kMaxKnownQuotas) {
    teams_.clear();
    known_ = 0;
  }
  BELLWIRE_ASSIGN_OR_RETURN(const ServerQuotas server, GetServerQuotas(*staged_));
  const Limits token = Resolve(server.token(), BuiltInLimits(QuotaSubject::TOKEN));
  Team& team = TeamOf(team_id);
  const MonotonicTime began = options_.clock->Monotonic();
  BELLWIRE_RETURN_IF_ERROR(ReadUse(team_id, &team));
  learn_time_ += (options_.clock->Monotonic() - began - learn_time_) / 8;
  team.learned_at = began;
  team.known_until =
      began + std::max(kOthersAge, 20 * learn_time_ * static_cast<int64_t>(teams_.size()));
  if (team_id.empty()) {
    team.limits = Resolve(server.all_subscriptions(),
                          BuiltInLimits(QuotaSubject::ALL_SUBSCRIPTIONS));
    team.token = Resolve(server.subscription(), BuiltInLimits(QuotaSubject::SUBSCRIPTION));
    team.known = true;
    return absl::OkStatus();
  }
  BELLWIRE_ASSIGN_OR_RETURN(const TeamQuotas quotas, GetTeamQuotas(*staged_, team_id));
  team.limits = Resolve(quotas.team(), Resolve(server.team(), BuiltInLimits(QuotaSubject::TEAM)));
  team.token = Resolve(quotas.token(), token);
  team.app_limits = Resolve(server.app(), BuiltInLimits(QuotaSubject::APP));
  for (auto& [id, app] : team.apps) {
    app.limits = team.app_limits;
    app.token = team.token;
  }
  for (const TeamQuotas::OfApp& set : quotas.apps()) {
    App& app = AppOf(&team, set.app_id());
    app.limits = Resolve(set.app(), team.app_limits);
    app.token = Resolve(set.token(), team.token);
  }
  team.known = true;
  return absl::OkStatus();
}

absl::Status QuotaBook::ReadUse(absl::string_view team_id, Team* team) {
  const Team before = *team;
  const auto begin = [](Subject* subject) {
    subject->use = {};
    subject->others = {};
    subject->others_rate.reset();
  };
  begin(team);
  for (auto& [id, app] : team->apps) begin(&app);
  for (const uint32_t feed : options_.feeds.all()) {
    const bool other = feed != options_.feeds.own;
    const std::string name = FeedName(team_id, feed);
    BELLWIRE_ASSIGN_OR_RETURN(const storage::v1::Usage of_team, GetUsage(*staged_, name, ""));
    AddUse(of_team, other, team);
    if (team_id.empty()) continue;
    BELLWIRE_RETURN_IF_ERROR(staged_->Scan(
        Family::kTeams, TeamUsageKey(name, ""), TeamUsageEnd(name),
        [&](absl::string_view key, absl::string_view value) {
          storage::v1::Usage usage;
          const absl::string_view app_id = AppOfUsageKey(key);
          // One that is damaged counts from zero on; the check of a store finds it.
          if (!app_id.empty() &&
              usage.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
            AddUse(usage, other, &AppOf(team, app_id));
          }
          return true;
        }));
  }
  if (!options_.share || !before.known) return absl::OkStatus();
  const double seconds =
      absl::ToDoubleSeconds(options_.clock->Monotonic() - before.learned_at);
  const auto rate = [seconds](const Subject& then, Subject* now) {
    if (seconds <= 0 || then.others.day != now->others.day) return;
    const int64_t more = now->others.messages - then.others.messages;
    now->others_rate = static_cast<double>(std::max<int64_t>(more, 0)) / seconds;
  };
  rate(before, team);
  for (auto& [id, app] : team->apps) {
    const auto then = before.apps.find(id);
    if (then != before.apps.end()) rate(then->second, &app);
  }
  return absl::OkStatus();
}

void QuotaBook::Forget() {
  for (auto& [id, team] : teams_) team.known = false;
}

void QuotaBook::Forget(absl::string_view team_id) {
  const auto it = teams_.find(team_id);
  if (it != teams_.end()) it->second.known = false;
}

uint32_t QuotaBook::Today() const { return DayOf(ToStoredMs(options_.clock->WallNow())); }

int64_t QuotaBook::MessagesToday(const Use& use) const {
  return use.day == Today() ? use.messages : 0;
}

absl::Duration QuotaBook::UntilTomorrow() const {
  return absl::FromUnixSeconds((int64_t{Today()} + 1) * 24 * 60 * 60) - options_.clock->WallNow();
}

absl::Duration QuotaBook::RetryAfter(absl::Duration wait) {
  return std::max(wait, kMinQuotaRetryAfter);
}

int64_t QuotaBook::BytesLimit(const Limits& limits) const {
  if (!limits.bytes_waiting_by_default || !options_.free_bytes) return limits.bytes_waiting;
  const MonotonicTime now = options_.clock->Monotonic();
  if (!free_bytes_at_.has_value() || now - *free_bytes_at_ >= kFreeBytesAge) {
    free_bytes_ = options_.free_bytes();
    free_bytes_at_ = now;
  }
  if (!free_bytes_.has_value()) return limits.bytes_waiting;
  return std::min(limits.bytes_waiting, static_cast<int64_t>(*free_bytes_) / kDiskPart);
}

std::optional<QuotaBook::Refusal> QuotaBook::Judge(const Subject& subject, Kind kind,
                                                   const Message& message) const {
  const Limits& limits = subject.limits;
  if (limits.messages_per_day != kNoLimit &&
      MessagesToday(subject.use) >= limits.messages_per_day) {
    return Refusal{kind, "messages_per_day", limits.messages_per_day, UntilTomorrow()};
  }
  if (const int64_t limit = BytesLimit(limits);
      message.bytes > 0 && limit != kNoLimit && subject.use.bytes_waiting + message.bytes > limit) {
    return Refusal{kind, "bytes_waiting", limit, kMailboxFullRetryAfter};
  }
  if (message.of_fan_out || limits.messages_per_second == kNoLimit) return std::nullopt;
  const std::optional<absl::Duration> wait =
      limits.messages_per_second == 0
          ? kQuotaRetryAfter
          : subject.rate.Wait(RateOf(subject), options_.clock->Monotonic());
  if (!wait.has_value()) return std::nullopt;
  return Refusal{kind, "messages_per_second", limits.messages_per_second, RetryAfter(*wait)};
}

const Limits& QuotaBook::TokenLimits(const Team& team, const Registration& registration) const {
  const auto app = team.apps.find(registration.app_id());
  return app == team.apps.end() ? team.token : app->second.token;
}

std::optional<QuotaBook::Refusal> QuotaBook::JudgeToken(const Limits& limits,
                                                        const Registration& registration,
                                                        absl::string_view token,
                                                        const Message& message) const {
  const Kind kind =
      registration.has_subscription() ? QuotaSubject::SUBSCRIPTION : QuotaSubject::TOKEN;
  if (limits.messages_per_day != kNoLimit) {
    const bool today = registration.counted_day() == Today();
    const auto messages = today ? static_cast<int64_t>(registration.counted_messages()) : 0;
    if (messages >= limits.messages_per_day) {
      return Refusal{kind, "messages_per_day", limits.messages_per_day, UntilTomorrow()};
    }
  }
  if (message.bytes > 0 && limits.bytes_waiting != kNoLimit &&
      static_cast<int64_t>(registration.waiting_bytes()) + message.bytes > limits.bytes_waiting) {
    return Refusal{kind, "bytes_waiting", limits.bytes_waiting, kMailboxFullRetryAfter};
  }
  if (message.of_fan_out || limits.messages_per_second == kNoLimit) return std::nullopt;
  std::optional<absl::Duration> wait;
  if (limits.messages_per_second == 0) {
    wait = kQuotaRetryAfter;
  } else if (const auto it = tokens_.find(token); it != tokens_.end()) {
    wait = it->second.Wait(limits.messages_per_second, options_.clock->Monotonic());
  }
  if (!wait.has_value()) return std::nullopt;
  return Refusal{kind, "messages_per_second", limits.messages_per_second, RetryAfter(*wait)};
}

absl::Status QuotaBook::Refuse(const Refusal& refusal, Subject* subject) {
  if (subject != nullptr) ++subject->refused;
  refused_[static_cast<size_t>(refusal.kind)].Add();
  const absl::string_view who = refusal.kind == QuotaSubject::ALL_SUBSCRIPTIONS
                                    ? "all subscriptions together"
                                    : QuotaKindName(refusal.kind);
  absl::Status status = MakeError(
      absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED",
      absl::StrCat("The quota of this ", who, " is ", Allowance(refusal.field, refusal.limit),
                   ". Nothing was done. Whoever runs the server can change it (bellwire quota)."));
  status = WithMetadata(std::move(status), "quota", refusal.field);
  status = WithMetadata(std::move(status), "quota_of", QuotaKindName(refusal.kind));
  return WithRetryAfter(std::move(status), refusal.retry_after);
}

absl::Status QuotaBook::Admit(const Registration& registration, absl::string_view token,
                              const Message& message) {
  Team& team = TeamOf(registration.team_id());
  // The one with the longest wait comes first: the others would only be in its way.
  const Kind of_all =
      registration.has_subscription() ? QuotaSubject::ALL_SUBSCRIPTIONS : QuotaSubject::TEAM;
  if (const auto refusal = Judge(team, of_all, message)) return Refuse(*refusal, &team);
  if (!registration.has_subscription()) {
    App& app = AppOf(&team, registration.app_id());
    if (const auto refusal = Judge(app, QuotaSubject::APP, message)) return Refuse(*refusal, &app);
  }
  if (const auto refusal =
          JudgeToken(TokenLimits(team, registration), registration, token, message)) {
    return Refuse(*refusal, nullptr);
  }
  return absl::OkStatus();
}

void QuotaBook::Take(const Registration& registration, absl::string_view token,
                     const Message& message) {
  if (message.of_fan_out) return;
  const MonotonicTime now = options_.clock->Monotonic();
  Team& team = TeamOf(registration.team_id());
  const auto take = [this, now](Subject* subject) {
    const int64_t rate = RateOf(*subject);
    if (rate > 0) subject->rate.Take(rate, now);
  };
  take(&team);
  if (!registration.has_subscription()) {
    App& app = AppOf(&team, registration.app_id());
    take(&app);
  }
  const Limits& limits = TokenLimits(team, registration);
  if (limits.messages_per_second <= 0) return;
  if (tokens_.size() >= drop_tokens_at_) DropIdleTokens();
  tokens_[std::string(token)].Take(limits.messages_per_second, now);
}

// Those that are left were sent to within the last second: no more than the writer can serve.
void QuotaBook::DropIdleTokens() {
  const MonotonicTime now = options_.clock->Monotonic();
  absl::erase_if(tokens_, [now](const auto& token) { return token.second.IsIdle(now); });
  drop_tokens_at_ = std::max<size_t>(1024, 2 * tokens_.size());
}

bool QuotaBook::CountsDaysOf(const Registration& registration) const {
  const Team* const team = FindTeam(registration.team_id());
  return team != nullptr && TokenLimits(*team, registration).messages_per_day != kNoLimit;
}

absl::Status QuotaBook::AdmitTopicMessage(absl::string_view team_id) {
  Team& team = TeamOf(team_id);
  if (const auto refusal = Judge(team, QuotaSubject::TEAM, {})) return Refuse(*refusal, &team);
  return absl::OkStatus();
}

absl::Status QuotaBook::TakeTopicMessage(absl::string_view team_id) {
  Team& team = TeamOf(team_id);
  if (team.limits.messages_per_second > 0) {
    team.rate.Take(RateOf(team), options_.clock->Monotonic());
  }
  const UsageChange change{.day = Today(), .messages = 1};
  BELLWIRE_RETURN_IF_ERROR(AddUsage(staged_, FeedName(team_id, options_.feeds.own), "", change));
  team.use.messages = MessagesToday(team.use) + 1;
  team.use.day = change.day;
  return absl::OkStatus();
}

absl::Status QuotaBook::AdmitTopic(absl::string_view team_id, uint64_t topics) {
  Team& team = TeamOf(team_id);
  const int64_t limit = team.limits.topics;
  if (limit == kNoLimit || static_cast<int64_t>(topics) < limit) return absl::OkStatus();
  return Refuse({QuotaSubject::TEAM, "topics", limit, kQuotaRetryAfter}, &team);
}

absl::Status QuotaBook::NoteStream(absl::string_view team_id, uint64_t stream, bool ended) {
  Team& team = TeamOf(team_id);
  if (ended) {
    team.streams.erase(stream);
    return absl::OkStatus();
  }
  const MonotonicTime now = options_.clock->Monotonic();
  if (const auto it = team.streams.find(stream); it != team.streams.end()) {
    it->second = now;
    return absl::OkStatus();
  }
  absl::erase_if(team.streams,
                 [now](const auto& s) { return now - s.second >= kReceiptStreamLease; });
  // One that nobody limits has the places of a server to itself, and no more.
  const int64_t limit = team.limits.receipt_streams == kNoLimit
                            ? static_cast<int64_t>(kMaxReceiptStreams)
                            : team.limits.receipt_streams;
  if (static_cast<int64_t>(team.streams.size()) >= limit) {
    return Refuse({QuotaSubject::TEAM, "receipt_streams", limit, kQuotaRetryAfter}, &team);
  }
  team.streams[stream] = now;
  return absl::OkStatus();
}

void QuotaBook::Note(const storage::v1::Outbox& outbox) {
  for (const storage::v1::OutboxUsage& change : outbox.usage()) {
    const auto it = teams_.find(change.team_id());
    if (it == teams_.end() || !it->second.known) continue;
    const auto add = [&change](Use* use) {
      use->bytes_waiting = std::max<int64_t>(use->bytes_waiting + change.bytes_waiting(), 0);
      if (change.messages() == 0 || change.day() < use->day) return;
      if (change.day() > use->day) use->messages = 0;
      use->day = change.day();
      use->messages += static_cast<int64_t>(change.messages());
    };
    add(&it->second.use);
    if (!change.app_id().empty()) add(&AppOf(&it->second, change.app_id()).use);
  }
}

QuotaReport QuotaBook::ReportOf(Kind kind, absl::string_view id, const Quota& set,
                                const Limits& holds) const {
  QuotaReport report;
  report.mutable_subject()->set_kind(kind);
  report.mutable_subject()->set_id(std::string(id));
  *report.mutable_set() = set;
  Limits limits = holds;
  limits.bytes_waiting = BytesLimit(holds);
  *report.mutable_holds() = ToQuota(limits, kind);
  return report;
}

void QuotaBook::FillUsage(const Subject& subject, QuotaReport* report) const {
  admin::v1::QuotaUsage& usage = *report->mutable_usage();
  usage.set_messages_today(MessagesToday(subject.use));
  usage.set_bytes_waiting(subject.use.bytes_waiting);
  usage.set_refused(subject.refused);
}

absl::StatusOr<admin::v1::GetQuotaResponse> QuotaBook::Get(absl::string_view team_id,
                                                           const std::vector<std::string>& app_ids,
                                                           uint64_t topics) {
  BELLWIRE_ASSIGN_OR_RETURN(const TeamQuotas quotas, GetTeamQuotas(*staged_, team_id));
  Team& team = TeamOf(team_id);
  admin::v1::GetQuotaResponse response;
  QuotaReport& of_team = *response.add_quotas();
  of_team = ReportOf(QuotaSubject::TEAM, team_id, quotas.team(), team.limits);
  FillUsage(team, &of_team);
  const MonotonicTime now = options_.clock->Monotonic();
  absl::erase_if(team.streams,
                 [now](const auto& s) { return now - s.second >= kReceiptStreamLease; });
  of_team.mutable_usage()->set_receipt_streams(static_cast<int64_t>(team.streams.size()));
  of_team.mutable_usage()->set_topics(static_cast<int64_t>(topics));
  *response.add_quotas() = ReportOf(QuotaSubject::TOKEN, team_id, quotas.token(), team.token);
  for (const std::string& app_id : app_ids) {
    const TeamQuotas::OfApp* const set = FindApp(quotas, app_id);
    const App& app = AppOf(&team, app_id);
    QuotaReport& of_app = *response.add_quotas();
    of_app = ReportOf(QuotaSubject::APP, app_id, set == nullptr ? Quota() : set->app(), app.limits);
    FillUsage(app, &of_app);
    if (set != nullptr && set->has_token()) {
      *response.add_quotas() = ReportOf(QuotaSubject::TOKEN, app_id, set->token(), app.token);
    }
  }
  return response;
}

absl::StatusOr<admin::v1::GetQuotaResponse> QuotaBook::GetServer() {
  BELLWIRE_ASSIGN_OR_RETURN(const ServerQuotas server, GetServerQuotas(*staged_));
  admin::v1::GetQuotaResponse response;
  const auto by_default = [&](Kind kind, const Quota& set) {
    *response.add_quotas() = ReportOf(kind, "", set, Resolve(set, BuiltInLimits(kind)));
  };
  by_default(QuotaSubject::TEAM, server.team());
  by_default(QuotaSubject::APP, server.app());
  by_default(QuotaSubject::TOKEN, server.token());
  by_default(QuotaSubject::SUBSCRIPTION, server.subscription());
  by_default(QuotaSubject::ALL_SUBSCRIPTIONS, server.all_subscriptions());
  FillUsage(TeamOf(""), response.mutable_quotas(response.quotas_size() - 1));
  return response;
}

void QuotaBook::Report(metrics::Samples* samples) const {
  for (const Kind kind : {QuotaSubject::TEAM, QuotaSubject::APP, QuotaSubject::TOKEN,
                          QuotaSubject::SUBSCRIPTION, QuotaSubject::ALL_SUBSCRIPTIONS}) {
    samples->Add(metrics::kQuotaRefused, {QuotaKindName(kind)},
                 refused_[static_cast<size_t>(kind)]);
  }
}

}  // namespace bellwire::registry
