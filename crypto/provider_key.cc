#include "crypto/provider_key.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "crypto/openssl_error.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "openssl/bn.h"
#include "openssl/core_names.h"
#include "openssl/rsa.h"

namespace bellwire {
namespace {

constexpr int kServiceAccountKeyBits = 2048;
constexpr int kMaxServiceAccountKeyBits = 4096;

constexpr absl::string_view kHowToMakeP256 =
    "openssl ecparam -name prime256v1 -genkey -noout -out key.pem && openssl ec -in key.pem "
    "-pubout";
constexpr absl::string_view kHowToMakeRsa =
    "openssl genrsa -out key.pem 2048 && openssl rsa -in key.pem -pubout";

absl::Status BadPublicKey(absl::string_view why, absl::string_view how_to_make) {
  return WithField(
      MakeError(absl::StatusCode::kInvalidArgument, "BAD_PUBLIC_KEY",
                absl::StrCat("public_key_pem ", why, "; make one with: ", how_to_make)),
      "public_key_pem");
}

// One block and a key in it, of whatever kind.
absl::StatusOr<EvpPkeyPtr> ParsePublicKey(absl::string_view public_key_pem,
                                          absl::string_view how_to_make) {
  constexpr absl::string_view kBegin = "-----BEGIN PUBLIC KEY-----";
  constexpr absl::string_view kEnd = "-----END PUBLIC KEY-----";
  const absl::string_view pem = absl::StripAsciiWhitespace(public_key_pem);
  if (absl::StrContains(pem, "PRIVATE KEY-----")) {
    return BadPublicKey("holds a private key, which must stay with you: send its public half",
                        how_to_make);
  }
  // Exactly one block: text around it would be stored unseen, a second key be ignored unseen.
  if (!absl::StartsWith(pem, kBegin) || pem.find(kEnd) != pem.size() - kEnd.size()) {
    return BadPublicKey("isn't one PEM block \"PUBLIC KEY\"", how_to_make);
  }
  EvpPkeyPtr key = ParsePublicKeyPem(pem);
  if (!key) return BadPublicKey("is malformed", how_to_make);
  return key;
}

bool HasUsualExponent(const EVP_PKEY* key) {
  BIGNUM* exponent = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1) return false;
  const bool usual = BN_is_word(exponent, RSA_F4) == 1;
  BN_free(exponent);
  return usual;
}

}  // namespace

absl::StatusOr<ProviderKeyPair> GenerateProviderKeyPair() {
  const absl::StatusOr<EvpPkeyPtr> key = GenerateP256Key();
  if (!key.ok()) return key.status();
  return ProviderKeyPair{.private_key_pem = PrivateKeyPem(key->get()),
                         .public_key_pem = PublicKeyPem(key->get())};
}

absl::StatusOr<std::string> CheckProviderPublicKey(absl::string_view public_key_pem) {
  const absl::StatusOr<EvpPkeyPtr> key = ParsePublicKey(public_key_pem, kHowToMakeP256);
  if (!key.ok()) return key.status();
  if (!IsP256(key->get())) {
    return BadPublicKey("isn't a P-256 key (named curve prime256v1, uncompressed point)",
                        kHowToMakeP256);
  }
  return PublicKeyPem(key->get());
}

absl::StatusOr<ProviderKeyPair> GenerateServiceAccountKeyPair() {
  const EvpPkeyPtr key(EVP_RSA_gen(kServiceAccountKeyBits));
  if (!key) return OpenSslError("make an RSA key");
  return ProviderKeyPair{.private_key_pem = PrivateKeyPem(key.get()),
                         .public_key_pem = PublicKeyPem(key.get())};
}

absl::StatusOr<std::string> CheckServiceAccountPublicKey(absl::string_view public_key_pem) {
  const absl::StatusOr<EvpPkeyPtr> key = ParsePublicKey(public_key_pem, kHowToMakeRsa);
  if (!key.ok()) return key.status();
  const int bits = EVP_PKEY_get_bits(key->get());
  if (EVP_PKEY_is_a(key->get(), "RSA") != 1 || bits < kServiceAccountKeyBits ||
      bits > kMaxServiceAccountKeyBits || !HasUsualExponent(key->get())) {
    return BadPublicKey("isn't an RSA key of 2,048 to 4,096 bits with the exponent 65,537",
                        kHowToMakeRsa);
  }
  return PublicKeyPem(key->get());
}

}  // namespace bellwire
