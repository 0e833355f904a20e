#include "connector/shard/service.h"

#include <memory>
#include <utility>

#include "connector/session/session_id.h"

namespace bellwire::connector {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

ConnectorService::ConnectorService(std::string connector_address, uint64_t connector_incarnation,
                                   ConnectorDirectory* directory)
    : connector_address_(std::move(connector_address)),
      connector_incarnation_(connector_incarnation),
      directory_(directory) {}

void ConnectorService::Exchange(ConnectorRequest request, ExchangeDone done) {
  if (request.has_missed() && !request.has_route()) {
    for (ShardPort* shard : shards_) shard->CatchUp();
    return std::move(done)(ConnectorResponse::TAKEN);
  }
  const internal::v1::Route& route = request.route();
  const size_t shard = static_cast<size_t>(ShardOfSession(route.session_id()));
  if (route.connector_incarnation() != connector_incarnation_ || shard >= shards_.size()) {
    return std::move(done)(ConnectorResponse::NO_SESSION);
  }
  shards_[shard]->Submit(std::move(request), std::move(done));
}

void ConnectorService::Evict(const internal::v1::Route& loser, const DeviceId& device_id,
                             uint64_t winning_login_number) {
  ConnectorRequest request;
  *request.mutable_route() = loser;
  request.set_device_id(std::string(device_id.bytes()));
  request.mutable_evict()->set_winning_login_number(winning_login_number);
  const auto ignore = [](ConnectorResponse::Outcome) {};
  // An earlier life of this connector had the same address: its sessions died with it.
  if (loser.connector_address() == connector_address_) return Exchange(std::move(request), ignore);
  if (directory_ == nullptr) return;
  directory_->Find(loser.connector_address())->Exchange(std::move(request), ignore);
}

}  // namespace bellwire::connector
