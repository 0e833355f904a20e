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

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

absl::Status Invalid(absl::string_view reason, absl::string_view field, absl::string_view message) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, reason, message), field);
}

void SetToNow(const Clock& clock, google::protobuf::Timestamp* timestamp) {
  const int64_t now_ms = WallNowMs(clock);
  timestamp->set_seconds(now_ms / 1000);
  timestamp->set_nanos(static_cast<int32_t>(now_ms % 1000) * 1'000'000);
}

ServerUnaryReactor* Refuse(const std::shared_ptr<UnaryCall>& call, const absl::Status& status) {
  call->Answer(status);
  return call.get();
}

// Passes the registry's answer on to the caller.
template <typename Response>
Done<Response> Answer(std::shared_ptr<UnaryCall> call, Response* response) {
  return [call = std::move(call), response](absl::StatusOr<Response> answer) {
    if (!answer.ok()) return call->Answer(FromRegistryError(answer.status()));
    call->Answer(absl::OkStatus(), [&] { *response = *std::move(answer); });
  };
}

}  // namespace

std::shared_ptr<UnaryCall> AdminService::Open(const CallbackServerContext& context) const {
  std::shared_ptr<UnaryCall> call = UnaryCall::New(drain_);
  if (call->answered()) return call;
  const absl::StatusOr<absl::string_view> token = BearerToken(context.client_metadata());
  const absl::Status status =
      token.ok() ? credential_->Check(*token, context.peer()) : token.status();
  if (!status.ok()) call->Answer(status);
  return call;
}

ServerUnaryReactor* AdminService::CreateTeam(CallbackServerContext* context,
                                             const admin::v1::CreateTeamRequest* request,
                                             admin::v1::Team* response) {
  const std::shared_ptr<UnaryCall> call = Open(*context);
  if (call->answered()) return call.get();
  if (request->name().empty() || request->name().size() > kMaxTeamNameBytes) {
    return Refuse(call, Invalid("BAD_NAME", "name",
                                absl::StrCat("A team's name has 1 to ", kMaxTeamNameBytes,
                                             " bytes; this has ", request->name().size(), ".")));
  }
  admin::v1::Team team;
  team.set_team_id(NewShortId());
  team.set_name(request->name());
  SetToNow(*clock_, team.mutable_create_time());
  LogInfo("admin_create_team", {{"team", team.team_id()}});
  registry_->PutTeam(std::move(team), Answer(call, response));
  return call.get();
}

ServerUnaryReactor* AdminService::ListTeams(CallbackServerContext* context,
                                            const admin::v1::ListTeamsRequest* request,
                                            admin::v1::ListTeamsResponse* response) {
  const std::shared_ptr<UnaryCall> call = Open(*context);
  if (call->answered()) return call.get();
  registry_->ListTeams(*request, Answer(call, response));
  return call.get();
}

ServerUnaryReactor* AdminService::CreateApp(CallbackServerContext* context,
                                            const admin::v1::CreateAppRequest* request,
                                            admin::v1::App* response) {
  const std::shared_ptr<UnaryCall> call = Open(*context);
  if (call->answered()) return call.get();
  if (!IsValidAppId(request->app_id())) {
    return Refuse(call,
                  Invalid("BAD_APP_ID", "app_id",
                          absl::StrCat("An app id is a reverse domain name such as "
                                       "com.example.mail: 3 to ",
                                       kMaxAppIdBytes,
                                       " characters of [a-zA-Z0-9._-], at least one dot, no empty "
                                       "label.")));
  }
  admin::v1::App app;
  app.set_app_id(request->app_id());
  app.set_team_id(request->team_id());
  switch (request->overflow_policy()) {
    case admin::v1::OVERFLOW_POLICY_UNSPECIFIED:
      app.set_overflow_policy(admin::v1::DROP_OLDEST);
      break;
    case admin::v1::DROP_OLDEST:
    case admin::v1::REFUSE_NEWEST:
    case admin::v1::DROP_ALL:
      app.set_overflow_policy(request->overflow_policy());
      break;
    default:
      return Refuse(call, Invalid("BAD_OVERFLOW_POLICY", "overflow_policy",
                                  absl::StrCat("There is no overflow policy ",
                                               static_cast<int>(request->overflow_policy()),
                                               "; use DROP_OLDEST, REFUSE_NEWEST or DROP_ALL.")));
  }
  SetToNow(*clock_, app.mutable_create_time());
  LogInfo("admin_create_app", {{"team", app.team_id()}, {"app", app.app_id()}});
  registry_->PutApp(std::move(app), Answer(call, response));
  return call.get();
}

