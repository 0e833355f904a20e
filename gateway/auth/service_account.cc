#include "gateway/auth/service_account.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace bellwire::gateway {
namespace {

// As NewShortId makes them.
bool IsShortId(absl::string_view id) {
  return id.size() == 10 &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == absl::string_view::npos;
}

// The domain is nobody's and never will be (ICANN, 2024).
constexpr absl::string_view kDomain = ".bellwire.internal";

constexpr absl::string_view kGoogleAudiences[] = {
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
    "https://accounts.google.com/o/oauth2/token",
};

}  // namespace

std::string ServiceAccountEmail(const ServiceAccount& account) {
  return absl::StrCat(account.key_id, "@", account.team_id, kDomain);
}

std::optional<ServiceAccount> ParseServiceAccountEmail(absl::string_view email) {
  const size_t at = email.find('@');
  if (at == absl::string_view::npos || !absl::ConsumeSuffix(&email, kDomain)) return std::nullopt;
  if (email.size() <= at) return std::nullopt;
  ServiceAccount account{std::string(email.substr(0, at)), std::string(email.substr(at + 1))};
  if (!IsShortId(account.key_id) || !IsShortId(account.team_id)) return std::nullopt;
  return account;
}

bool IsTokenAudience(absl::string_view audience, const PublicUrls& public_urls) {
  for (const absl::string_view google : kGoogleAudiences) {
    if (audience == google) return true;
  }
  for (const absl::string_view path : kTokenPaths) {
    absl::string_view origin = audience;
    if (absl::ConsumeSuffix(&origin, path) && public_urls.Contains(origin)) return true;
  }
  return false;
}

}  // namespace bellwire::gateway
