#ifndef BELLWIRE_REGISTRY_SEALING_RECORD_SEAL_H_
#define BELLWIRE_REGISTRY_SEALING_RECORD_SEAL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "crypto/payload_keys.h"
#include "crypto/xaes_gcm.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// Whether the record holds payloads: a message in a mailbox, a scheduled one, a topic message.
bool HoldsPayload(Family family, absl::string_view key);

// Seals whole records, and opens them. A sealed record is
//     0x07 0x01 · key id (8) · nonce (24) · ciphertext · tag (16)
// of XAES-256-GCM. Its associated data are "bellwire record v1", the family (1) and the record's
// key: a record that was moved to another key does not open. No protobuf message begins with 0x07,
// so a sealed record is told from a clear one, and a program that knows nothing of sealing takes it
// for damage.
//
// A nonce is a random beginning, which an object takes when it is made, and a count: none repeats,
// also where a store comes from a backup or several registries have the same keys.
//
// Not thread-safe.
class RecordSeal {
 public:
  static constexpr size_t kOverheadBytes =
      2 + PayloadKey::kIdBytes + XaesGcm::kNonceBytes + XaesGcm::kTagBytes;

  explicit RecordSeal(std::shared_ptr<const PayloadKeys> keys);

  // With these from now on.
  void SetKeys(std::shared_ptr<const PayloadKeys> keys);
  const PayloadKeys& keys() const { return *keys_; }

  // REQUIRES: keys() has this id.
  std::string Seal(absl::string_view key_id, Family family, absl::string_view key,
                   absl::string_view record);
  //   DATA_LOSS STORE_CORRUPT: it was not sealed for this key of the store, or was changed since,
  // or
  //   its key is not among keys()
  absl::Status Open(Family family, absl::string_view key, absl::string_view sealed,
                    std::string* record);

  // The id of the key that the record names. nullopt: it is not sealed.
  static std::optional<absl::string_view> KeyIdOf(absl::string_view record);

 private:
  XaesGcm* CipherOf(absl::string_view key_id);

  std::shared_ptr<const PayloadKeys> keys_;
  // By key id.
  absl::flat_hash_map<std::string, std::unique_ptr<XaesGcm>> ciphers_;
  std::string nonce_prefix_;
  uint64_t sealed_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SEALING_RECORD_SEAL_H_
