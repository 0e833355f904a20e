#include "gateway/auth/access_token.h"

#include <array>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "openssl/crypto.h"
#include "openssl/sha.h"

namespace bellwire::gateway {
namespace {

constexpr absl::string_view kPrefix = "bw_";
constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr size_t kKeyIdChars = 10;
constexpr size_t kSecretChars = 32;

}  // namespace

std::string NewAccessToken(absl::string_view key_id) {
  std::array<uint8_t, kSecretChars> random;
  FillRandom(random.data(), random.size());
  std::string token = absl::StrCat(kPrefix, key_id);
  for (const uint8_t byte : random) token.push_back(kAlphabet[byte % kAlphabet.size()]);
  return token;
}

bool LooksLikeAccessToken(absl::string_view credential) {
  return absl::StartsWith(credential, kPrefix);
}

std::optional<absl::string_view> KeyIdOfAccessToken(absl::string_view token) {
  if (!LooksLikeAccessToken(token)) return std::nullopt;
  token.remove_prefix(kPrefix.size());
  if (token.size() != kKeyIdChars + kSecretChars ||
      token.find_first_not_of(kAlphabet) != absl::string_view::npos) {
    return std::nullopt;
  }
  return token.substr(0, kKeyIdChars);
}

std::string HashAccessToken(absl::string_view token) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

bool AccessTokenMatches(absl::string_view token, absl::string_view hash) {
  const std::string own = HashAccessToken(token);
  return own.size() == hash.size() && CRYPTO_memcmp(own.data(), hash.data(), own.size()) == 0;
}

}  // namespace bellwire::gateway
