#ifndef BELLWIRE_CONNECTOR_SESSION_SESSION_ID_H_
#define BELLWIRE_CONNECTOR_SESSION_SESSION_ID_H_

#include <cstdint>

#include "common/limits.h"

// A session id names the shard that holds the session, so that a request finds its thread without a
// table that all threads share: the lowest byte is the shard, the rest counts.
namespace bellwire::connector {

static_assert(kMaxShards <= 256, "one byte of the session id");

// Ids of one shard, from 1 on. Unique within one life of the connector. Thread-compatible.
class SessionIdSource {
 public:
  // REQUIRES: 0 <= shard < kMaxShards.
  explicit SessionIdSource(int shard) : shard_(static_cast<uint64_t>(shard)) {}
  uint64_t Next() { return (++count_ << 8) | shard_; }

 private:
  const uint64_t shard_;
  uint64_t count_ = 0;
};

inline int ShardOfSession(uint64_t session_id) { return static_cast<int>(session_id & 0xff); }

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_SESSION_ID_H_
