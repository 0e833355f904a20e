#include "gateway/doors/webpush/encrypted_body.h"

#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace bellwire::webpush {
namespace {

using internal::v1::Content;

constexpr size_t kSaltBytes = 16;
constexpr size_t kKeyBytes = 65;
constexpr size_t kHeaderBytes = kSaltBytes + 4 + 1 + kKeyBytes;
// A record holds a padding delimiter and a tag at least (RFC 8188, 2).
constexpr uint32_t kMinRecordBytes = 18;
// Two bytes of padding length and a tag.
constexpr size_t kMinAesgcmBytes = 18;

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ENCRYPTION", message);
}

absl::string_view ValueOf(const http::HeaderList& headers, absl::string_view name) {
  const std::string* value = http::FindHeader(headers, name);
  return value == nullptr ? absl::string_view() : absl::StripAsciiWhitespace(*value);
}

// Whether a field such as "keyid=p256dh; dh=BNc…, p256ecdsa=BA…" has a parameter of this name.
bool HasParameter(absl::string_view field, absl::string_view name) {
  for (const absl::string_view part : absl::StrSplit(field, absl::ByAnyChar(",;"))) {
    const absl::string_view parameter = absl::StripAsciiWhitespace(part);
    if (parameter.size() > name.size() + 1 && parameter[name.size()] == '=' &&
        absl::EqualsIgnoreCase(parameter.substr(0, name.size()), name)) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status CheckAes128gcm(absl::string_view body) {
  if (body.size() < kAes128gcmOverhead) {
    return Bad(absl::StrCat("an aes128gcm body has at least ", kAes128gcmOverhead,
                            " bytes; this one has ", body.size()));
  }
  uint32_t record_bytes = 0;
  for (size_t i = 0; i < 4; ++i) {
    record_bytes = record_bytes << 8 | static_cast<uint8_t>(body[kSaltBytes + i]);
  }
  const size_t key_bytes = static_cast<uint8_t>(body[kSaltBytes + 4]);
  if (key_bytes != kKeyBytes || body[kSaltBytes + 5] != '\x04') {
    return Bad("the key id of an aes128gcm body is the sender's P-256 key, uncompressed: 65 bytes");
  }
  if (record_bytes < kMinRecordBytes || body.size() - kHeaderBytes > record_bytes) {
    return Bad("an aes128gcm body is one record, not longer than its record size says");
  }
  return absl::OkStatus();
}

absl::StatusOr<Content> ContentOf(const http::HeaderList& headers, absl::string_view body) {
  Content content;
  content.set_door(Content::WEB_PUSH);
  const absl::string_view encoding = ValueOf(headers, "content-encoding");
  const absl::string_view encryption = ValueOf(headers, "encryption");
  const absl::string_view crypto_key = ValueOf(headers, "crypto-key");
  // Nothing to decrypt: a user agent shows its own text, or fetches.
  if (body.empty()) return content;
  if (encryption.size() > kMaxFieldBytes || crypto_key.size() > kMaxFieldBytes) {
    return Bad(absl::StrCat("Encryption or Crypto-Key has more than ", kMaxFieldBytes, " bytes"));
  }
  if (absl::EqualsIgnoreCase(encoding, "aes128gcm")) {
    if (HasParameter(encryption, "salt") || HasParameter(crypto_key, "dh")) {
      return Bad("aes128gcm has salt and key in its body, not in Encryption and Crypto-Key");
    }
    BELLWIRE_RETURN_IF_ERROR(CheckAes128gcm(body));
    content.set_encoding("aes128gcm");
    return content;
  }
  if (absl::EqualsIgnoreCase(encoding, "aesgcm")) {
    if (!HasParameter(encryption, "salt") || !HasParameter(crypto_key, "dh")) {
      return Bad("aesgcm needs Encryption: salt=… and Crypto-Key: dh=…");
    }
    if (body.size() < kMinAesgcmBytes) {
      return Bad(absl::StrCat("an aesgcm body has at least ", kMinAesgcmBytes, " bytes"));
    }
    content.set_encoding("aesgcm");
    content.set_encryption(std::string(encryption));
    content.set_crypto_key(std::string(crypto_key));
    return content;
  }
  if (encoding.empty()) {
    return Bad("a body must be encrypted (RFC 8291), and Content-Encoding must say how");
  }
  return Bad("Content-Encoding is neither aes128gcm nor aesgcm");
}

}  // namespace bellwire::webpush
