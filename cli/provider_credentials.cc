#include "cli/provider_credentials.h"

#include <jwt.h>
#include <stdlib.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "nlohmann/json.hpp"

namespace bellwire::cli {
namespace {

struct JwtDeleter {
  void operator()(jwt_t* jwt) const { jwt_free(jwt); }
};

struct CDeleter {
  void operator()(char* text) const { free(text); }
};

}  // namespace

absl::StatusOr<ProviderCredentials> ReadProviderCredentials(const std::string& path) {
  BELLWIRE_ASSIGN_OR_RETURN(std::string text, ReadPrivateFile(path));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  ProviderCredentials credentials;
  for (const auto& [name, field] :
       {std::pair("team_id", &credentials.team_id), std::pair("key_id", &credentials.key_id),
        std::pair("private_key_pem", &credentials.private_key_pem)}) {
    if (!json.is_object() || !json.contains(name) || !json[name].is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is no credentials file: it should be a JSON object with a string \"",
                       name, "\"; `bellwire key create --out FILE` makes one"));
    }
    *field = json[name].get<std::string>();
  }
  return credentials;
}

absl::Status WriteProviderCredentials(const std::string& path,
                                      const ProviderCredentials& credentials) {
  const nlohmann::ordered_json json = {{"team_id", credentials.team_id},
                                       {"key_id", credentials.key_id},
                                       {"private_key_pem", credentials.private_key_pem}};
  return CreateFileAtomically(path, absl::StrCat(json.dump(2), "\n"), FileAccess::kPrivate);
}

absl::Status WriteServiceAccountFile(const std::string& path, const ServiceAccountFile& file) {
  // Some clients refuse a file without `client_id` or `auth_uri`; none uses them here.
  const nlohmann::ordered_json json = {{"type", "service_account"},
                                       {"project_id", file.team_id},
                                       {"private_key_id", file.key_id},
                                       {"private_key", file.private_key_pem},
                                       {"client_email", file.client_email},
                                       {"client_id", file.key_id},
                                       {"auth_uri", file.token_uri},
                                       {"token_uri", file.token_uri}};
  return CreateFileAtomically(path, absl::StrCat(json.dump(2), "\n"), FileAccess::kPrivate);
}

absl::StatusOr<std::string> SignProviderJwt(const ProviderCredentials& credentials,
                                            absl::Time now) {
  jwt_t* raw = nullptr;
  if (jwt_new(&raw) != 0) return absl::ResourceExhaustedError("no memory for a JWT");
  const std::unique_ptr<jwt_t, JwtDeleter> jwt(raw);
  const auto* key = reinterpret_cast<const unsigned char*>(credentials.private_key_pem.data());
  std::unique_ptr<char, CDeleter> encoded;
  if (jwt_set_alg(jwt.get(), JWT_ALG_ES256, key,
                  static_cast<int>(credentials.private_key_pem.size())) == 0 &&
      jwt_add_header(jwt.get(), "kid", credentials.key_id.c_str()) == 0 &&
      jwt_add_grant(jwt.get(), "iss", credentials.team_id.c_str()) == 0 &&
      jwt_add_grant_int(jwt.get(), "iat", absl::ToUnixSeconds(now)) == 0) {
    encoded.reset(jwt_encode_str(jwt.get()));
  }
  if (encoded == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("can't sign with key ", credentials.key_id,
                                                   ": it is not the PEM of a private P-256 key"));
  }
  return std::string(encoded.get());
}

}  // namespace bellwire::cli
