#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_REPLY_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_REPLY_H_

#include <string>

#include "gateway/doors/http/door.h"
#include "gateway/doors/http/header_list.h"

namespace bellwire::http {

// A whole answer. `headers` need no content-length: Send adds it.
struct Reply {
  int status = 200;
  // Names in lower case.
  HeaderList headers;
  std::string body;
};

// Answers `exchange`. A request with HEAD gets no body, and neither does a 204 or a 304. REQUIRES:
// on the exchange's thread; it has no answer yet.
void SendReply(Exchange* exchange, const Reply& reply);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_REPLY_H_
