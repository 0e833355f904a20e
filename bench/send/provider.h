#ifndef BELLWIRE_BENCH_SEND_PROVIDER_H_
#define BELLWIRE_BENCH_SEND_PROVIDER_H_

#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/security/credentials.h"

namespace bellwire::bench {

// As whom, and to whom, a program of the benches sends.
struct ProviderFlags {
  std::string server;
  std::string ca;
  std::string credentials;
  std::string tokens;
};
void AddProviderFlags(CLI::App* app, ProviderFlags* flags);

// What the flags name, read.
struct Provider {
  // An error names what can't be read, or that there are no tokens.
  static absl::StatusOr<Provider> Read(const ProviderFlags& flags);

  std::vector<std::string> tokens;
  std::shared_ptr<grpc::ChannelCredentials> channel_credentials;
  // The header of this name of each call.
  std::string authorization;
  // The same of a Web Push to https://localhost: VAPID (RFC 8292) by the same key.
  std::string vapid;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_PROVIDER_H_
