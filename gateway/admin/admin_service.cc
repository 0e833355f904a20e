#include "gateway/admin/admin_service.h"

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"
#include "crypto/provider_key.h"
#include "gateway/auth/access_token.h"
#include "gateway/auth/service_account.h"
#include "gateway/send/registry_error.h"
#include "gateway/send/validator.h"
#include "google/protobuf/timestamp.pb.h"

namespace bellwire::gateway {
namespace {

void SetToNow(const Clock& clock, google::protobuf::Timestamp* timestamp) {
  const int64_t now_ms = WallNowMs(clock);
  timestamp->set_seconds(now_ms / 1000);
  timestamp->set_nanos(static_cast<int32_t>(now_ms % 1000) * 1'000'000);
}

std::string AliasKeyId(absl::string_view team_id, absl::string_view name) {
  return absl::StrCat(team_id, "/", name);
}

// REQUIRES: `key` is of kind ALIAS.
admin::v1::Alias ToAlias(admin::v1::Key key) {
  admin::v1::Alias alias;
  alias.set_name(key.key_id().substr(key.key_id().find('/') + 1));
  alias.set_team_id(std::move(*key.mutable_team_id()));
  alias.set_token(std::move(*key.mutable_device_token()));
  *alias.mutable_create_time() = key.create_time();
  return alias;
}

absl::Status AliasNotFound(const admin::v1::DeleteAliasRequest& request) {
  return MakeError(
      absl::StatusCode::kNotFound, "ALIAS_NOT_FOUND",
      absl::StrCat("Team \"", request.team_id(), "\" has no alias \"", request.name(), "\"."));
}

// Passes the registry's answer on to the caller.
template <typename Request, typename Response>
Done<Response> Answer(std::shared_ptr<UnaryHandle<Request, Response>> call) {
  return [call = std::move(call)](absl::StatusOr<Response> answer) {
    if (!answer.ok()) return call->Finish(FromRegistryError(answer.status()));
    call->Finish(*std::move(answer));
  };
}

}  // namespace

template <typename Request, typename Response>
void AdminService::Add(MethodTable* methods, absl::string_view name, AdminRole role,
                       void (AdminService::*serve)(Call<Request, Response>, Request)) {
  gate_->AddMethod<Request, Response>(
      methods, name, role,
      [this, serve](const Administrator& who, Call<Request, Response> call, Request request) {
        if constexpr (std::is_same_v<Request, admin::v1::ListTeamsRequest>) {
          return ListTeamsFor(who, std::move(call), std::move(request));
        }
        (this->*serve)(std::move(call), std::move(request));
      });
}

void AdminService::AddTo(MethodTable* methods) {
  const AdminRole reads = AdminRole::kReadOnly;
  const AdminRole changes = AdminRole::kOperator;
  const AdminRole owns = AdminRole::kOwner;
  Add(methods, "AdminService/CreateTeam", changes, &AdminService::CreateTeam);
  Add(methods, "AdminService/ListTeams", reads, &AdminService::ListTeams);
  Add(methods, "AdminService/UpdateTeam", changes, &AdminService::UpdateTeam);
  Add(methods, "AdminService/DeleteTeam", owns, &AdminService::DeleteTeam);
  Add(methods, "AdminService/CreateApp", changes, &AdminService::CreateApp);
  Add(methods, "AdminService/ListApps", reads, &AdminService::ListApps);
  Add(methods, "AdminService/DeleteApp", owns, &AdminService::DeleteApp);
  Add(methods, "AdminService/CountRecords", reads, &AdminService::CountRecords);
  Add(methods, "AdminService/CreateKey", changes, &AdminService::CreateKey);
  Add(methods, "AdminService/ListKeys", reads, &AdminService::ListKeys);
  Add(methods, "AdminService/RevokeKey", changes, &AdminService::RevokeKey);
  Add(methods, "AdminService/CreateAlias", changes, &AdminService::CreateAlias);
  Add(methods, "AdminService/ListAliases", reads, &AdminService::ListAliases);
  Add(methods, "AdminService/DeleteAlias", changes, &AdminService::DeleteAlias);
  Add(methods, "AdminService/GetQuota", reads, &AdminService::GetQuota);
  Add(methods, "AdminService/SetQuota", changes, &AdminService::SetQuota);
  Add(methods, "BackupService/Backup", owns, &AdminService::Backup);
  Add(methods, "BackupService/GetPayloadKeys", reads, &AdminService::GetPayloadKeys);
  Add(methods, "DeviceService/CreateEnrolment", changes, &AdminService::CreateEnrolment);
  Add(methods, "DeviceService/ListEnrolments", reads, &AdminService::ListEnrolments);
  Add(methods, "DeviceService/DeleteEnrolment", changes, &AdminService::DeleteEnrolment);
  Add(methods, "DeviceService/ListDevices", reads, &AdminService::ListDevices);
  Add(methods, "DeviceService/GetDevice", reads, &AdminService::GetDevice);
  Add(methods, "DeviceService/RevokeDevice", changes, &AdminService::RevokeDevice);
  Add(methods, "DeviceService/DeleteDevice", owns, &AdminService::DeleteDevice);
}

void AdminService::CreateTeam(Call<admin::v1::CreateTeamRequest, admin::v1::Team> call,
                              admin::v1::CreateTeamRequest request) {
  if (request.name().empty() || request.name().size() > kMaxTeamNameBytes) {
    return call->Finish(
        InvalidField("BAD_NAME", "name",
                     absl::StrCat("A team's name has 1 to ", kMaxTeamNameBytes, " bytes; this has ",
                                  request.name().size(), ".")));
  }
  admin::v1::Team team;
  team.set_team_id(NewShortId());
  team.set_name(request.name());
  SetToNow(*clock_, team.mutable_create_time());
  catalogue_->PutTeam(std::move(team), Answer(std::move(call)));
}

void AdminService::UpdateTeam(Call<admin::v1::UpdateTeamRequest, admin::v1::Team> call,
                              admin::v1::UpdateTeamRequest request) {
  catalogue_->UpdateTeam(std::move(request), Answer(std::move(call)));
}

void AdminService::ListTeams(Call<admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse> call,
                             admin::v1::ListTeamsRequest request) {
  catalogue_->ListTeams(std::move(request), Answer(std::move(call)));
}

void AdminService::ListTeamsFor(
    const Administrator& who, Call<admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse> call,
    admin::v1::ListTeamsRequest request) {
  if (who.team_id.empty()) return ListTeams(std::move(call), std::move(request));
  catalogue_->ListTeams(std::move(request), [call, team_id = who.team_id](
                                                absl::StatusOr<admin::v1::ListTeamsResponse> all) {
    if (!all.ok()) return call->Finish(FromRegistryError(all.status()));
    admin::v1::ListTeamsResponse own;
    for (admin::v1::Team& team : *all->mutable_teams()) {
      if (team.team_id() == team_id) *own.add_teams() = std::move(team);
    }
    call->Finish(std::move(own));
  });
}

void AdminService::GetQuota(Call<admin::v1::GetQuotaRequest, admin::v1::GetQuotaResponse> call,
                            admin::v1::GetQuotaRequest request) {
  catalogue_->GetQuota(std::move(request), Answer(std::move(call)));
}

void AdminService::SetQuota(Call<admin::v1::SetQuotaRequest, admin::v1::QuotaReport> call,
                            admin::v1::SetQuotaRequest request) {
  catalogue_->SetQuota(std::move(request), Answer(std::move(call)));
}

void AdminService::CreateApp(Call<admin::v1::CreateAppRequest, admin::v1::App> call,
                             admin::v1::CreateAppRequest request) {
  if (!IsValidAppId(request.app_id())) {
    return call->Finish(
        InvalidField("BAD_APP_ID", "app_id",
                     absl::StrCat("An app id is a reverse domain name such as "
                                  "com.example.mail: 3 to ",
                                  kMaxAppIdBytes,
                                  " characters of [a-zA-Z0-9._-], at least one dot, no empty "
                                  "label.")));
  }
  admin::v1::App app;
  app.set_app_id(request.app_id());
  app.set_team_id(request.team_id());
  switch (request.overflow_policy()) {
    case admin::v1::OVERFLOW_POLICY_UNSPECIFIED:
      app.set_overflow_policy(admin::v1::DROP_OLDEST);
      break;
    case admin::v1::DROP_OLDEST:
    case admin::v1::REFUSE_NEWEST:
    case admin::v1::DROP_ALL:
      app.set_overflow_policy(request.overflow_policy());
      break;
    default:
      return call->Finish(InvalidField(
          "BAD_OVERFLOW_POLICY", "overflow_policy",
          absl::StrCat("There is no overflow policy ", static_cast<int>(request.overflow_policy()),
                       "; use DROP_OLDEST, REFUSE_NEWEST or DROP_ALL.")));
  }
  SetToNow(*clock_, app.mutable_create_time());
  catalogue_->PutApp(std::move(app), Answer(std::move(call)));
}

void AdminService::ListApps(Call<admin::v1::ListAppsRequest, admin::v1::ListAppsResponse> call,
                            admin::v1::ListAppsRequest request) {
  catalogue_->ListApps(std::move(request), Answer(std::move(call)));
}

absl::Status AdminService::MakeServiceAccount(const admin::v1::CreateKeyRequest& request,
                                              admin::v1::CreateKeyResponse* response) const {
  if (request.send_only()) {
    return InvalidField("BAD_PUBLIC_KEY", "send_only",
                        "A key is an access token or a service account: leave one of the two out.");
  }
  if (public_urls_.empty()) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "NO_PUBLIC_URL",
        "A service account names where its clients get access tokens: start the server "
        "with --public_url.");
  }
  absl::StatusOr<std::string> checked = CheckServiceAccountPublicKey(request.public_key_pem());
  if (!checked.ok()) return checked.status();
  admin::v1::Key& key = *response->mutable_key();
  key.set_kind(admin::v1::Key::FCM);
  key.set_public_key_pem(*std::move(checked));
  response->set_client_email(ServiceAccountEmail({key.key_id(), key.team_id()}));
  response->set_token_uri(absl::StrCat(public_urls_.first(), kTokenPaths[0]));
  return absl::OkStatus();
}

