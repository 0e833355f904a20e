#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_FORWARDED_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_FORWARDED_H_

#include <optional>

#include "gateway/doors/http/header_list.h"
#include "net/peers/cidr.h"
#include "net/socket/address.h"

namespace bellwire::http {

// The client that a trusted proxy names, by Forwarded (RFC 7239) or X-Forwarded-For: the last
// address that is not itself one of `proxies`. Whatever stands before it was written by the client,
// who may write anything. A proxy adds to one of the two fields and hands the other on as it came,
// so with both they must agree. nullopt: there is none, or it can't be told ("unknown", a made-up
// name). The port is 0 unless it was given. Pure.
std::optional<net::SocketAddress> ForwardedClient(const HeaderList& headers,
                                                  const net::CidrList& proxies);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_PROXY_FORWARDED_H_
