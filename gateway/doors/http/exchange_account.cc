#include "gateway/doors/http/exchange_account.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "gateway/doors/http/proxy/forwarded.h"

namespace bellwire::http {

ExchangeAccount::~ExchangeAccount() {
  connection_->Remove(of_connection_);
  if (own_.has_value()) own_->Remove(of_client_);
}

void ExchangeAccount::Identify(const HeaderList& headers) {
  if (proxy_ == nullptr) return;
  const std::optional<net::SocketAddress> client = ForwardedClient(headers, *proxy_->proxies);
  if (!client.has_value()) return;
  client_ = net::FormatAddress(*client);
  own_.emplace(proxy_->memory, net::PeerKey::OfAddress(*client));
}

bool ExchangeAccount::Add(size_t bytes) {
  if (own_.has_value()) {
    if (!own_->Add(bytes)) return false;
    of_client_ += bytes;
    return true;
  }
  if (!connection_->Add(bytes)) return false;
  of_connection_ += bytes;
  return true;
}

void ExchangeAccount::AddAnyway(size_t bytes) {
  if (own_.has_value()) {
    own_->AddAnyway(bytes);
    of_client_ += bytes;
  } else {
    connection_->AddAnyway(bytes);
    of_connection_ += bytes;
  }
}

void ExchangeAccount::Remove(size_t bytes) {
  assert(bytes <= charged());
  const size_t clients = std::min(bytes, of_client_);
  if (clients > 0) own_->Remove(clients);
  of_client_ -= clients;
  connection_->Remove(bytes - clients);
  of_connection_ -= bytes - clients;
}

}  // namespace bellwire::http