ServerUnaryReactor* AdminService::ListApps(CallbackServerContext* context,
                                           const admin::v1::ListAppsRequest* request,
                                           admin::v1::ListAppsResponse* response) {
  const std::shared_ptr<UnaryCall> call = Open(*context);
  if (call->answered()) return call.get();
  registry_->ListApps(*request, Answer(call, response));
  return call.get();
}

ServerUnaryReactor* AdminService::CreateKey(CallbackServerContext* context,
                                            const admin::v1::CreateKeyRequest* request,
                                            admin::v1::CreateKeyResponse* response) {
  const std::shared_ptr<UnaryCall> call = Open(*context);
  if (call->answered()) return call.get();
  admin::v1::Key key;
  std::string private_key_pem;
  if (request->public_key_pem().empty()) {
    absl::StatusOr<ProviderKeyPair> pair = GenerateProviderKeyPair();
    if (!pair.ok()) return Refuse(call, pair.status());
    key.set_public_key_pem(std::move(pair->public_key_pem));
    private_key_pem = std::move(pair->private_key_pem);
  } else {
    if (request->public_key_pem().size() > kMaxPublicKeyPemBytes) {
      return Refuse(call,
                    Invalid("BAD_PUBLIC_KEY", "public_key_pem",
                            absl::StrCat("The public key has ", request->public_key_pem().size(),
                                         " bytes; one of P-256 in PEM has about 180.")));
    }
    absl::StatusOr<std::string> checked = CheckProviderPublicKey(request->public_key_pem());
    if (!checked.ok()) return Refuse(call, checked.status());
    key.set_public_key_pem(*std::move(checked));
  }
  key.set_key_id(NewShortId());
  key.set_team_id(request->team_id());
  SetToNow(*clock_, key.mutable_create_time());
  LogInfo("admin_create_key", {{"team", key.team_id()}, {"key", key.key_id()}});
  registry_->PutKey(std::move(key), [call, response, private_key_pem = std::move(private_key_pem)](
                                        absl::StatusOr<admin::v1::Key> put) mutable {
    if (!put.ok()) return call->Answer(FromRegistryError(put.status()));
    call->Answer(absl::OkStatus(), [&] {
      *response->mutable_key() = *std::move(put);
      response->set_private_key_pem(std::move(private_key_pem));
    });
  });
  return call.get();
}

ServerUnaryReactor* AdminService::ListKeys(CallbackServerContext* context,
                                           const admin::v1::ListKeysRequest* request,
                                           admin::v1::ListKeysResponse* response) {
  const std::shared_ptr<UnaryCall> call = Open(*context);
  if (call->answered()) return call.get();
  registry_->ListKeys(*request, Answer(call, response));
  return call.get();
}

ServerUnaryReactor* AdminService::RevokeKey(CallbackServerContext* context,
                                            const admin::v1::RevokeKeyRequest* request,
                                            admin::v1::Key* response) {
  const std::shared_ptr<UnaryCall> call = Open(*context);
  if (call->answered()) return call.get();
  LogInfo("admin_revoke_key", {{"key", request->key_id()}});
  registry_->RevokeKey(*request, Answer(call, response));
  return call.get();
}

}  // namespace bellwire::gateway
