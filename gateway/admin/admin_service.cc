#include "gateway/admin/admin_service.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"
#include "crypto/provider_key.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/send/registry_error.h"
#include "google/protobuf/timestamp.pb.h"

namespace bellwire::gateway {
namespace {

absl::Status Invalid(absl::string_view reason, absl::string_view field, absl::string_view message) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, reason, message), field);
}

void SetToNow(const Clock& clock, google::protobuf::Timestamp* timestamp) {
  const int64_t now_ms = WallNowMs(clock);
  timestamp->set_seconds(now_ms / 1000);
  timestamp->set_nanos(static_cast<int32_t>(now_ms % 1000) * 1'000'000);
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
void AdminService::Add(MethodTable* methods, absl::string_view name,
                       void (AdminService::*serve)(Call<Request, Response>, Request)) {
  methods->AddUnary<Request, Response>(
      absl::StrCat("/bellwire.admin.v1.AdminService/", name),
      [this, serve](Call<Request, Response> call) {
        const absl::StatusOr<absl::string_view> token = BearerToken(call->metadata());
        const absl::Status status =
            token.ok() ? credential_->Check(*token, call->peer()) : token.status();
        if (!status.ok()) return call->Finish(status);
        call->Receive(
            [this, serve, call](Request request) { (this->*serve)(call, std::move(request)); });
      });
}

void AdminService::AddTo(MethodTable* methods) {
  Add(methods, "CreateTeam", &AdminService::CreateTeam);
  Add(methods, "ListTeams", &AdminService::ListTeams);
  Add(methods, "DeleteTeam", &AdminService::DeleteTeam);
  Add(methods, "CreateApp", &AdminService::CreateApp);
  Add(methods, "ListApps", &AdminService::ListApps);
  Add(methods, "DeleteApp", &AdminService::DeleteApp);
  Add(methods, "CreateKey", &AdminService::CreateKey);
  Add(methods, "ListKeys", &AdminService::ListKeys);
  Add(methods, "RevokeKey", &AdminService::RevokeKey);
}

void AdminService::CreateTeam(Call<admin::v1::CreateTeamRequest, admin::v1::Team> call,
                              admin::v1::CreateTeamRequest request) {
  if (request.name().empty() || request.name().size() > kMaxTeamNameBytes) {
    return call->Finish(Invalid("BAD_NAME", "name",
                                absl::StrCat("A team's name has 1 to ", kMaxTeamNameBytes,
                                             " bytes; this has ", request.name().size(), ".")));
  }
  admin::v1::Team team;
  team.set_team_id(NewShortId());
  team.set_name(request.name());
  SetToNow(*clock_, team.mutable_create_time());
  LogInfo("admin_create_team", {{"team", team.team_id()}});
  registry_->PutTeam(std::move(team), Answer(std::move(call)));
}

void AdminService::ListTeams(Call<admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse> call,
                             admin::v1::ListTeamsRequest request) {
  registry_->ListTeams(std::move(request), Answer(std::move(call)));
}

void AdminService::CreateApp(Call<admin::v1::CreateAppRequest, admin::v1::App> call,
                             admin::v1::CreateAppRequest request) {
  if (!IsValidAppId(request.app_id())) {
    return call->Finish(
        Invalid("BAD_APP_ID", "app_id",
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
      return call->Finish(Invalid(
          "BAD_OVERFLOW_POLICY", "overflow_policy",
          absl::StrCat("There is no overflow policy ", static_cast<int>(request.overflow_policy()),
                       "; use DROP_OLDEST, REFUSE_NEWEST or DROP_ALL.")));
  }
  SetToNow(*clock_, app.mutable_create_time());
  LogInfo("admin_create_app", {{"team", app.team_id()}, {"app", app.app_id()}});
  registry_->PutApp(std::move(app), Answer(std::move(call)));
}

void AdminService::ListApps(Call<admin::v1::ListAppsRequest, admin::v1::ListAppsResponse> call,
                            admin::v1::ListAppsRequest request) {
  registry_->ListApps(std::move(request), Answer(std::move(call)));
}

void AdminService::CreateKey(Call<admin::v1::CreateKeyRequest, admin::v1::CreateKeyResponse> call,
                             admin::v1::CreateKeyRequest request) {
  admin::v1::Key key;
  std::string private_key_pem;
  if (request.public_key_pem().empty()) {
    absl::StatusOr<ProviderKeyPair> pair = GenerateProviderKeyPair();
    if (!pair.ok()) return call->Finish(pair.status());
    key.set_public_key_pem(std::move(pair->public_key_pem));
    private_key_pem = std::move(pair->private_key_pem);
  } else {
    if (request.public_key_pem().size() > kMaxPublicKeyPemBytes) {
      return call->Finish(
          Invalid("BAD_PUBLIC_KEY", "public_key_pem",
                  absl::StrCat("The public key has ", request.public_key_pem().size(),
                               " bytes; one of P-256 in PEM has about 180.")));
    }
    absl::StatusOr<std::string> checked = CheckProviderPublicKey(request.public_key_pem());
    if (!checked.ok()) return call->Finish(checked.status());
    key.set_public_key_pem(*std::move(checked));
  }
  key.set_key_id(NewShortId());
  key.set_team_id(request.team_id());
  SetToNow(*clock_, key.mutable_create_time());
  LogInfo("admin_create_key", {{"team", key.team_id()}, {"key", key.key_id()}});
  registry_->PutKey(std::move(key), [call, private_key_pem = std::move(private_key_pem)](
                                        absl::StatusOr<admin::v1::Key> put) mutable {
    if (!put.ok()) return call->Finish(FromRegistryError(put.status()));
    admin::v1::CreateKeyResponse response;
    *response.mutable_key() = *std::move(put);
    response.set_private_key_pem(std::move(private_key_pem));
    call->Finish(std::move(response));
  });
}

void AdminService::ListKeys(Call<admin::v1::ListKeysRequest, admin::v1::ListKeysResponse> call,
                            admin::v1::ListKeysRequest request) {
  registry_->ListKeys(std::move(request), Answer(std::move(call)));
}

void AdminService::RevokeKey(Call<admin::v1::RevokeKeyRequest, admin::v1::Key> call,
                             admin::v1::RevokeKeyRequest request) {
  LogInfo("admin_revoke_key", {{"key", request.key_id()}});
  registry_->RevokeKey(std::move(request), Answer(std::move(call)));
}

void AdminService::DeleteTeam(Call<admin::v1::DeleteTeamRequest, admin::v1::Team> call,
                              admin::v1::DeleteTeamRequest request) {
  LogInfo("admin_delete_team", {{"team", request.team_id()}});
  registry_->DeleteTeam(std::move(request), Answer(std::move(call)));
}

void AdminService::DeleteApp(Call<admin::v1::DeleteAppRequest, admin::v1::App> call,
                             admin::v1::DeleteAppRequest request) {
  LogInfo("admin_delete_app", {{"app", request.app_id()}});
  registry_->DeleteApp(std::move(request), Answer(std::move(call)));
}

}  // namespace bellwire::gateway
