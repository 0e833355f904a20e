#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using admin::v1::AdminService;
using admin::v1::Quota;
using admin::v1::QuotaReport;
using admin::v1::QuotaSubject;

constexpr int64_t kNoLimit = -1;

// A flag of `set`, and the field that it is.
struct Limit {
  const char* name;
  const char* help;
  bool (Quota::*has)() const;
  int64_t (Quota::*get)() const;
  void (Quota::*set)(int64_t);
};
constexpr Limit kLimits[] = {
    {"messages_per_second", "On average; as many as one second allows may come at once",
     &Quota::has_messages_per_second, &Quota::messages_per_second, &Quota::set_messages_per_second},
    {"messages_per_day", "From 00:00 UTC on", &Quota::has_messages_per_day,
     &Quota::messages_per_day, &Quota::set_messages_per_day},
    {"bytes_waiting", "Of messages that wait for phones, with 256 bytes for each; also 10M, 2G",
     &Quota::has_bytes_waiting, &Quota::bytes_waiting, &Quota::set_bytes_waiting},
    {"receipt_streams", "Streams of receipts at a time, at most 64; of a team only",
     &Quota::has_receipt_streams, &Quota::receipt_streams, &Quota::set_receipt_streams},
    {"topics", "Topics with a subscriber; of a team only", &Quota::has_topics, &Quota::topics,
     &Quota::set_topics},
};

struct Flags : AdminFlags {
  std::string of;
  // By the order of kLimits; empty: not given.
  std::vector<std::string> values = std::vector<std::string>(std::size(kLimits));
};

// "10M"; -1 for "none". nullopt: it is no number.
std::optional<int64_t> ParseLimit(std::string text) {
  if (text == "none") return kNoLimit;
  int64_t factor = 1;
  if (absl::EndsWith(text, "K")) factor = int64_t{1} << 10;
  if (absl::EndsWith(text, "M")) factor = int64_t{1} << 20;
  if (absl::EndsWith(text, "G")) factor = int64_t{1} << 30;
  if (factor != 1) text.pop_back();
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < 0 || value > INT64_MAX / factor) {
    return std::nullopt;
  }
  return value * factor;
}

// TEAM, APP, tokens:TEAM, tokens:APP, teams, apps, tokens, subscription, subscriptions.
QuotaSubject ParseSubject(absl::string_view of) {
  QuotaSubject subject;
  constexpr absl::string_view kTokensOf = "tokens:";
  if (of == "teams") {
    subject.set_kind(QuotaSubject::TEAM);
  } else if (of == "apps") {
    subject.set_kind(QuotaSubject::APP);
  } else if (of == "tokens") {
    subject.set_kind(QuotaSubject::TOKEN);
  } else if (of == "subscription") {
    subject.set_kind(QuotaSubject::SUBSCRIPTION);
  } else if (of == "subscriptions") {
    subject.set_kind(QuotaSubject::ALL_SUBSCRIPTIONS);
  } else if (absl::StartsWith(of, kTokensOf)) {
    subject.set_kind(QuotaSubject::TOKEN);
    subject.set_id(std::string(of.substr(kTokensOf.size())));
  } else {
    subject.set_kind(absl::StrContains(of, '.') ? QuotaSubject::APP : QuotaSubject::TEAM);
    subject.set_id(std::string(of));
  }
  return subject;
}

// The reverse.
std::string Render(const QuotaSubject& subject) {
  switch (subject.kind()) {
    case QuotaSubject::TEAM:
      return subject.id().empty() ? "teams" : subject.id();
    case QuotaSubject::APP:
      return subject.id().empty() ? "apps" : subject.id();
    case QuotaSubject::TOKEN:
      return subject.id().empty() ? "tokens" : absl::StrCat("tokens:", subject.id());
    case QuotaSubject::SUBSCRIPTION:
      return "subscription";
    default:
      return "subscriptions";
  }
}

// "5 of 100", "5", or "-".
std::string Cell(const QuotaReport& report, const Limit& limit) {
  if (!(report.holds().*limit.has)()) return "-";
  const int64_t most = (report.holds().*limit.get)();
  std::string cell = most == kNoLimit ? "no limit" : absl::StrCat(most);
  if ((report.set().*limit.has)()) absl::StrAppend(&cell, " *");
  return cell;
}

nlohmann::ordered_json ToJson(const QuotaReport& report) {
  nlohmann::ordered_json json = {{"of", Render(report.subject())}};
  for (const Limit& limit : kLimits) {
    if (!(report.holds().*limit.has)()) continue;
    json["holds"][limit.name] = (report.holds().*limit.get)();
    if ((report.set().*limit.has)()) json["set"][limit.name] = (report.set().*limit.get)();
  }
  if (report.has_usage()) {
    const admin::v1::QuotaUsage& usage = report.usage();
    json["usage"] = {{"messages_today", usage.messages_today()},
                     {"bytes_waiting", usage.bytes_waiting()},
                     {"receipt_streams", usage.receipt_streams()},
                     {"topics", usage.topics()},
                     {"refused", usage.refused()}};
  }
  return json;
}

