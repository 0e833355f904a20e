#ifndef BELLWIRE_GATEWAY_ADMIN_ADMIN_GATE_H_
#define BELLWIRE_GATEWAY_ADMIN_ADMIN_GATE_H_

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/admin/administrators.h"
#include "gateway/admin/audit_log.h"
#include "gateway/call/method_table.h"
#include "gateway/call/rpc_call.h"
#include "gateway/call/unary_handle.h"
#include "google/protobuf/message.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// What every method of bellwire.admin.v1 goes through: who calls, by the call's metadata; whether
// the role allows it; and the audit log. Thread-safe once its methods are added.
class AdminGate {
 public:
  template <typename Request, typename Response>
  using Call = std::shared_ptr<UnaryHandle<Request, Response>>;
  template <typename Request, typename Response>
  using Serve = std::function<void(const Administrator& who, Call<Request, Response> call,
                                   Request request)>;

  // None is owned. They outlive the gate, and its calls.
  AdminGate(AdminCredential* credential, AuditLog* audit, CatalogueApi* catalogue, KeysApi* keys)
      : credential_(credential), audit_(audit), catalogue_(catalogue), keys_(keys) {}

  // Who calls, where `role` or a greater one may.
  //   UNAUTHENTICATED MISSING_CREDENTIAL, BAD_CREDENTIAL · those of AdminCredential
  //   PERMISSION_DENIED ADMIN_ROLE
  // Refusals are in the audit log, as many as the brake on guesses lets through. `what`:
  // "CreateTeam".
  absl::StatusOr<Administrator> Admit(const http::HeaderList& metadata, const std::string& peer,
                                      absl::string_view what, AdminRole role);
  // The same of a bearer token.
  absl::StatusOr<Administrator> AdmitToken(absl::string_view token, const std::string& peer,
                                           absl::string_view what, AdminRole role);

  // Whether this administrator may look at or change the team. Empty: what belongs to no team.
  //   PERMISSION_DENIED ADMIN_TEAM: it administers another one
  static absl::Status CheckTeam(const Administrator& who, absl::string_view team_id);

  // A method, such as "AdminService/CreateTeam", of which `serve` gets the calls that Admit lets
  // pass, and of an administrator of one team those that are about that team:
  //   PERMISSION_DENIED ADMIN_TEAM
  // What needs more than kReadOnly changes something: it is in the audit log before it is
  // done, and its outcome behind it. If it can't be, nothing is done:
  //   UNAVAILABLE AUDIT_NOT_WRITTEN · RESOURCE_EXHAUSTED OVERLOADED
  template <typename Request, typename Response>
  void AddMethod(MethodTable* methods, absl::string_view name, AdminRole role,
                 Serve<Request, Response> serve);

  // A method that is not made by AddMethod, for MethodsFor. `of_team`: each call is about one team.
  void ListMethod(absl::string_view name, AdminRole role, bool of_team);
  // Those that this administrator may call: "AdminService/CreateTeam".
  std::vector<std::string> MethodsFor(const Administrator& who) const;

  // Notes something that needs no call of a method, such as a login. What comes of it nobody waits
  // for.
  void Note(AuditRecord record) {
    audit_->Append(std::move(record), [](const absl::StatusOr<uint64_t>&) {});
  }

 private:
  using Then = absl::AnyInvocable<void(absl::Status) &&>;
  struct ListedMethod {
    std::string name;
    AdminRole role;
    bool of_team;
  };

  // Requests that say which team they are about, or whose subject belongs to one. ListTeams answers
  // an administrator of one team with that one.
  template <typename Request>
  static constexpr bool kOfTeam = requires(const Request& request) { request.team_id(); } ||
                                  std::is_same_v<Request, admin::v1::DeleteAppRequest> ||
                                  std::is_same_v<Request, admin::v1::RevokeKeyRequest> ||
                                  std::is_same_v<Request, admin::v1::ListTeamsRequest>;

  // Whether an administrator may make this request.
  template <typename Request>
  void CheckRequest(const Administrator& who, const Request& request, Then then);
  // Whether the app or key is one of the administrator's team.
  void CheckApp(const Administrator& who, std::string app_id, Then then);
  void CheckKey(const Administrator& who, std::string key_id, Then then);

