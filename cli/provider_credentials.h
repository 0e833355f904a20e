#ifndef BELLWIRE_CLI_PROVIDER_CREDENTIALS_H_
#define BELLWIRE_CLI_PROVIDER_CREDENTIALS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

// What an app backend proves itself with. Thread-safe.
namespace bellwire::cli {

struct ProviderCredentials {
  std::string team_id;
  std::string key_id;
  // PKCS #8, P-256.
  std::string private_key_pem;
};

// A credentials file is a JSON object with the strings `team_id`, `key_id` and `private_key_pem`,
// readable by its owner only.
//   INVALID_ARGUMENT: not such a file, naming it; errors of crypto/file_util.h
absl::StatusOr<ProviderCredentials> ReadProviderCredentials(const std::string& path);
//   ALREADY_EXISTS: never overwrites; errors of crypto/file_util.h
absl::Status WriteProviderCredentials(const std::string& path,
                                      const ProviderCredentials& credentials);

// What FCM's clients call a service-account file: JSON of `type`, `project_id`, `private_key_id`,
// `private_key`, `client_email`, `client_id`, `auth_uri` and `token_uri`, readable by its owner
// only.
struct ServiceAccountFile {
  // The project.
  std::string team_id;
  std::string key_id;
  // PKCS #8, RSA.
  std::string private_key_pem;
  std::string client_email;
  std::string token_uri;
};
//   as WriteProviderCredentials
absl::Status WriteServiceAccountFile(const std::string& path, const ServiceAccountFile& file);

// An ES256 JWT for the `authorization: Bearer` metadata: header `kid`, claims `iss` and `iat`. Good
// for an hour from `now`.
//   INVALID_ARGUMENT: the key is not the PEM of a private P-256 key
absl::StatusOr<std::string> SignProviderJwt(const ProviderCredentials& credentials, absl::Time now);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_PROVIDER_CREDENTIALS_H_
