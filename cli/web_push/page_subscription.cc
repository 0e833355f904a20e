#include "cli/web_push/page_subscription.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base64.h"
#include "common/host_port.h"
#include "common/status_macros.h"
#include "crypto/p256.h"
#include "nlohmann/json.hpp"

namespace bellwire::cli {
namespace {

constexpr absl::string_view kHttps = "https://";
constexpr absl::string_view kHttpsPort = "443";

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("no subscription of a page: ", what));
}

// What may stand in an endpoint: nothing that ends a line of HTTP, or names a user.
bool IsUrlCharacter(char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\' && c != '@'; }

bool HasPort(absl::string_view authority) {
  // An IPv6 address has colons within its brackets.
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  return colon != absl::string_view::npos &&
         (bracket == absl::string_view::npos || colon > bracket);
}

absl::Status ReadEndpoint(absl::string_view endpoint, PageSubscription* subscription) {
  if (!std::all_of(endpoint.begin(), endpoint.end(), IsUrlCharacter) ||
      !absl::ConsumePrefix(&endpoint, kHttps)) {
    return Wrong("its endpoint is no https URL");
  }
  const size_t slash = endpoint.find('/');
  if (slash == absl::string_view::npos) return Wrong("its endpoint has no path");
  absl::string_view authority = endpoint.substr(0, slash);
  const absl::StatusOr<HostPort> address =
      HasPort(authority) ? ParseHostPort(authority)
                         : ParseHostPort(absl::StrCat(authority, ":", kHttpsPort));
  if (!address.ok() || address->host.empty()) return Wrong("its endpoint names no host");
  subscription->host = address->host;
  subscription->port = absl::StrCat(address->port);
  // As browsers and libraries write an origin (RFC 6454): without the port that is usual.
  absl::ConsumeSuffix(&authority, ":443");
  subscription->origin = absl::StrCat(kHttps, authority);
  subscription->target = std::string(endpoint.substr(slash));
  // What is behind a '#' is not sent.
  subscription->target.resize(
      std::min(subscription->target.find('#'), subscription->target.size()));
  return absl::OkStatus();
}

// The bytes of a key; nullopt: there is none of this name.
std::optional<std::string> KeyOf(const nlohmann::json& json, const char* name) {
  const auto keys = json.find("keys");
  if (keys == json.end() || !keys->is_object()) return std::nullopt;
  const auto key = keys->find(name);
  if (key == keys->end() || !key->is_string()) return std::nullopt;
  return DecodeBase64Url(key->get_ref<const std::string&>());
}

}  // namespace

absl::StatusOr<PageSubscription> ParsePageSubscription(absl::string_view text) {
  if (text.size() > kMaxSubscriptionBytes) return Wrong("it is too long");
  const nlohmann::json json =
      nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Wrong("it is no JSON object");
  const auto endpoint = json.find("endpoint");
  if (endpoint == json.end() || !endpoint->is_string()) return Wrong("it has no endpoint");
  PageSubscription subscription;
  BELLWIRE_RETURN_IF_ERROR(ReadEndpoint(endpoint->get_ref<const std::string&>(), &subscription));
  const std::optional<std::string> key = KeyOf(json, "p256dh");
  if (!key.has_value() || !IsP256Point(*key)) return Wrong("its key p256dh is no P-256 point");
  const std::optional<std::string> auth = KeyOf(json, "auth");
  if (!auth.has_value() || auth->size() != kAuthSecretBytes) {
    return Wrong("its key auth has not 16 bytes");
  }
  subscription.recipient = {.public_key = *key, .auth_secret = *auth};
  return subscription;
}

}  // namespace bellwire::cli
