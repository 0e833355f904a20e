#ifndef BELLWIRE_CONNECTOR_SESSION_EVICTOR_H_
#define BELLWIRE_CONNECTOR_SESSION_EVICTOR_H_

#include <cstdint>

#include "bellwire/internal/v1/internal.pb.h"
#include "common/ids.h"

namespace bellwire::connector {

// Tells a session, wherever it is, that a newer one of its device took over. Thread-safe, doesn't
// block, and nobody waits for the outcome: a session that doesn't hear of it learns it with its
// next Ack.
class Evictor {
 public:
  virtual ~Evictor() = default;
  virtual void Evict(const internal::v1::Route& loser, const DeviceId& device_id,
                     uint64_t winning_login_number) = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_EVICTOR_H_
