#include "connector/shard/service.h"

#include <cstddef>
#include <string>

#include "connector/session/session_id.h"

namespace bellwire::connector {

using internal::v1::ConnectorRequest;

bool ConnectorService::HandOver(ConnectorRequest request) {
  const internal::v1::Route& route = request.route();
  const size_t shard = static_cast<size_t>(ShardOfSession(route.session_id()));
  if (route.connector_incarnation() != connector_incarnation_ || shard >= shards_.size()) {
    return false;
  }
  return shards_[shard]->HandOver(std::move(request));
}

void ConnectorService::OnStreamBroken(const Devices& devices) {
  for (ConnectorEnd* shard : shards_) shard->OnStreamBroken(devices);
}

void ConnectorService::OnStreamOpened(const Devices& devices) {
  for (ConnectorEnd* shard : shards_) shard->OnStreamOpened(devices);
}

void ConnectorService::Evict(uint64_t session_id, const DeviceId& device_id,
                             uint64_t winning_login_number) {
  ConnectorRequest request;
  request.mutable_route()->set_connector_incarnation(connector_incarnation_);
  request.mutable_route()->set_session_id(session_id);
  request.set_device_id(std::string(device_id.bytes()));
  request.mutable_evict()->set_winning_login_number(winning_login_number);
  // It is the word of no registry: the device itself is here.
  request.set_epoch(UINT64_MAX);
  HandOver(std::move(request));
}

}  // namespace bellwire::connector
