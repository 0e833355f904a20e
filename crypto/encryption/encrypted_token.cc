#include "crypto/encryption/encrypted_token.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base64.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/p256.h"

namespace bellwire {
namespace {

constexpr absl::string_view kVersion = "e1";

std::string ToBase64Url(absl::string_view bytes) {
  std::string text;
  absl::WebSafeBase64Escape(bytes, &text);
  return text;
}

absl::Status Bad(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ENCRYPTED_TOKEN",
                   absl::StrCat("an encrypted token has the form e1.TOKEN.P256DH.AUTH: ", why));
}

bool IsToken(absl::string_view token) {
  return !token.empty() && token.size() <= kMaxTokenChars &&
         std::all_of(token.begin(), token.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string FormatEncryptedToken(const EncryptedToken& token) {
  return absl::StrCat(kVersion, ".", token.token, ".", ToBase64Url(token.recipient.public_key), ".",
                      ToBase64Url(token.recipient.auth_secret));
}

absl::StatusOr<EncryptedToken> ParseEncryptedToken(absl::string_view text) {
  if (text.size() > kMaxEncryptedTokenChars) return Bad("it is too long");
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() != 4 || parts[0] != kVersion) return Bad("it has other parts");
  if (!IsToken(parts[1])) return Bad("the token is no lower-case hex");
  std::optional<std::string> public_key = DecodeBase64Url(parts[2]);
  if (!public_key.has_value() || !IsP256Point(*public_key)) {
    return Bad("P256DH is no uncompressed point of P-256 in base64url");
  }
  std::optional<std::string> auth_secret = DecodeBase64Url(parts[3]);
  if (!auth_secret.has_value() || auth_secret->size() != kAuthSecretBytes) {
    return Bad("AUTH is not 16 bytes in base64url");
  }
  return EncryptedToken{std::string(parts[1]), {*std::move(public_key), *std::move(auth_secret)}};
}

bool IsEncryptedPayload(absl::string_view payload) {
  return absl::StartsWith(payload, kEncryptedPayloadMark);
}

absl::string_view BodyOfEncryptedPayload(absl::string_view payload) {
  return payload.substr(kEncryptedPayloadMark.size());
}

absl::StatusOr<std::string> EncryptPayload(const EncryptedToken& token, absl::string_view text) {
  if (text.size() > kMaxEncryptedTextBytes) {
    return MakeError(absl::StatusCode::kInvalidArgument, "PAYLOAD_TOO_LARGE",
                     absl::StrCat("the text has ", text.size(), " bytes; encrypted messages hold ",
                                  kMaxEncryptedTextBytes));
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::string body, EncryptAes128gcm(token.recipient, text));
  return absl::StrCat(kEncryptedPayloadMark, body);
}

}  // namespace bellwire
