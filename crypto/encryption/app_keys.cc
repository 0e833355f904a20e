#include "crypto/encryption/app_keys.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base64.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/encryption/encrypted_token.h"
#include "crypto/file_util.h"
#include "crypto/openssl_error.h"
#include "crypto/p256.h"
#include "openssl/crypto.h"
#include "openssl/rand.h"

namespace bellwire {
namespace {

constexpr absl::string_view kEndOfPem = "-----END PRIVATE KEY-----\n";

absl::Status Bad() {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_APP_KEYS",
                   "not a P-256 private key in PEM and a secret of 16 bytes in base64url");
}

void Wipe(std::string* text) { OPENSSL_cleanse(text->data(), text->size()); }

}  // namespace

AppKeys::AppKeys(EvpPkeyPtr key, std::string auth_secret)
    : key_(std::move(key)), recipient_{PointOf(key_.get()), std::move(auth_secret)} {}

AppKeys::~AppKeys() { Wipe(&recipient_.auth_secret); }

absl::StatusOr<std::unique_ptr<AppKeys>> AppKeys::Generate() {
  BELLWIRE_ASSIGN_OR_RETURN(EvpPkeyPtr key, GenerateP256Key());
  std::string auth_secret(kAuthSecretBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(auth_secret.data()),
                 static_cast<int>(auth_secret.size())) != 1) {
    return OpenSslError("make a secret");
  }
  return std::unique_ptr<AppKeys>(new AppKeys(std::move(key), std::move(auth_secret)));
}

absl::StatusOr<std::unique_ptr<AppKeys>> AppKeys::LoadOrCreate(const std::string& path) {
  absl::StatusOr<std::string> contents = ReadPrivateFile(path);
  if (absl::IsNotFound(contents.status())) {
    BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<AppKeys> keys, Generate());
    std::string text = keys->Format();
    const absl::Status written = CreateFileAtomically(path, text, FileAccess::kPrivate);
    Wipe(&text);
    if (written.ok()) return keys;
    // Somebody else was faster: theirs are the app's keys.
    if (!absl::IsAlreadyExists(written)) return written;
    contents = ReadPrivateFile(path);
  }
  if (!contents.ok()) return contents.status();
  absl::StatusOr<std::unique_ptr<AppKeys>> keys = Parse(*contents);
  Wipe(&*contents);
  if (keys.ok()) return keys;
  return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_APP_KEYS",
                   absl::StrCat(path, " is damaged: ", keys.status().message(),
                                ". Restore it; or delete it, and hand the new encrypted token to "
                                "the app's backend"));
}

absl::StatusOr<std::unique_ptr<AppKeys>> AppKeys::Replace(const std::string& path) {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<AppKeys> keys, Generate());
  std::string text = keys->Format();
  const absl::Status written = ReplaceFileAtomically(path, text, FileAccess::kPrivate);
  Wipe(&text);
  if (!written.ok()) return written;
  return keys;
}

absl::StatusOr<std::unique_ptr<AppKeys>> AppKeys::Parse(absl::string_view contents) {
  const size_t end = contents.find(kEndOfPem);
  if (end == absl::string_view::npos) return Bad();
  EvpPkeyPtr key = ParsePrivateKeyPem(contents.substr(0, end + kEndOfPem.size()));
  if (!key || !IsP256(key.get())) return Bad();
  absl::string_view line = contents.substr(end + kEndOfPem.size());
  if (!absl::ConsumeSuffix(&line, "\n")) return Bad();
  std::optional<std::string> auth_secret = DecodeBase64Url(line);
  if (!auth_secret.has_value() || auth_secret->size() != kAuthSecretBytes) return Bad();
  return std::unique_ptr<AppKeys>(new AppKeys(std::move(key), *std::move(auth_secret)));
}

std::string AppKeys::Format() const {
  std::string auth_secret;
  absl::WebSafeBase64Escape(recipient_.auth_secret, &auth_secret);
  return absl::StrCat(PrivateKeyPem(key_.get()), auth_secret, "\n");
}

absl::StatusOr<std::string> AppKeys::Decrypt(absl::string_view payload) const {
  return DecryptAes128gcm(key_.get(), recipient_.auth_secret, BodyOfEncryptedPayload(payload));
}

}  // namespace bellwire