  template <typename Request, typename Response>
  void ServeAudited(AuditRecord record, const Administrator& who, Call<Request, Response> call,
                    Request request, const Serve<Request, Response>& serve);

  AdminCredential* const credential_;
  AuditLog* const audit_;
  CatalogueApi* const catalogue_;
  KeysApi* const keys_;
  // Filled before the first call, and never changed then.
  std::vector<ListedMethod> methods_;
};

// What a request or an answer is about: ids and names, and nothing that is secret. Adds those that
// aren't in `about` yet.
void AddAuditNames(const google::protobuf::Message& message,
                   std::vector<std::pair<std::string, std::string>>* about);

// "OK", or the reason of an error.
std::string AuditOutcome(const absl::Status& status);

// --- The rest is how. ---

template <typename Request, typename Response>
void AdminGate::AddMethod(MethodTable* methods, absl::string_view name, AdminRole role,
                          Serve<Request, Response> serve) {
  ListMethod(name, role, kOfTeam<Request>);
  const std::string what(name.substr(name.find('/') + 1));
  methods->AddUnary<Request, Response>(
      absl::StrCat("/bellwire.admin.v1.", name),
      [this, what, role, serve = std::move(serve)](Call<Request, Response> call) {
        const absl::StatusOr<Administrator> who = Admit(call->metadata(), call->peer(), what, role);
        if (!who.ok()) return call->Finish(who.status());
        AuditRecord record{.who = who->name,
                           .role = std::string(AdminRoleName(who->role)),
                           .peer = call->peer(),
                           .what = what};
        call->Receive([this, serve, call, role, who = *who,
                       record = std::move(record)](Request request) mutable {
          const auto shared = std::make_shared<Request>(std::move(request));
          CheckRequest(who, *shared,
                       [this, serve, call, role, who, shared,
                        record = std::move(record)](absl::Status allowed) mutable {
                         if (!allowed.ok()) {
                           AddAuditNames(*shared, &record.about);
                           record.outcome = AuditOutcome(allowed);
                           Note(std::move(record));
                           return call->Finish(allowed);
                         }
                         if (role == AdminRole::kReadOnly) {
                           return serve(who, call, std::move(*shared));
                         }
                         ServeAudited(std::move(record), who, call, std::move(*shared), serve);
                       });
        });
      });
}

template <typename Request>
void AdminGate::CheckRequest(const Administrator& who, const Request& request, Then then) {
  if (who.team_id.empty()) return std::move(then)(absl::OkStatus());
  if constexpr (std::is_same_v<Request, admin::v1::ListTeamsRequest>) {
    std::move(then)(absl::OkStatus());
  } else if constexpr (std::is_same_v<Request, admin::v1::DeleteAppRequest>) {
    CheckApp(who, request.app_id(), std::move(then));
  } else if constexpr (std::is_same_v<Request, admin::v1::RevokeKeyRequest>) {
    CheckKey(who, request.key_id(), std::move(then));
  } else if constexpr (requires { request.team_id(); }) {
    std::move(then)(CheckTeam(who, request.team_id()));
  } else {
    std::move(then)(CheckTeam(who, ""));
  }
}

template <typename Request, typename Response>
void AdminGate::ServeAudited(AuditRecord record, const Administrator& who,
                             Call<Request, Response> call, Request request,
                             const Serve<Request, Response>& serve) {
  AddAuditNames(request, &record.about);
  AuditRecord asked = record;
  asked.outcome = "asked";
  audit_->Append(
      std::move(asked), [this, serve, who, call, record = std::move(record),
                         request = std::move(request)](absl::StatusOr<uint64_t> number) mutable {
        if (!number.ok()) return call->Finish(number.status());
        record.of = *number;
        call->OnFinish(
            [this, record = std::move(record)](const absl::StatusOr<Response>& response) mutable {
              record.outcome = AuditOutcome(response.status());
              if (response.ok()) AddAuditNames(*response, &record.about);
              Note(std::move(record));
            });
        serve(who, call, std::move(request));
      });
}

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_ADMIN_GATE_H_
