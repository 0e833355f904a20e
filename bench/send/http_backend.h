#ifndef BELLWIRE_BENCH_SEND_HTTP_BACKEND_H_
#define BELLWIRE_BENCH_SEND_HTTP_BACKEND_H_

#include <memory>

#include "bench/send/backend.h"

namespace bellwire::bench {

// Sends by HTTP/2, a request a message, on `channels` connections with a thread each. Modes:
//   json      POST /v1/messages
//   web_push  POST /wpush/TOKEN, the payload as an encrypted body (which the server can't read),
//             with VAPID
std::unique_ptr<Backend> NewHttpBackend(const Flags& flags, const Provider& provider,
                                        Requests* requests);

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_HTTP_BACKEND_H_