absl::Status AdminService::MakeKey(const admin::v1::CreateKeyRequest& request,
                                   admin::v1::CreateKeyResponse* response) const {
  if (request.public_key_pem().size() > kMaxPublicKeyPemBytes) {
    return InvalidField(
        "BAD_PUBLIC_KEY", "public_key_pem",
        absl::StrCat("The public key has ", request.public_key_pem().size(),
                     " bytes; in PEM one of P-256 has about 180, of RSA 450 to 800."));
  }
  if (request.fcm()) return MakeServiceAccount(request, response);
  admin::v1::Key& key = *response->mutable_key();
  if (request.send_only()) {
    if (!request.public_key_pem().empty()) {
      return InvalidField("BAD_PUBLIC_KEY", "public_key_pem",
                          "An access token has no public key: leave one of the two out.");
    }
    key.set_kind(admin::v1::Key::SEND_ONLY);
    response->set_access_token(NewAccessToken(key.key_id()));
    key.set_token_sha256(HashAccessToken(response->access_token()));
  } else if (request.public_key_pem().empty()) {
    absl::StatusOr<ProviderKeyPair> pair = GenerateProviderKeyPair();
    if (!pair.ok()) return pair.status();
    key.set_public_key_pem(std::move(pair->public_key_pem));
    response->set_private_key_pem(std::move(pair->private_key_pem));
  } else {
    absl::StatusOr<std::string> checked = CheckProviderPublicKey(request.public_key_pem());
    if (!checked.ok()) return checked.status();
    key.set_public_key_pem(*std::move(checked));
  }
  return absl::OkStatus();
}

