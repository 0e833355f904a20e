#include "bench/send/provider.h"

#include <jwt.h>

#include <cstdlib>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/provider_credentials.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "crypto/p256.h"
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

// `vapid t=JWT, k=KEY`, good for 12 hours.
absl::StatusOr<std::string> Vapid(const std::string& private_key_pem, absl::Time now) {
  jwt_t* jwt = nullptr;
  if (jwt_new(&jwt) != 0) return absl::ResourceExhaustedError("no memory for a JWT");
  const std::unique_ptr<jwt_t, decltype(&jwt_free)> owner(jwt, &jwt_free);
  const auto* const pem = reinterpret_cast<const unsigned char*>(private_key_pem.data());
  const EvpPkeyPtr key = ParsePrivateKeyPem(private_key_pem);
  char* encoded = nullptr;
  if (key != nullptr &&
      jwt_set_alg(jwt, JWT_ALG_ES256, pem, static_cast<int>(private_key_pem.size())) == 0 &&
      jwt_add_grant(jwt, "aud", kAudience) == 0 &&
      jwt_add_grant_int(jwt, "exp", absl::ToUnixSeconds(now + absl::Hours(12))) == 0 &&
      jwt_add_grant(jwt, "sub", "mailto:bench@example.com") == 0) {
    encoded = jwt_encode_str(jwt);
  }
  if (encoded == nullptr) return absl::InvalidArgumentError("can't sign with the credentials' key");
  const std::string text = encoded;
  std::free(encoded);
  // Behind the head of a SubjectPublicKeyInfo.
  const std::string point = PublicKeyDer(key.get()).substr(kP256PublicKeyBytes - 65);
  return absl::StrCat("vapid t=", text, ", k=", absl::WebSafeBase64Escape(point));
}

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
                            Vapid(credentials.private_key_pem, RealClock()->WallNow()));
  BELLWIRE_ASSIGN_OR_RETURN(provider.channel_credentials, ClientTlsCredentials(flags.ca));
  return provider;
}

}  // namespace bellwire::bench
