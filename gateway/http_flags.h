#ifndef BELLWIRE_GATEWAY_HTTP_FLAGS_H_
#define BELLWIRE_GATEWAY_HTTP_FLAGS_H_

#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "gateway/server.h"

namespace bellwire::gateway {

// The flags of `bellwire serve` and `bellwire-gateway` that are about HTTP.
struct HttpFlags {
  std::vector<std::string> public_urls;
};

// `flags` outlives the parse.
void AddHttpFlags(CLI::App* app, HttpFlags* flags);

// INVALID_ARGUMENT BAD_PUBLIC_URL
absl::Status ApplyHttpFlags(const HttpFlags& flags, GatewayServer::Options* options);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_HTTP_FLAGS_H_
