#include "crypto/enrolment_token.h"

#include <array>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "openssl/crypto.h"
#include "openssl/sha.h"

namespace bellwire {
namespace {

constexpr absl::string_view kPrefix = "bwe_";
constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr size_t kIdChars = 10;
constexpr size_t kSecretChars = 32;
static_assert(kPrefix.size() + kIdChars + kSecretChars == kEnrolmentTokenChars);

}  // namespace

std::string NewEnrolmentToken(absl::string_view enrolment_id) {
  std::array<uint8_t, kSecretChars> random;
  FillRandom(random.data(), random.size());
  std::string token = absl::StrCat(kPrefix, enrolment_id);
  for (const uint8_t byte : random) token.push_back(kAlphabet[byte % kAlphabet.size()]);
  return token;
}

std::optional<absl::string_view> IdOfEnrolmentToken(absl::string_view token) {
  if (token.size() != kEnrolmentTokenChars || !absl::StartsWith(token, kPrefix)) {
    return std::nullopt;
  }
  token.remove_prefix(kPrefix.size());
  if (token.find_first_not_of(kAlphabet) != absl::string_view::npos) return std::nullopt;
  return token.substr(0, kIdChars);
}

std::string HashEnrolmentToken(absl::string_view token) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

bool EnrolmentTokenMatches(absl::string_view token, absl::string_view hash) {
  const std::string own = HashEnrolmentToken(token);
  return own.size() == hash.size() && CRYPTO_memcmp(own.data(), hash.data(), own.size()) == 0;
}

}  // namespace bellwire
