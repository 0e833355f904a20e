#ifndef BELLWIRE_BENCH_SEND_STREAM_BACKEND_H_
#define BELLWIRE_BENCH_SEND_STREAM_BACKEND_H_

#include <memory>

#include "bench/send/backend.h"
#include "bench/send/provider.h"

namespace bellwire::bench {

// Messages of one SendStream per channel. As Backend's constructor.
std::unique_ptr<Backend> NewStreamBackend(const Flags& flags, const Provider& provider,
                                          Requests* requests);

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_STREAM_BACKEND_H_
