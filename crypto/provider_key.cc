#include "crypto/provider_key.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"

namespace bellwire {
namespace {

absl::Status BadPublicKey(absl::string_view why) {
  return WithField(
      MakeError(
          absl::StatusCode::kInvalidArgument, "BAD_PUBLIC_KEY",
          absl::StrCat("public_key_pem ", why,
                       "; make one with: openssl ecparam -name prime256v1 -genkey -noout -out "
                       "key.pem && openssl ec -in key.pem -pubout")),
      "public_key_pem");
}

}  // namespace

absl::StatusOr<ProviderKeyPair> GenerateProviderKeyPair() {
  const absl::StatusOr<EvpPkeyPtr> key = GenerateP256Key();
  if (!key.ok()) return key.status();
  return ProviderKeyPair{.private_key_pem = PrivateKeyPem(key->get()),
                         .public_key_pem = PublicKeyPem(key->get())};
}

absl::StatusOr<std::string> CheckProviderPublicKey(absl::string_view public_key_pem) {
  constexpr absl::string_view kBegin = "-----BEGIN PUBLIC KEY-----";
  constexpr absl::string_view kEnd = "-----END PUBLIC KEY-----";
  const absl::string_view pem = absl::StripAsciiWhitespace(public_key_pem);
  if (absl::StrContains(pem, "PRIVATE KEY-----")) {
    return BadPublicKey("holds a private key, which must stay with you: send its public half");
  }
  // Exactly one block: text around it would be stored unseen, a second key be ignored unseen.
  if (!absl::StartsWith(pem, kBegin) || pem.find(kEnd) != pem.size() - kEnd.size()) {
    return BadPublicKey("isn't one PEM block \"PUBLIC KEY\"");
  }
  const EvpPkeyPtr key = ParsePublicKeyPem(pem);
  if (!key) return BadPublicKey("is malformed");
  if (!IsP256(key.get())) {
    return BadPublicKey("isn't a P-256 key (named curve prime256v1, uncompressed point)");
  }
  return PublicKeyPem(key.get());
}

}  // namespace bellwire
