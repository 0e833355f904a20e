#include "registry/server/privacy_flags.h"

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"

namespace bellwire::registry {

void AddPayloadKeyFlag(CLI::App* app, std::string* file) {
  app->add_option("--payload_key_file", *file,
                  "Seals messages where they are stored, with the keys in this file, which "
                  "`bellwire registry key create` makes and which lies outside of the data "
                  "directory. A store that was sealed once can't be read without it")
      ->type_name("FILE");
}

void AddPrivacyFlags(CLI::App* app, PrivacyFlags* flags) {
  AddPayloadKeyFlag(app, &flags->payload_key_file);
  const auto days = [](absl::Duration duration) {
    return static_cast<int>(duration / absl::Hours(24));
  };
  app->add_option("--keep_receipts_days", flags->keep_receipts_days,
                  "How long what became of a message is kept after its end, and a topic message; "
                  "holds for what ends from now on")
      ->type_name("N")
      ->check(CLI::Range(days(kMinReceiptRetention), days(kMaxReceiptRetention)).description(""))
      ->capture_default_str();
  app->add_option("--keep_dead_tokens_days", flags->keep_dead_tokens_days,
                  "How long a token that died answers UNREGISTERED with the time of its death")
      ->type_name("N")
      ->check(
          CLI::Range(days(kDeadTokenRetention), days(kMaxDeadTokenRetention)).description(""))
      ->capture_default_str();
}

}  // namespace bellwire::registry
