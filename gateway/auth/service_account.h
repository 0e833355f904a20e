#ifndef BELLWIRE_GATEWAY_AUTH_SERVICE_ACCOUNT_H_
#define BELLWIRE_GATEWAY_AUTH_SERVICE_ACCOUNT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/public_urls.h"

// How a key of kind FCM is named where FCM's clients name a service account. Pure functions.
namespace bellwire::gateway {

// Paths of the token endpoint, below a public URL. The first one is what `token_uri` names. The
// others are Google's, for clients that look at no `token_uri`.
inline constexpr absl::string_view kTokenPaths[] = {"/oauth2/token", "/token", "/oauth2/v4/token"};

struct ServiceAccount {
  std::string key_id;
  std::string team_id;

  friend bool operator==(const ServiceAccount&, const ServiceAccount&) = default;
};

// KEY_ID@TEAM_ID.bellwire.internal: an assertion without `kid` tells its key by this.
std::string ServiceAccountEmail(const ServiceAccount& account);
// nullopt: it is no such name.
std::optional<ServiceAccount> ParseServiceAccountEmail(absl::string_view email);

// Whether an assertion with this `aud` is meant for the token endpoint of this server: its URL
// below any of the public URLs, or Google's, which some clients write whatever their file says.
bool IsTokenAudience(absl::string_view audience, const PublicUrls& public_urls);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_SERVICE_ACCOUNT_H_
