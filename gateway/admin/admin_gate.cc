#include "gateway/admin/admin_gate.h"

#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/send/registry_error.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"

namespace bellwire::gateway {

absl::StatusOr<Administrator> AdminGate::Admit(const http::HeaderList& metadata,
                                               const std::string& peer, absl::string_view what,
                                               AdminRole role) {
  const absl::StatusOr<absl::string_view> token = BearerToken(metadata);
  if (!token.ok()) return token.status();
  return AdmitToken(*token, peer, what, role);
}

absl::StatusOr<Administrator> AdminGate::AdmitToken(absl::string_view token,
                                                    const std::string& peer, absl::string_view what,
                                                    AdminRole role) {
  absl::StatusOr<Administrator> who = credential_->Check(token, peer);
  AuditRecord record{.peer = peer, .what = std::string(what)};
  if (!who.ok()) {
    record.outcome = AuditOutcome(who.status());
    // As many as the brake lets through.
    if (absl::IsUnauthenticated(who.status())) Note(std::move(record));
    return who;
  }
  if (who->role >= role) return who;
  record.who = who->name;
  record.role = std::string(AdminRoleName(who->role));
  const absl::Status refused =
      MakeError(absl::StatusCode::kPermissionDenied, "ADMIN_ROLE",
                absl::StrCat(who->name, " is ", record.role, "; ", what, " takes ",
                             role == AdminRole::kOwner ? "an owner." : "an operator or an owner."));
  record.outcome = AuditOutcome(refused);
  Note(std::move(record));
  return refused;
}

absl::Status AdminGate::CheckTeam(const Administrator& who, absl::string_view team_id) {
  if (who.team_id.empty() || who.team_id == team_id) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kPermissionDenied, "ADMIN_TEAM",
      absl::StrCat(who.name, " administers team ", who.team_id, " and nothing else."));
}

void AdminGate::CheckApp(const Administrator& who, std::string app_id, Then then) {
  admin::v1::ListAppsRequest list;
  list.set_team_id(who.team_id);
  catalogue_->ListApps(
      std::move(list), [who, app_id = std::move(app_id), then = std::move(then)](
                           absl::StatusOr<admin::v1::ListAppsResponse> apps) mutable {
        if (!apps.ok()) return std::move(then)(FromRegistryError(apps.status()));
        const bool own = absl::c_any_of(
            apps->apps(), [&app_id](const admin::v1::App& app) { return app.app_id() == app_id; });
        std::move(then)(own ? absl::OkStatus() : CheckTeam(who, ""));
      });
}

void AdminGate::CheckKey(const Administrator& who, std::string key_id, Then then) {
  admin::v1::ListKeysRequest list;
  list.set_team_id(who.team_id);
  keys_->ListKeys(
      std::move(list), [who, key_id = std::move(key_id), then = std::move(then)](
                           absl::StatusOr<admin::v1::ListKeysResponse> keys) mutable {
        if (!keys.ok()) return std::move(then)(FromRegistryError(keys.status()));
        const bool own = absl::c_any_of(
            keys->keys(), [&key_id](const admin::v1::Key& key) { return key.key_id() == key_id; });
        std::move(then)(own ? absl::OkStatus() : CheckTeam(who, ""));
      });
}

void AdminGate::ListMethod(absl::string_view name, AdminRole role, bool of_team) {
  // Several ports may serve it.
  const bool is_known = absl::c_any_of(
      methods_, [name](const ListedMethod& method) { return method.name == name; });
  if (!is_known) methods_.push_back({std::string(name), role, of_team});
}

std::vector<std::string> AdminGate::MethodsFor(const Administrator& who) const {
  std::vector<std::string> names;
  for (const ListedMethod& method : methods_) {
    if (who.role >= method.role && (who.team_id.empty() || method.of_team)) {
      names.push_back(method.name);
    }
  }
  return names;
}

std::string AuditOutcome(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::string reason = ErrorReason(status);
  return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
}

void AddAuditNames(const google::protobuf::Message& message,
                   std::vector<std::pair<std::string, std::string>>* about) {
  static constexpr absl::string_view kNames[] = {
      "team_id", "app_id", "key_id", "name", "directory", "kind", "fcm", "send_only", "message_id",
      // Of devices.
      "enrolment_id", "devices", "device_id", "dry_run", "registrations", "messages",
      // Of quotas.
      "id", "messages_per_second", "messages_per_day", "bytes_waiting", "receipt_streams",
      "topics"};
  static constexpr absl::string_view kMessages[] = {"key", "enrolment", "subject", "set"};
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->name() == "clear" && field->is_repeated()) {
      std::vector<std::string> names;
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        names.push_back(reflection.GetRepeatedString(message, field, i));
      }
      about->emplace_back("clear", absl::StrJoin(names, ","));
      continue;
    }
    if (field->is_repeated()) continue;
    // The key of a CreateKeyResponse, the enrolment of a CreateEnrolmentResponse; whose quota is
    // set, and to what.
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      if (absl::c_linear_search(kMessages, absl::string_view(field->name()))) {
        AddAuditNames(reflection.GetMessage(message, field), about);
      }
      continue;
    }
    const bool is_named = absl::c_linear_search(kNames, absl::string_view(field->name()));
    const bool is_known =
        absl::c_any_of(*about, [field](const auto& entry) { return entry.first == field->name(); });
    if (!is_named || is_known) continue;
    std::string value;
    google::protobuf::TextFormat::PrintFieldValueToString(message, field, -1, &value);
    about->emplace_back(field->name(), absl::StripPrefix(absl::StripSuffix(value, "\""), "\""));
  }
}

}  // namespace bellwire::gateway
