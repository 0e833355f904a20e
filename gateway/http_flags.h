#ifndef BELLWIRE_GATEWAY_HTTP_FLAGS_H_
#define BELLWIRE_GATEWAY_HTTP_FLAGS_H_

#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "gateway/server.h"

namespace bellwire::gateway {

// The flags of `bellwire serve` and `bellwire-gateway` that are about HTTP; as
// GatewayServer::Options.
struct HttpFlags {
  std::vector<std::string> public_urls;
  std::string https_listen;
  std::string https_cert;
  std::string https_key;
  std::string http_listen;
  std::string console_listen;
  std::vector<std::string> console_fleet;
  std::string admin_listen;
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> proxy_protocol_from;
  std::vector<std::string> doors_off;
  int drain_notice_seconds = 0;
};

// `flags` outlives the parse.
void AddHttpFlags(CLI::App* app, HttpFlags* flags);

// INVALID_ARGUMENT BAD_PUBLIC_URL, BAD_CIDR, BAD_ADDRESS
absl::Status ApplyHttpFlags(const HttpFlags& flags, GatewayServer::Options* options);

// Takes up new files of the https port's certificate, and logs what came of it (LogReload).
void ReloadHttps(const GatewayServer::Options& options, GatewayServer* server);

// For the ready file: "https_address", "http_address", "console_address" and "admin_address", as
// far as there are such ports.
std::vector<std::pair<std::string, std::string>> HttpAddresses(const GatewayServer& server);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_HTTP_FLAGS_H_
