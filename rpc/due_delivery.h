#ifndef BELLWIRE_RPC_DUE_DELIVERY_H_
#define BELLWIRE_RPC_DUE_DELIVERY_H_

#include "bellwire/internal/v1/internal.pb.h"
#include "common/ids.h"
#include "rpc/connector_api.h"

namespace bellwire {

// Hands a message whose time has come to the session of its device, as a gateway does after an
// Append: what RegistryServer::Options::on_due is for. Nothing is lost if the session is gone: the
// message is in the mailbox, and the next page has it. Never blocks; thread-safe.
void DeliverDue(ConnectorDirectory* connectors, const DeviceId& device,
                const internal::v1::Route& route, const internal::v1::Envelope& message);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_DUE_DELIVERY_H_
