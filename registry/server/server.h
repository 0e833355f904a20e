#ifndef BELLWIRE_REGISTRY_SERVER_SERVER_H_
#define BELLWIRE_REGISTRY_SERVER_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "ops/metrics/samples.h"
#include "registry/devices/device_policy.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/mailbox/retention.h"
#include "registry/server/subscription_policy.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace bellwire::registry {

// The token registry over its store, without a port: `bellwire serve` calls api() in its own
// process, bellwire-registry puts gRPC in front of it (rpc/grpc_registry_server.h).
//
// Thread-safe.
class RegistryServer {
 public:
  struct Options {
    // Directory of the store (DATA_DIR/registry); made if it does not exist. One process at a time.
    std::string data_dir;
    // Instead: the store is in PostgreSQL, and several processes may use it. One of them owns it,
    // and the others wait in Start; or they share it (`shares`) from JoinFleet on. Neither
    // `data_dir` nor `backup_dir` is used. The server sets `after_heartbeat`.
    std::optional<PostgresEngine::Options> database;
    // Memory for the records of devices that are held in front of it, in bytes.
    size_t database_cache_bytes = size_t{256} << 20;
    // Where backups go (registry/backup/backup_maker.h), with the key files of this data directory.
    // Empty: none are made.
    std::string backup_dir;
    std::string keys_dir;
    // With it, payloads are sealed where they are stored (registry/sealing/). The file lies outside
    // of both directories above. A newer key in it is noticed within 2 s. Empty: they are not; of a
    // store whose payloads are sealed already nothing can be read then.
    std::string payload_key_file;
    // For how long what has ended is kept.
    Retention retention;
    // Seals the tokens of RegisterApp. Not owned; outlives the server.
    const TokenSealer* sealer = nullptr;
    // Wall time of receipts and expiry. Not owned; outlives the server.
    const Clock* clock = nullptr;
    // Which subscriptions of devices are taken.
    SubscriptionPolicy subscriptions = SubscriptionPolicy::kVapid;
    // Who may be a device, and how many there may be.
    DevicePolicy devices;
    // Where faults are injected into the store's files. Not owned; outlives the server. Null: the
    // machine's files.
    rocksdb::Env* env = nullptr;
  };

  // Opens the store, recovering what was durable.
  //   FAILED_PRECONDITION STORE_LOCKED: another process has the directory open.
  //   FAILED_PRECONDITION STORE_FORMAT: the store is of another version, or no store of ours.
  //   DATA_LOSS STORE_CORRUPT: the store is damaged; see docs/reference/registry_format.md.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: the directory can't be made, read or written.
  //   FAILED_PRECONDITION PAYLOAD_KEY_MISSING, PAYLOAD_KEY_FILE_INSIDE, BAD_PAYLOAD_KEY_FILE, and
  //   those of ReadPrivateFile (crypto/file_util.h): the payload key file; the store is as it was.
  // With a database: errors as PostgresEngine::Open.
  static absl::StatusOr<std::unique_ptr<RegistryServer>> Start(Options options);

  // Answers what is queued, then closes the store. Nothing may call api() any more.
  virtual ~RegistryServer() = default;

  // Lives as long as this object.
  virtual RegistryApi* api() = 0;
  // Where messages are handed over to sessions. Null, as at first: nowhere, and sessions find them
  // in their next page. Not owned: call it with null before `connectors` goes.
  virtual void SetConnectors(ConnectorApi* connectors) = 0;
  // As Dispatcher::OnConnectorGone.
  virtual void OnConnectorGone(uint64_t incarnation) = 0;
  // What it has counted, and how full its queues are.
  virtual void Report(metrics::Samples* samples) = 0;
  // UNAVAILABLE while the store can't be read or written. Answers at once.
  virtual absl::Status StoreStatus() const = 0;
  // Called when that changes, on a thread that must not block. Null, as at first: nobody is. When
  // it returns, the one before is not called any more.
  virtual void SetOnStoreChange(std::function<void(bool ok)> on_change) = 0;
  // Whether the writer goes round within `patience`, a commit included; for a watchdog.
  virtual bool Responds(absl::Duration patience) = 0;
  // Appends wait no longer for devices: the server goes.
  virtual void EndWaits() = 0;

  // Of a database that registries share; otherwise nothing happens. Before JoinFleet it owns no
  // device; gateways and connectors reach it at `address`. It returns when it owns some, or after
  // 10 s. LeaveFleet waits until others have what it owned, or so long: calls go on meanwhile.
  virtual void JoinFleet(const std::string& address) = 0;
  virtual void LeaveFleet(absl::Duration at_most) = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_SERVER_H_