void AdminService::CreateKey(Call<admin::v1::CreateKeyRequest, admin::v1::CreateKeyResponse> call,
                             admin::v1::CreateKeyRequest request) {
  admin::v1::CreateKeyResponse response;
  admin::v1::Key& key = *response.mutable_key();
  key.set_key_id(NewShortId());
  key.set_team_id(request.team_id());
  SetToNow(*clock_, key.mutable_create_time());
  if (absl::Status made = MakeKey(request, &response); !made.ok()) return call->Finish(made);
  admin::v1::Key record = key;
  keys_->PutKey(std::move(record),
                [call, response = std::move(response)](absl::StatusOr<admin::v1::Key> put) mutable {
                  if (!put.ok()) return call->Finish(FromRegistryError(put.status()));
                  *response.mutable_key() = *std::move(put);
                  response.mutable_key()->clear_token_sha256();
                  call->Finish(std::move(response));
                });
}

void AdminService::ListKeys(Call<admin::v1::ListKeysRequest, admin::v1::ListKeysResponse> call,
                            admin::v1::ListKeysRequest request) {
  keys_->ListKeys(std::move(request), [call](absl::StatusOr<admin::v1::ListKeysResponse> listed) {
    if (!listed.ok()) return call->Finish(FromRegistryError(listed.status()));
    admin::v1::ListKeysResponse response;
    for (admin::v1::Key& key : *listed->mutable_keys()) {
      if (key.kind() == admin::v1::Key::ALIAS) continue;
      key.clear_token_sha256();
      *response.add_keys() = std::move(key);
    }
    call->Finish(std::move(response));
  });
}

