#ifndef BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_
#define BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/admin/v1/backup.pb.h"
#include "common/clock.h"
#include "common/public_urls.h"
#include "crypto/token_sealer.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/admin/administrators.h"
#include "gateway/admin/audit_log.h"
#include "gateway/call/method_table.h"
#include "gateway/call/unary_handle.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// bellwire.admin.v1, AdminService and BackupService: checks who calls by a call's metadata, notes
// in the audit log what is to be changed, checks the request, makes ids, key pairs and access
// tokens, and leaves the rest to the registry. For the registry an alias is a key (admin.proto,
// Key); here the two are told apart. Thread-safe; outlives its calls.
class AdminService {
 public:
  // None is owned. They outlive the service, and its calls.
  AdminService(AdminCredential* credential, AuditLog* audit, CatalogueApi* catalogue, KeysApi* keys,
               StoreApi* store, const TokenSealer* sealer, const Clock* clock,
               PublicUrls public_urls)
      : credential_(credential),
        audit_(audit),
        catalogue_(catalogue),
        keys_(keys),
        store_(store),
        sealer_(sealer),
        clock_(clock),
        public_urls_(std::move(public_urls)) {}

  void AddTo(MethodTable* methods);

 private:
  template <typename Request, typename Response>
  using Call = std::shared_ptr<UnaryHandle<Request, Response>>;

  // A method, such as "AdminService/CreateTeam", of which `serve` gets the calls of administrators
  // that have this role or a greater one. The others are answered
  //   UNAUTHENTICATED MISSING_CREDENTIAL, BAD_CREDENTIAL · those of AdminCredential
  //   PERMISSION_DENIED ADMIN_ROLE
  // What needs more than kReadOnly changes something: it is in the audit log before it is done, and
  // its outcome behind it. If it can't be, nothing is done:
  //   UNAVAILABLE AUDIT_NOT_WRITTEN · RESOURCE_EXHAUSTED OVERLOADED
  template <typename Request, typename Response>
  void Add(MethodTable* methods, absl::string_view name, AdminRole role,
           void (AdminService::*serve)(Call<Request, Response>, Request));
  void NoteRefusal(AuditRecord record, const absl::Status& status);
  template <typename Request, typename Response>
  void ServeAudited(AuditRecord record, Call<Request, Response> call, Request request,
                    void (AdminService::*serve)(Call<Request, Response>, Request));

  void CreateTeam(Call<admin::v1::CreateTeamRequest, admin::v1::Team> call,
                  admin::v1::CreateTeamRequest request);
  void ListTeams(Call<admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse> call,
                 admin::v1::ListTeamsRequest request);
  void UpdateTeam(Call<admin::v1::UpdateTeamRequest, admin::v1::Team> call,
                  admin::v1::UpdateTeamRequest request);
  void DeleteTeam(Call<admin::v1::DeleteTeamRequest, admin::v1::Team> call,
                  admin::v1::DeleteTeamRequest request);
  void CreateApp(Call<admin::v1::CreateAppRequest, admin::v1::App> call,
                 admin::v1::CreateAppRequest request);
  void ListApps(Call<admin::v1::ListAppsRequest, admin::v1::ListAppsResponse> call,
                admin::v1::ListAppsRequest request);
  void DeleteApp(Call<admin::v1::DeleteAppRequest, admin::v1::App> call,
                 admin::v1::DeleteAppRequest request);
  void CreateKey(Call<admin::v1::CreateKeyRequest, admin::v1::CreateKeyResponse> call,
                 admin::v1::CreateKeyRequest request);
  // What `request` asks for, put into the response but for what each key has.
  absl::Status MakeKey(const admin::v1::CreateKeyRequest& request,
                       admin::v1::CreateKeyResponse* response) const;
  absl::Status MakeServiceAccount(const admin::v1::CreateKeyRequest& request,
                                  admin::v1::CreateKeyResponse* response) const;
  void ListKeys(Call<admin::v1::ListKeysRequest, admin::v1::ListKeysResponse> call,
                admin::v1::ListKeysRequest request);
  void RevokeKey(Call<admin::v1::RevokeKeyRequest, admin::v1::Key> call,
                 admin::v1::RevokeKeyRequest request);
  void CreateAlias(Call<admin::v1::CreateAliasRequest, admin::v1::Alias> call,
                   admin::v1::CreateAliasRequest request);
  void ListAliases(Call<admin::v1::ListAliasesRequest, admin::v1::ListAliasesResponse> call,
                   admin::v1::ListAliasesRequest request);
  void DeleteAlias(Call<admin::v1::DeleteAliasRequest, admin::v1::Alias> call,
                   admin::v1::DeleteAliasRequest request);
  void Backup(Call<admin::v1::BackupRequest, admin::v1::BackupResponse> call,
              admin::v1::BackupRequest request);

  AdminCredential* const credential_;
  AuditLog* const audit_;
  CatalogueApi* const catalogue_;
  KeysApi* const keys_;
  StoreApi* const store_;
  const TokenSealer* const sealer_;
  const Clock* const clock_;
  const PublicUrls public_urls_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_
