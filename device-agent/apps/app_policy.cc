#include "device-agent/apps/app_policy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"

namespace bellwire::agent {
namespace {

constexpr absl::string_view kAllOthers = "*";

absl::Status Bad(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_POLICY", why);
}

}  // namespace

absl::StatusOr<AppPolicy> AppPolicy::Parse(absl::string_view text) {
  AppPolicy policy;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::Status status = ParseLine(line.substr(0, line.find('#')), &policy);
    if (!status.ok()) return Bad(absl::StrCat("line ", number, ": ", status.message()));
    if (policy.rules() > kMaxPolicyRules) {
      return Bad(absl::StrCat("line ", number, ": more than ", kMaxPolicyRules, " rules"));
    }
  }
  if (policy.rules_.empty()) {
    return Bad("there is no rule in it; to open every app id, start the agent without --policy");
  }
  return policy;
}

absl::Status AppPolicy::ParseLine(absl::string_view line, AppPolicy* policy) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (words.empty()) return absl::OkStatus();
  const absl::string_view app_id = words[0];
  if (app_id != kAllOthers && !IsValidAppId(app_id)) {
    return Bad(absl::StrCat("\"", app_id, "\" is neither an app id nor *"));
  }
  if (words.size() < 2) {
    return Bad(absl::StrCat(app_id, " has no condition: uid=, executable=, sandbox= or nobody"));
  }
  Rule rule;
  for (size_t i = 1; i < words.size(); ++i) {
    absl::string_view value = words[i];
    if (value == "nobody") {
      rule.nobody = true;
    } else if (absl::ConsumePrefix(&value, "uid=")) {
      uid_t uid = 0;
      if (rule.uid.has_value() || !absl::SimpleAtoi(value, &uid)) {
        return Bad(absl::StrCat("\"", words[i], "\" is not the number of one user"));
      }
      rule.uid = uid;
    } else if (absl::ConsumePrefix(&value, "executable=")) {
      if (rule.executable.has_value() || value.empty() || value[0] != '/') {
        return Bad(absl::StrCat("\"", words[i], "\" is not one absolute path"));
      }
      rule.executable = std::string(value);
    } else if (absl::ConsumePrefix(&value, "sandbox=")) {
      if (rule.sandbox.has_value() || value.empty()) {
        return Bad(absl::StrCat("\"", words[i], "\" is not one sandbox, such as flatpak:a.b"));
      }
      rule.sandbox = std::string(value);
    } else {
      return Bad(absl::StrCat("\"", words[i],
                              "\" is no condition: uid=, executable=, sandbox= or nobody"));
    }
  }
  if (rule.nobody && words.size() > 2) return Bad("nobody stands alone");
  policy->rules_[std::string(app_id)].push_back(std::move(rule));
  return absl::OkStatus();
}

absl::StatusOr<AppPolicy> AppPolicy::Load(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    const bool trusted_owner = info.st_uid == 0 || info.st_uid == geteuid();
    if (!trusted_owner || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      return MakeError(absl::StatusCode::kFailedPrecondition, "POLICY_NOT_PRIVATE",
                       absl::StrCat(path,
                                    " must belong to root, and nobody else may be able to write "
                                    "it: chown root and chmod 644 it"));
    }
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path));
  absl::StatusOr<AppPolicy> policy = Parse(text);
  if (!policy.ok()) return Bad(absl::StrCat(path, ": ", policy.status().message()));
  return policy;
}

bool AppPolicy::Allows(absl::string_view app_id, const AppOwner& who,
                       absl::string_view executable) const {
  auto rules = rules_.find(app_id);
  if (rules == rules_.end()) rules = rules_.find(kAllOthers);
  if (rules == rules_.end()) return true;
  return std::any_of(rules->second.begin(), rules->second.end(), [&](const Rule& rule) {
    return !rule.nobody && (!rule.uid.has_value() || *rule.uid == who.uid) &&
           (!rule.executable.has_value() || *rule.executable == executable) &&
           (!rule.sandbox.has_value() || *rule.sandbox == who.sandbox);
  });
}

size_t AppPolicy::rules() const {
  size_t sum = 0;
  for (const auto& [app_id, rules] : rules_) sum += rules.size();
  return sum;
}

}  // namespace bellwire::agent