void Print(const google::protobuf::RepeatedPtrField<QuotaReport>& reports, Terminal& out) {
  std::vector<std::vector<std::string>> limits;
  std::vector<std::vector<std::string>> uses;
  for (const QuotaReport& report : reports) {
    if (out.json()) {
      out.Json(ToJson(report));
      continue;
    }
    std::vector<std::string> row = {Render(report.subject())};
    for (const Limit& limit : kLimits) row.push_back(Cell(report, limit));
    limits.push_back(std::move(row));
    if (!report.has_usage()) continue;
    const admin::v1::QuotaUsage& usage = report.usage();
    uses.push_back({Render(report.subject()), absl::StrCat(usage.messages_today()),
                    absl::StrCat(usage.bytes_waiting()), absl::StrCat(usage.receipt_streams()),
                    absl::StrCat(usage.topics()), absl::StrCat(usage.refused())});
  }
  if (out.json()) return;
  out.Table({"QUOTA OF", "A SECOND", "A DAY", "BYTES WAITING", "RECEIPT STREAMS", "TOPICS"},
            limits);
  if (!uses.empty()) {
    out.Line("");
    out.Table({"USED BY", "TODAY", "BYTES WAITING", "RECEIPT STREAMS", "TOPICS", "REFUSED"}, uses);
  }
  out.Line("* set for this one; the others hold by default");
}

absl::Status Show(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::GetQuotaRequest request;
  request.set_team_id(flags.of);
  admin::v1::GetQuotaResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::GetQuota, request, &response));
  Print(response.quotas(), *context->terminal);
  return absl::OkStatus();
}

absl::Status Set(const Flags& flags, CommandContext* context) {
  admin::v1::SetQuotaRequest request;
  *request.mutable_subject() = ParseSubject(flags.of);
  bool anything = false;
  for (size_t i = 0; i < std::size(kLimits); ++i) {
    const std::string& text = flags.values[i];
    if (text.empty()) continue;
    anything = true;
    if (text == "default") {
      request.add_clear(kLimits[i].name);
      continue;
    }
    const std::optional<int64_t> value = ParseLimit(text);
    if (!value.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", kLimits[i].name, " takes a number, none or default, and not \"", text,
                       "\""));
    }
    (request.mutable_set()->*kLimits[i].set)(*value);
  }
  if (!anything) {
    return absl::InvalidArgumentError("name a limit, such as --messages_per_day 100000");
  }
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  QuotaReport report;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::SetQuota, request, &report));
  Terminal& out = *context->terminal;
  if (!out.json()) {
    out.Line(absl::StrCat(out.Good("changed"), "  the quota of ",
                          out.Bold(Render(report.subject())), "; it holds from now on"));
  }
  google::protobuf::RepeatedPtrField<QuotaReport> reports;
  *reports.Add() = std::move(report);
  Print(reports, out);
  return absl::OkStatus();
}

}  // namespace

void AddQuotaCommand(CLI::App* root, CommandContext* context) {
  CLI::App* quota = root->add_subcommand("quota", "How much teams, apps, tokens and subscriptions "
                                                  "may use, and what they use")
                        ->require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* show = quota->add_subcommand("show", "Show what holds, and what is used");
  show->add_option("TEAM", flags->of, "As `team list` shows it [what holds by default]")
      ->type_name("");
  AddAdminFlags(show, flags.get());
  AddJsonFlag(show, context);
  SetExamples(show,
              "  bellwire quota show --data_dir ./data\n"
              "  bellwire quota show TEAM --data_dir ./data --json");
  show->callback([=] { context->run = [=] { return Show(*flags, context); }; });

  CLI::App* set = quota->add_subcommand(
      "set",
      "Change limits; they hold within a second. Each is a number, `none` for no limit, or "
      "`default` to take back what was set");
  set->add_option("OF", flags->of,
                  "A team, an app, tokens:TEAM or tokens:APP for each of their tokens; teams, apps "
                  "or tokens for all that have none of their own; subscription for each "
                  "subscription of a phone, subscriptions for all of them together")
      ->type_name("")
      ->required();
  for (size_t i = 0; i < std::size(kLimits); ++i) {
    set->add_option(absl::StrCat("--", kLimits[i].name), flags->values[i], kLimits[i].help)
        ->type_name("N");
  }
  AddAdminFlags(set, flags.get());
  AddJsonFlag(set, context);
  SetExamples(set,
              "  bellwire quota set TEAM --messages_per_second 100 --bytes_waiting 200M "
              "--data_dir ./data\n"
              "  bellwire quota set tokens:com.example.mail --messages_per_day 500 "
              "--data_dir ./data\n"
              "  bellwire quota set TEAM --messages_per_second default --data_dir ./data");
  set->callback([=] { context->run = [=] { return Set(*flags, context); }; });
}

}  // namespace bellwire::cli
