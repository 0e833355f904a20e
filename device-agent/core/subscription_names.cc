#include "device-agent/core/subscription_names.h"

#include "absl/strings/str_cat.h"
#include "openssl/evp.h"
#include "openssl/hmac.h"
#include "openssl/sha.h"

namespace bellwire::agent {
namespace {

constexpr size_t kOwnerBytes = 16;

}  // namespace

std::string SubscriptionNames::InstanceOf(absl::string_view subscription_key) const {
  return Digest(absl::StrCat("instance:", subscription_key));
}

std::string SubscriptionNames::OwnerOf(uid_t uid, absl::string_view owner) const {
  return Digest(absl::StrCat("owner:", uid, ":", owner)).substr(0, kOwnerBytes);
}

std::string SubscriptionNames::AppOwnerOf(absl::string_view app_key) const {
  return Digest(absl::StrCat("app owner:", app_key)).substr(0, kOwnerBytes);
}

std::string SubscriptionNames::Digest(absl::string_view text) const {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  unsigned int size = 0;
  // Fails only without memory.
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

}  // namespace bellwire::agent