void AdminService::RevokeKey(Call<admin::v1::RevokeKeyRequest, admin::v1::Key> call,
                             admin::v1::RevokeKeyRequest request) {
  if (absl::StrContains(request.key_id(), '/')) {  // The id of an alias.
    return call->Finish(MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND",
                                  "A key id is ten characters of [a-z2-7]."));
  }
  keys_->RevokeKey(std::move(request), [call](absl::StatusOr<admin::v1::Key> revoked) {
    if (!revoked.ok()) return call->Finish(FromRegistryError(revoked.status()));
    revoked->clear_token_sha256();
    call->Finish(*std::move(revoked));
  });
}

void AdminService::CreateAlias(Call<admin::v1::CreateAliasRequest, admin::v1::Alias> call,
                               admin::v1::CreateAliasRequest request) {
  if (!IsValidAlias(request.name())) {
    return call->Finish(
        InvalidField("BAD_ALIAS", "name", "An alias is 1 to 64 characters of [a-z0-9_-]."));
  }
  if (const auto token = OpenToken(request.token(), *sealer_); !token.ok()) {
    return call->Finish(token.status());
  }
  admin::v1::Key key;
  key.set_kind(admin::v1::Key::ALIAS);
  key.set_key_id(AliasKeyId(request.team_id(), request.name()));
  key.set_team_id(std::move(*request.mutable_team_id()));
  key.set_device_token(std::move(*request.mutable_token()));
  SetToNow(*clock_, key.mutable_create_time());
  keys_->PutKey(std::move(key), [call](absl::StatusOr<admin::v1::Key> put) {
    if (!put.ok()) return call->Finish(FromRegistryError(put.status()));
    call->Finish(ToAlias(*std::move(put)));
  });
}

void AdminService::ListAliases(
    Call<admin::v1::ListAliasesRequest, admin::v1::ListAliasesResponse> call,
    admin::v1::ListAliasesRequest request) {
  admin::v1::ListKeysRequest keys;
  keys.set_team_id(std::move(*request.mutable_team_id()));
  keys_->ListKeys(std::move(keys), [call](absl::StatusOr<admin::v1::ListKeysResponse> listed) {
    if (!listed.ok()) return call->Finish(FromRegistryError(listed.status()));
    admin::v1::ListAliasesResponse response;
    for (admin::v1::Key& key : *listed->mutable_keys()) {
      if (key.kind() != admin::v1::Key::ALIAS) continue;
      *response.add_aliases() = ToAlias(std::move(key));
    }
    call->Finish(std::move(response));
  });
}

