#ifndef BELLWIRE_CLI_WEB_PUSH_WEB_PUSH_SENDER_H_
#define BELLWIRE_CLI_WEB_PUSH_WEB_PUSH_SENDER_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/web_push/page_subscription.h"
#include "cli/web_push/vapid_token.h"
#include "common/clock.h"

namespace bellwire::cli {

// For the name, the connection, TLS and the answer together.
inline constexpr absl::Duration kWebPushTime = absl::Seconds(30);
// Of an answer: a push service explains itself in a line.
inline constexpr size_t kMaxWebPushAnswerBytes = 16 * 1024;

struct WebPushSender {
  VapidSigner signer;
  // PEM file of the authority of the push service's certificate. Empty: those that this machine
  // trusts.
  std::string ca_file;
  // Not owned.
  const Clock* clock = nullptr;
};

// Encrypts `text` for the page and sends it (RFC 8030), to be delivered within a minute or not at
// all. Blocks for kWebPushTime at most. OK: the push service has taken it.
//   INVALID_ARGUMENT: `ca_file` can't be read; errors of EncryptAes128gcm and SignVapid
//   UNAVAILABLE: the service can't be reached, or its certificate is not trusted
//   FAILED_PRECONDITION: it has refused the message; the text says with what
absl::Status SendWebPush(const WebPushSender& sender, const PageSubscription& to,
                         absl::string_view text);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_WEB_PUSH_WEB_PUSH_SENDER_H_
