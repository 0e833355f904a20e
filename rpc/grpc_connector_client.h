#ifndef BELLWIRE_RPC_GRPC_CONNECTOR_CLIENT_H_
#define BELLWIRE_RPC_GRPC_CONNECTOR_CLIENT_H_

#include <memory>
#include <string>

#include "common/clock.h"
#include "rpc/connector_api.h"
#include "rpc/credentials.h"

namespace bellwire {

// Finds connectors by address and keeps one long-lived stream to each.
//
// A stream is dialled when the first request comes; requests wait for it (kMaxConnectorInFlight of
// them, beyond which the answer is OVERLOADED). If it breaks, everything unanswered ends as
// NO_SESSION, and so does every request until a back-off is over (rpc/dial_backoff.h): nothing is
// ever dialled per message. A stream that had no request for kConnectorIdle is closed by a later
// Find, and the connector forgotten.
//
// `local_address` and `local` are the short cut of `bellwire serve` and of a connector that finds
// itself: Find(local_address) is `local`, in the process. Empty and null: none. `local` must
// outlive the directory and all that Find returned.
//
// Thread-safe. Destroying the directory answers what is unanswered (NO_SESSION) and waits until the
// streams are gone: not to be done from a callback. What Find returned may live longer; it then
// answers NO_SESSION.
std::unique_ptr<ConnectorDirectory> NewConnectorDirectory(InternalCredentials credentials,
                                                          std::string local_address,
                                                          ConnectorApi* local,
                                                          const Clock* clock = RealClock());

}  // namespace bellwire

#endif  // BELLWIRE_RPC_GRPC_CONNECTOR_CLIENT_H_
