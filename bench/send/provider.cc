#include "bench/send/provider.h"

#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/provider_credentials.h"
#include "cli/web_push/vapid_token.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "rpc/credentials.h"

namespace bellwire::bench {

void AddProviderFlags(CLI::App* app, ProviderFlags* flags) {
  app->add_option("--server", flags->server, "Provider port, HOST:PORT")->required();
  app->add_option("--ca", flags->ca, "PEM file of the server's CA")->required();
  app->add_option("--credentials", flags->credentials, "As `bellwire key create --out` makes it")
      ->required();
  app->add_option("--tokens", flags->tokens, "Device tokens, one a line")->required();
}

namespace {

constexpr char kAudience[] = "https://localhost";

}  // namespace

absl::StatusOr<Provider> Provider::Read(const ProviderFlags& flags) {
  Provider provider;
  std::ifstream file(flags.tokens);
  for (std::string line; std::getline(file, line);) provider.tokens.push_back(line);
  if (provider.tokens.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no tokens in ", flags.tokens));
  }
  BELLWIRE_ASSIGN_OR_RETURN(const auto credentials,
                            cli::ReadProviderCredentials(flags.credentials));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string jwt,
                            cli::SignProviderJwt(credentials, RealClock()->WallNow()));
  provider.authorization = absl::StrCat("Bearer ", jwt);
  BELLWIRE_ASSIGN_OR_RETURN(provider.vapid,
                            cli::SignVapid({.private_key_pem = credentials.private_key_pem,
                                            .subject = "mailto:bench@example.com"},
                                           kAudience, RealClock()->WallNow()));
  BELLWIRE_ASSIGN_OR_RETURN(provider.channel_credentials, ClientTlsCredentials(flags.ca));
  return provider;
}

}  // namespace bellwire::bench
