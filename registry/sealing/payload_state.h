#ifndef BELLWIRE_REGISTRY_SEALING_PAYLOAD_STATE_H_
#define BELLWIRE_REGISTRY_SEALING_PAYLOAD_STATE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwire/admin/v1/backup.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "crypto/payload_keys.h"
#include "registry/engine/kv_engine.h"

// The record that says what a store's payloads are sealed with: how it is read, judged and changed.
// Pure but for the reads. The record is always committed before the first payload is sealed with a
// key that it did not name before, and a key leaves it only with the commit after which no payload
// needs it.
namespace bellwire::registry {

// nullopt: nothing of the store is sealed.
//   as KvReader
absl::StatusOr<std::optional<storage::v1::PayloadKeys>> ReadPayloadState(const KvReader& store);

// Whether these keys open all payloads of the store. `keys` null: there is no key file.
//   FAILED_PRECONDITION PAYLOAD_KEY_MISSING, naming the keys
absl::Status CheckPayloadKeys(const std::optional<storage::v1::PayloadKeys>& state,
                              const PayloadKeys* keys);

// The first state of a store. `empty`: it has no payloads yet.
storage::v1::PayloadKeys BeginSealing(absl::string_view newest_id, bool empty, int64_t now_ms);
// The state with another key as the current one; sealing anew begins.
storage::v1::PayloadKeys Rotated(const storage::v1::PayloadKeys& state,
                                 absl::string_view newest_id, int64_t now_ms);
// Nothing is left that `current` did not seal. `old_files`: as in the state.
void EndSealing(bool old_files, int64_t now_ms, storage::v1::PayloadKeys* state);

// For whoever runs the server. `keys` null: there is no key file.
admin::v1::PayloadKeysOfStore Describe(const std::optional<storage::v1::PayloadKeys>& state,
                                       const PayloadKeys* keys);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SEALING_PAYLOAD_STATE_H_
