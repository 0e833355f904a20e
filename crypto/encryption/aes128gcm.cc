#include "crypto/encryption/aes128gcm.h"

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/openssl_error.h"
#include "crypto/p256.h"
#include "openssl/crypto.h"
#include "openssl/err.h"
#include "openssl/evp.h"
#include "openssl/hmac.h"
#include "openssl/rand.h"

namespace bellwire {
namespace {

constexpr size_t kTagBytes = 16;
constexpr size_t kHeaderBytes = kSaltBytes + 4 + 1 + kP256PointBytes;
// A record holds a delimiter and a tag at least (RFC 8188, 2).
constexpr uint32_t kMinRecordBytes = 1 + kTagBytes + 1;
// Of the last record, before the padding.
constexpr char kDelimiter = '\x02';
constexpr size_t kKeyBytes = 16;
constexpr size_t kNonceBytes = 12;

static_assert(kEncryptionOverheadBytes == kHeaderBytes + 1 + kTagBytes);

const unsigned char* Bytes(absl::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}
unsigned char* Bytes(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

absl::Status BadBody(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ENCRYPTION",
                   absl::StrCat("not a message encrypted for this app: ", why));
}

absl::Status BadRecipient(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_RECIPIENT",
                   absl::StrCat("can't encrypt: ", why));
}

// Bytes that are wiped when they are gone.
class Secret {
 public:
  Secret() = default;
  Secret(Secret&& other) = default;
  Secret& operator=(Secret&&) = delete;
  ~Secret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  absl::string_view view() const {
    return absl::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  }
  unsigned char* data() { return bytes_.data(); }
  static constexpr size_t kSize = 32;

 private:
  std::array<unsigned char, kSize> bytes_ = {};
};

absl::StatusOr<Secret> HmacSha256(absl::string_view key, absl::string_view data) {
  Secret result;
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(data), data.size(),
           result.data(), &size) == nullptr ||
      size != Secret::kSize) {
    return OpenSslError("derive a key");
  }
  return result;
}

// The x coordinate that both ends come to. `peer` is on the curve.
absl::StatusOr<Secret> Ecdh(EVP_PKEY* key, EVP_PKEY* peer) {
  Secret secret;
  size_t size = Secret::kSize;
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new(key, nullptr));
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer) != 1 ||
      EVP_PKEY_derive(context.get(), secret.data(), &size) != 1 || size != Secret::kSize) {
    return OpenSslError("agree on a key");
  }
  return secret;
}

// The public key with this point; null: it is no uncompressed point of the curve of `own`.
EvpPkeyPtr KeyOfPoint(const EVP_PKEY* own, absl::string_view point) {
  EvpPkeyPtr key(EVP_PKEY_new());
  // OpenSSL takes compressed points as well.
  if (!key || point.size() != kP256PointBytes || point[0] != 4 ||
      EVP_PKEY_copy_parameters(key.get(), own) != 1 ||
      EVP_PKEY_set1_encoded_public_key(key.get(), Bytes(point), point.size()) != 1) {
    key.reset();
  }
  ERR_clear_error();
  return key;
}

struct ContentKeys {
  Secret key;    // kKeyBytes of it.
  Secret nonce;  // kNonceBytes of it.
};

// RFC 8291, 3.3 and 3.4. One of the two private keys is `own`; the other end's public one is
// `peer`.
absl::StatusOr<ContentKeys> DeriveKeys(EVP_PKEY* own, EVP_PKEY* peer, const Recipient& recipient,
                                       absl::string_view sender_public, absl::string_view salt) {
  constexpr absl::string_view kInfo("WebPush: info\0", 14);
  constexpr absl::string_view kKeyInfo("Content-Encoding: aes128gcm\0\1", 29);
  constexpr absl::string_view kNonceInfo("Content-Encoding: nonce\0\1", 25);
  BELLWIRE_ASSIGN_OR_RETURN(const Secret shared, Ecdh(own, peer));
  BELLWIRE_ASSIGN_OR_RETURN(const Secret pseudo_random,
                            HmacSha256(recipient.auth_secret, shared.view()));
  BELLWIRE_ASSIGN_OR_RETURN(
      const Secret keying,
      HmacSha256(pseudo_random.view(),
                 absl::StrCat(kInfo, recipient.public_key, sender_public, "\1")));
  BELLWIRE_ASSIGN_OR_RETURN(const Secret secret, HmacSha256(salt, keying.view()));
  BELLWIRE_ASSIGN_OR_RETURN(Secret key, HmacSha256(secret.view(), kKeyInfo));
  BELLWIRE_ASSIGN_OR_RETURN(Secret nonce, HmacSha256(secret.view(), kNonceInfo));
  return ContentKeys{std::move(key), std::move(nonce)};
}

// Ciphertext and tag.
absl::StatusOr<std::string> Seal(ContentKeys& keys, absl::string_view plain) {
  std::string sealed(plain.size() + kTagBytes, '\0');
  int size = 0;
  int rest = 0;
  const EvpCipherCtxPtr context(EVP_CIPHER_CTX_new());
  if (!context ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, keys.key.data(),
                         keys.nonce.data()) != 1 ||
      EVP_EncryptUpdate(context.get(), Bytes(sealed), &size, Bytes(plain),
                        static_cast<int>(plain.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), Bytes(sealed) + size, &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                          Bytes(sealed) + plain.size()) != 1) {
    return OpenSslError("encrypt");
  }
  return sealed;
}

