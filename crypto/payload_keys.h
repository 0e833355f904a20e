#ifndef BELLWIRE_CRYPTO_PAYLOAD_KEYS_H_
#define BELLWIRE_CRYPTO_PAYLOAD_KEYS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/xaes_gcm.h"

namespace bellwire {

// One key that seals payloads at rest.
struct PayloadKey {
  static constexpr size_t kIdBytes = 8;

  // kIdBytes bytes: the beginning of a SHA-256 of the key. It names the key and tells nothing of
  // it.
  std::string id;
  std::array<uint8_t, XaesGcm::kKeyBytes> bytes{};
};

// The keys that seal payloads at rest, from a file outside of the data directory. The file holds
// one key a line, newest first; `#` begins a comment:
//     KEY_ID HEX
// KEY_ID is the key's id in 16 lower-case hex digits, which finds a line that was damaged; HEX the
// 32 bytes of the key. The newest seals, all open.
//
// Immutable and thread-safe. Wiped when destroyed.
class PayloadKeys {
 public:
  // More keys would only hide that nobody removes old ones.
  static constexpr size_t kMaxKeys = 16;

  // Makes a key file (0600) with one random key.
  //   ALREADY_EXISTS FILE_EXISTS · UNAVAILABLE FILE_NOT_WRITTEN
  static absl::Status CreateFile(const std::string& path);
  // Puts a new random key before the others: a rotation begins where a server notices.
  //   as FromFile, and RESOURCE_EXHAUSTED TOO_MANY_KEYS · UNAVAILABLE FILE_NOT_WRITTEN
  static absl::Status AddKey(const std::string& path);

  //   as ReadPrivateFile (crypto/file_util.h), and FAILED_PRECONDITION BAD_PAYLOAD_KEY_FILE naming
  //   the line
  static absl::StatusOr<std::shared_ptr<const PayloadKeys>> FromFile(const std::string& path);
  // The text of a file. `path` is for errors.
  static absl::StatusOr<std::shared_ptr<const PayloadKeys>> Parse(absl::string_view text,
                                                                  const std::string& path);
  // With keys made of these bytes, newest first.
  static std::shared_ptr<const PayloadKeys> ForTesting(const std::vector<uint8_t>& fill);

  ~PayloadKeys();
  PayloadKeys(const PayloadKeys&) = delete;
  PayloadKeys& operator=(const PayloadKeys&) = delete;

  // Newest first; never empty.
  const std::vector<PayloadKey>& keys() const { return keys_; }
  const PayloadKey& newest() const { return keys_.front(); }
  // nullptr: there is none of this id.
  const PayloadKey* Find(absl::string_view id) const;

 private:
  explicit PayloadKeys(std::vector<PayloadKey> keys) : keys_(std::move(keys)) {}

  std::vector<PayloadKey> keys_;
};

// "0123456789abcdef": a key's id for a person.
std::string PayloadKeyName(absl::string_view id);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_PAYLOAD_KEYS_H_
