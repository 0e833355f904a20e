#include "rpc/due_delivery.h"

#include <string>
#include <utility>

namespace bellwire {

void DeliverDue(ConnectorDirectory* connectors, const DeviceId& device,
                const internal::v1::Route& route, const internal::v1::Envelope& message) {
  internal::v1::ConnectorRequest request;
  *request.mutable_route() = route;
  request.set_device_id(std::string(device.bytes()));
  *request.mutable_deliver()->mutable_message() = message;
  connectors->Find(route.connector_address())
      ->Exchange(std::move(request), [](internal::v1::ConnectorResponse::Outcome) {});
}

}  // namespace bellwire
