#ifndef BELLWIRE_REGISTRY_SERVER_PRIVACY_FLAGS_H_
#define BELLWIRE_REGISTRY_SERVER_PRIVACY_FLAGS_H_

#include <string>

#include "absl/time/time.h"
#include "common/limits.h"
#include "registry/mailbox/retention.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bellwire::registry {

// How a registry keeps what it keeps: flags of `bellwire serve` and of bellwire-registry.
struct PrivacyFlags {
  // As RegistryServer::Options.
  std::string payload_key_file;
  // As Retention (registry/mailbox/retention.h), in days.
  int keep_receipts_days = static_cast<int>(kReceiptRetention / absl::Hours(24));
  int keep_dead_tokens_days = static_cast<int>(kDeadTokenRetention / absl::Hours(24));

  Retention retention() const {
    return {.receipts = absl::Hours(24 * keep_receipts_days),
            .dead_tokens = absl::Hours(24 * keep_dead_tokens_days)};
  }
};

// `flags` outlives the parse.
void AddPrivacyFlags(CLI::App* app, PrivacyFlags* flags);
// --payload_key_file alone, for commands that read a store.
void AddPayloadKeyFlag(CLI::App* app, std::string* file);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_PRIVACY_FLAGS_H_
