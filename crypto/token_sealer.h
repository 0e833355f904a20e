#ifndef BELLWIRE_CRYPTO_TOKEN_SEALER_H_
#define BELLWIRE_CRYPTO_TOKEN_SEALER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "crypto/openssl_ptr.h"

namespace bellwire {

// What a device token says, to those who hold the sealing keys.
struct TokenContents {
  DeviceId device_id;
  // The registration of one app on that device. Random, so that a token names one life of it.
  uint64_t registration_id = 0;
  // AppTag of the app id: tells a token of another app without a look into storage. Of a
  // subscription, which has no app: kSubscriptionTag.
  uint64_t app_tag = 0;

  friend bool operator==(const TokenContents&, const TokenContents&) = default;
};

// The first 8 bytes, big-endian, of the SHA-256 of the app id.
uint64_t AppTag(absl::string_view app_id);
// Of no app in 2^64.
inline constexpr uint64_t kSubscriptionTag = 0;

// One message of a registration, as the URL of a message resource (RFC 8030) names it.
struct MessageName {
  DeviceId device_id;
  uint64_t registration_id = 0;
  MessageId message_id;

  friend bool operator==(const MessageName&, const MessageName&) = default;
};

// What an access token of the FCM door says: which key it was given for, and until when it is good.
struct AccessGrant {
  static constexpr size_t kKeyIdChars = 10;

  // kKeyIdChars characters.
  std::string key_id;
  // Whole seconds.
  absl::Time expires_at;

  friend bool operator==(const AccessGrant&, const AccessGrant&) = default;
};

// Seals device tokens and opens them: to all others they are random, and none but the sealer can
// make one that opens.
//
// A token is lower-case hex of
//     key id (1 byte) · AES-SIV synthetic IV (16) · ciphertext (63)
// the plaintext being device id (16) · registration id (8, big-endian) · app tag (8, big-endian) ·
// 31 zeros, the cipher AES-256-SIV (RFC 5297) with one associated datum: "bellwire token v2" and
// the key id. The zeros give a token the 160 digits of APNs' tokens, by which libraries know them.
// SIV is deterministic and needs no nonce: under one key a registration always has the same token,
// and nothing can go wrong by repeating one.
//
// A short token has no zeros and the associated datum "bellwire token v1": 98 digits. Tokens of
// apps were short once. The endpoints of subscriptions end with short ones still: nobody takes them
// for APNs', and a browser that was told another endpoint would drop its subscription.
//
// The key file holds one key a line, newest first; `#` begins a comment:
//     KEY_ID HEX
// KEY_ID is 0 to 255 and unique in the file, HEX the 64 bytes of the key. The newest seals, all
// open. Remove a line only when its tokens may die: agents learn their new token at their next
// login.
//
// Immutable after construction and thread-safe: share one per process.
class TokenSealer {
 public:
  static constexpr size_t kKeyBytes = 64;
  static constexpr size_t kTokenChars = 2 * (1 + 16 + 63);
  static constexpr size_t kShortTokenChars = 2 * (1 + 16 + 32);
  static constexpr size_t kMessageNameChars = 2 * (1 + 16 + 40);
  static constexpr size_t kGrantChars = 2 * (1 + 16 + AccessGrant::kKeyIdChars + 8);
  // More keys would only hide that nobody removes old ones.
  static constexpr size_t kMaxKeys = 16;

  struct Key {
    uint8_t id = 0;
    std::array<uint8_t, kKeyBytes> bytes{};
  };

  // Makes a key file (0600) with one random key.
  //   ALREADY_EXISTS FILE_EXISTS · UNAVAILABLE FILE_NOT_WRITTEN
  static absl::Status CreateKeyFile(const std::string& path);

  // Puts a new random key before the others. A process that has read the file goes on with what it
  // read: restart whatever opens tokens before whatever seals them.
  //   as FromFile, and RESOURCE_EXHAUSTED TOO_MANY_KEYS · UNAVAILABLE FILE_NOT_WRITTEN
  static absl::Status AddKey(const std::string& path);

  //   as ReadPrivateFile (crypto/file_util.h), and FAILED_PRECONDITION BAD_KEY_FILE naming the line
  static absl::StatusOr<std::unique_ptr<TokenSealer>> FromFile(const std::string& path);

  // With one fixed key that everybody knows.
  static std::unique_ptr<TokenSealer> ForTesting();

  ~TokenSealer();
  TokenSealer(const TokenSealer&) = delete;
  TokenSealer& operator=(const TokenSealer&) = delete;

  // The token of a registration: kTokenChars characters, or kShortTokenChars of a subscription.
  std::string Seal(const TokenContents& contents) const;
  // kShortTokenChars characters, also of an app: the token that it had before.
  std::string SealShort(const TokenContents& contents) const;

  // Names the key that Seal uses, without telling it: it changes when the tokens do.
  uint64_t fingerprint() const { return fingerprint_; }

  // Of a token of either length. nullopt for anything that was not sealed under one of these keys.
  std::optional<TokenContents> Open(absl::string_view token) const;

  // The same for a message: kMessageNameChars characters, and no token. Its associated datum is
  // "bellwire message v1" and the key id, its plaintext device id · registration id · message id.
  std::string SealMessage(const MessageName& name) const;
  std::optional<MessageName> OpenMessage(absl::string_view sealed) const;

  // The same for a grant: kGrantChars characters. Its associated datum is "bellwire grant v1" and
  // the key id, its plaintext the id of the granted key · the time, seconds since the Unix epoch.
  // REQUIRES: the id has AccessGrant::kKeyIdChars characters.
  std::string SealGrant(const AccessGrant& grant) const;
  std::optional<AccessGrant> OpenGrant(absl::string_view sealed) const;

 private:
  // `context` tells one kind of what is sealed from another.
  template <size_t kSize>
  std::string SealBytes(absl::string_view context, const std::array<uint8_t, kSize>& plain) const;
  template <size_t kSize>
  bool OpenBytes(absl::string_view context, absl::string_view sealed,
                 std::array<uint8_t, kSize>* plain) const;

  TokenSealer(EvpCipherPtr cipher, std::vector<Key> keys);

  const EvpCipherPtr cipher_;
  // Newest first; never empty. Wiped when destroyed.
  std::vector<Key> keys_;
  const uint64_t fingerprint_;
};

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_TOKEN_SEALER_H_