absl::StatusOr<std::string> Unseal(ContentKeys& keys, absl::string_view sealed) {
  std::string plain(sealed.size() - kTagBytes, '\0');
  std::string tag(sealed.substr(plain.size()));
  int size = 0;
  int rest = 0;
  const EvpCipherCtxPtr context(EVP_CIPHER_CTX_new());
  if (!context ||
      EVP_DecryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, keys.key.data(),
                         keys.nonce.data()) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) != 1 ||
      EVP_DecryptUpdate(context.get(), Bytes(plain), &size, Bytes(sealed),
                        static_cast<int>(plain.size())) != 1) {
    return OpenSslError("decrypt");
  }
  if (EVP_DecryptFinal_ex(context.get(), Bytes(plain) + size, &rest) != 1) {
    ERR_clear_error();
    OPENSSL_cleanse(plain.data(), plain.size());
    return BadBody("it was made for another key or secret, or was changed on its way");
  }
  return plain;
}

}  // namespace

std::string PointOf(const EVP_PKEY* key) {
  const std::string der = PublicKeyDer(key);
  return IsP256(key) ? der.substr(der.size() - kP256PointBytes) : "";
}

absl::StatusOr<std::string> EncryptAes128gcm(const Recipient& recipient, absl::string_view text) {
  BELLWIRE_ASSIGN_OR_RETURN(const EvpPkeyPtr sender_key, GenerateP256Key());
  std::string salt(kSaltBytes, '\0');
  if (RAND_bytes(Bytes(salt), static_cast<int>(salt.size())) != 1) {
    return OpenSslError("make a salt");
  }
  return EncryptAes128gcmWith(recipient, text, sender_key.get(), salt);
}

absl::StatusOr<std::string> EncryptAes128gcmWith(const Recipient& recipient, absl::string_view text,
                                                 EVP_PKEY* sender_key, absl::string_view salt) {
  if (recipient.auth_secret.size() != kAuthSecretBytes) {
    return BadRecipient(absl::StrCat("an auth secret has ", kAuthSecretBytes, " bytes"));
  }
  const EvpPkeyPtr peer = KeyOfPoint(sender_key, recipient.public_key);
  if (!peer) return BadRecipient("the key is no uncompressed point of P-256");
  if (text.size() > kMaxRecordTextBytes) {
    return MakeError(absl::StatusCode::kInvalidArgument, "PAYLOAD_TOO_LARGE",
                     absl::StrCat("a text of ", text.size(), " bytes; at most ",
                                  kMaxRecordTextBytes, " can be encrypted"));
  }
  const std::string sender_public = PointOf(sender_key);
  BELLWIRE_ASSIGN_OR_RETURN(ContentKeys keys,
                            DeriveKeys(sender_key, peer.get(), recipient, sender_public, salt));
  std::string plain = absl::StrCat(text, absl::string_view(&kDelimiter, 1));
  const absl::StatusOr<std::string> sealed = Seal(keys, plain);
  OPENSSL_cleanse(plain.data(), plain.size());
  if (!sealed.ok()) return sealed.status();
  std::string body(salt);
  for (int shift = 24; shift >= 0; shift -= 8) {
    body.push_back(static_cast<char>(kRecordBytes >> shift));
  }
  body.push_back(static_cast<char>(kP256PointBytes));
  absl::StrAppend(&body, sender_public, *sealed);
  return body;
}

absl::StatusOr<std::string> DecryptAes128gcm(EVP_PKEY* key, absl::string_view auth_secret,
                                             absl::string_view body) {
  if (body.size() < kEncryptionOverheadBytes) return BadBody("it is too short");
  const absl::string_view salt = body.substr(0, kSaltBytes);
  uint32_t record_bytes = 0;
  for (const char c : body.substr(kSaltBytes, 4)) {
    record_bytes = record_bytes << 8 | static_cast<uint8_t>(c);
  }
  if (static_cast<uint8_t>(body[kSaltBytes + 4]) != kP256PointBytes) {
    return BadBody("its key id is no P-256 key");
  }
  const absl::string_view sender_public = body.substr(kSaltBytes + 5, kP256PointBytes);
  const absl::string_view sealed = body.substr(kHeaderBytes);
  if (record_bytes < kMinRecordBytes || sealed.size() > record_bytes) {
    return BadBody("it is not one record");
  }
  const EvpPkeyPtr peer = KeyOfPoint(key, sender_public);
  if (!peer) return BadBody("its key id is no uncompressed point of P-256");
  const Recipient self{PointOf(key), std::string(auth_secret)};
  BELLWIRE_ASSIGN_OR_RETURN(ContentKeys keys,
                            DeriveKeys(key, peer.get(), self, sender_public, salt));
  BELLWIRE_ASSIGN_OR_RETURN(std::string plain, Unseal(keys, sealed));
  // The text, the delimiter, zeros.
  const size_t end = plain.find_last_not_of('\0');
  if (end == std::string::npos || plain[end] != kDelimiter) {
    return BadBody("its padding is malformed");
  }
  plain.resize(end);
  return plain;
}

}  // namespace bellwire
