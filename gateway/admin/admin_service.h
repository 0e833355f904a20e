#ifndef BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_
#define BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/admin/v1/backup.pb.h"
#include "bellwire/admin/v1/devices.pb.h"
#include "common/clock.h"
#include "common/public_urls.h"
#include "crypto/token_sealer.h"
#include "gateway/admin/admin_gate.h"
#include "gateway/admin/administrators.h"
#include "gateway/call/method_table.h"
#include "gateway/call/unary_handle.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// bellwire.admin.v1, AdminService and BackupService, behind the gate: checks the request, makes
// ids, key pairs and access tokens, and leaves the rest to the registry. For the registry an alias
// is a key (admin.proto, Key); here the two are told apart. Thread-safe; outlives its calls.
class AdminService {
 public:
  // None is owned. They outlive the service, and its calls.
  AdminService(AdminGate* gate, CatalogueApi* catalogue, KeysApi* keys, StoreApi* store,
               DeviceApi* devices, const TokenSealer* sealer, const Clock* clock,
               PublicUrls public_urls)
      : gate_(gate),
        catalogue_(catalogue),
        keys_(keys),
        store_(store),
        devices_(devices),
        sealer_(sealer),
        clock_(clock),
        public_urls_(std::move(public_urls)) {}

  void AddTo(MethodTable* methods);

 private:
  template <typename Request, typename Response>
  using Call = std::shared_ptr<UnaryHandle<Request, Response>>;

  // As AdminGate::AddMethod.
  template <typename Request, typename Response>
  void Add(MethodTable* methods, absl::string_view name, AdminRole role,
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
  void CountRecords(Call<admin::v1::CountRecordsRequest, admin::v1::RecordCounts> call,
                    admin::v1::CountRecordsRequest request);
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
  void GetQuota(Call<admin::v1::GetQuotaRequest, admin::v1::GetQuotaResponse> call,
                admin::v1::GetQuotaRequest request);
  void SetQuota(Call<admin::v1::SetQuotaRequest, admin::v1::QuotaReport> call,
                admin::v1::SetQuotaRequest request);
  // Those that this administrator may see.
  void ListTeamsFor(const Administrator& who,
                    Call<admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse> call,
                    admin::v1::ListTeamsRequest request);
  void Backup(Call<admin::v1::BackupRequest, admin::v1::BackupResponse> call,
              admin::v1::BackupRequest request);
  void GetPayloadKeys(
      Call<admin::v1::GetPayloadKeysRequest, admin::v1::GetPayloadKeysResponse> call,
      admin::v1::GetPayloadKeysRequest request);

  // --- Devices (admin_service_devices.cc).
  void CreateEnrolment(
      Call<admin::v1::CreateEnrolmentRequest, admin::v1::CreateEnrolmentResponse> call,
      admin::v1::CreateEnrolmentRequest request);
  void ListEnrolments(
      Call<admin::v1::ListEnrolmentsRequest, admin::v1::ListEnrolmentsResponse> call,
      admin::v1::ListEnrolmentsRequest request);
  void DeleteEnrolment(Call<admin::v1::DeleteEnrolmentRequest, admin::v1::Enrolment> call,
                       admin::v1::DeleteEnrolmentRequest request);
  void ListDevices(Call<admin::v1::ListDevicesRequest, admin::v1::ListDevicesResponse> call,
                   admin::v1::ListDevicesRequest request);
  void GetDevice(Call<admin::v1::GetDeviceRequest, admin::v1::GetDeviceResponse> call,
                 admin::v1::GetDeviceRequest request);
  void RevokeDevice(Call<admin::v1::EndDeviceRequest, admin::v1::EndDeviceResponse> call,
                    admin::v1::EndDeviceRequest request);
  void DeleteDevice(Call<admin::v1::EndDeviceRequest, admin::v1::EndDeviceResponse> call,
                    admin::v1::EndDeviceRequest request);

  AdminGate* const gate_;
  CatalogueApi* const catalogue_;
  KeysApi* const keys_;
  StoreApi* const store_;
  DeviceApi* const devices_;
  const TokenSealer* const sealer_;
  const Clock* const clock_;
  const PublicUrls public_urls_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_
