#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_PROVIDER_METHOD_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_PROVIDER_METHOD_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/call/method_table.h"
#include "gateway/call/unary_handle.h"

namespace bellwire::gateway {

// What a method asks of its callers' credentials.
enum class Access { kSendOnly, kFull };

// Adds a method of the provider API. Each call is authenticated by its metadata, then its request
// is taken, and `serve` gets both. `authenticator` outlives the table.
template <typename Request, typename Response>
void AddProviderMethod(MethodTable* methods, Authenticator* authenticator, absl::string_view path,
                       Access access,
                       std::function<void(std::shared_ptr<UnaryHandle<Request, Response>> call,
                                          const std::string& team_id, Request request)>
                           serve,
                       Method method = {}) {
  using Call = std::shared_ptr<UnaryHandle<Request, Response>>;
  methods->AddUnary<Request, Response>(
      path,
      [authenticator, access,
       serve = std::make_shared<decltype(serve)>(std::move(serve))](Call call) {
        const absl::StatusOr<absl::string_view> credential = BearerToken(call->metadata());
        if (!credential.ok()) return call->Finish(credential.status());
        authenticator->Authenticate(
            *credential, [access, serve, call](absl::StatusOr<ProviderIdentity> identity) {
              if (!identity.ok()) return call->Finish(identity.status());
              if (access == Access::kFull) {
                if (absl::Status status = RequireFullAccess(*identity); !status.ok()) {
                  return call->Finish(std::move(status));
                }
              }
              call->Receive([serve, call, team_id = std::move(identity->team_id)](Request request) {
                (*serve)(call, team_id, std::move(request));
              });
            });
      },
      std::move(method));
}

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_PROVIDER_METHOD_H_