void AdminService::DeleteAlias(Call<admin::v1::DeleteAliasRequest, admin::v1::Alias> call,
                               admin::v1::DeleteAliasRequest request) {
  if (!IsValidAlias(request.name())) return call->Finish(AliasNotFound(request));
  admin::v1::RevokeKeyRequest revoke;
  revoke.set_key_id(AliasKeyId(request.team_id(), request.name()));
  keys_->RevokeKey(std::move(revoke),
                   [call, request = std::move(request)](absl::StatusOr<admin::v1::Key> deleted) {
                     if (ErrorReason(deleted.status()) == "KEY_NOT_FOUND") {
                       return call->Finish(AliasNotFound(request));
                     }
                     if (!deleted.ok()) return call->Finish(FromRegistryError(deleted.status()));
                     call->Finish(ToAlias(*std::move(deleted)));
                   });
}

void AdminService::DeleteTeam(Call<admin::v1::DeleteTeamRequest, admin::v1::Team> call,
                              admin::v1::DeleteTeamRequest request) {
  catalogue_->DeleteTeam(std::move(request), Answer(std::move(call)));
}

void AdminService::DeleteApp(Call<admin::v1::DeleteAppRequest, admin::v1::App> call,
                             admin::v1::DeleteAppRequest request) {
  catalogue_->DeleteApp(std::move(request), Answer(std::move(call)));
}

namespace {

// The parts of one CountRecords call, asked for one after the other. Holds itself while it waits.
class Counting : public std::enable_shared_from_this<Counting> {
 public:
  Counting(CatalogueApi* catalogue, admin::v1::CountRecordsRequest of,
           absl::AnyInvocable<void(absl::StatusOr<admin::v1::RecordCounts>) &&> done)
      : catalogue_(catalogue), done_(std::move(done)) {
    *request_.mutable_of() = std::move(of);
  }

  void Next() {
    catalogue_->CountRecords(
        request_, [self = shared_from_this()](
                      absl::StatusOr<internal::v1::CountRecordsResponse> part) {
          if (!part.ok()) return std::move(self->done_)(part.status());
          self->Add(part->counts());
          if (part->next_cursor().empty()) return std::move(self->done_)(self->counts_);
          self->request_.set_cursor(part->next_cursor());
          self->Next();
        });
  }

 private:
  // All fields but one are sums.
  void Add(const admin::v1::RecordCounts& part) {
    const google::protobuf::Reflection& reflection = *counts_.GetReflection();
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    reflection.ListFields(part, &fields);
    for (const google::protobuf::FieldDescriptor* field : fields) {
      if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_UINT64) continue;
      reflection.SetUInt64(
          &counts_, field,
          reflection.GetUInt64(counts_, field) + reflection.GetUInt64(part, field));
    }
    if (part.deleted()) counts_.set_deleted(true);
  }

  CatalogueApi* const catalogue_;
  internal::v1::CountRecordsRequest request_;
  admin::v1::RecordCounts counts_;
  absl::AnyInvocable<void(absl::StatusOr<admin::v1::RecordCounts>) &&> done_;
};

}  // namespace

void AdminService::CountRecords(Call<admin::v1::CountRecordsRequest, admin::v1::RecordCounts> call,
                                admin::v1::CountRecordsRequest request) {
  std::make_shared<Counting>(catalogue_, std::move(request), Answer(std::move(call)))->Next();
}

void AdminService::Backup(Call<admin::v1::BackupRequest, admin::v1::BackupResponse> call,
                          admin::v1::BackupRequest request) {
  store_->Backup(std::move(request), Answer(std::move(call)));
}

void AdminService::GetPayloadKeys(
    Call<admin::v1::GetPayloadKeysRequest, admin::v1::GetPayloadKeysResponse> call,
    admin::v1::GetPayloadKeysRequest request) {
  store_->GetPayloadKeys(std::move(request), Answer(std::move(call)));
}

}  // namespace bellwire::gateway
