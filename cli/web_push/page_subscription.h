#ifndef BELLWIRE_CLI_WEB_PUSH_PAGE_SUBSCRIPTION_H_
#define BELLWIRE_CLI_WEB_PUSH_PAGE_SUBSCRIPTION_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/encryption/aes128gcm.h"

namespace bellwire::cli {

// More than any browser's subscription has.
inline constexpr size_t kMaxSubscriptionBytes = 8 * 1024;

// A page's subscription, as a sender sees it: where to send, and for whom to encrypt.
struct PageSubscription {
  // "https://push.example.com:7443": whom a VAPID token is for.
  std::string origin;
  std::string host;
  std::string port;
  // "/wpush/…".
  std::string target;
  Recipient recipient;
};

// Reads JSON as PushSubscription.toJSON() writes it (Push API, 8.1). Pure.
//   INVALID_ARGUMENT: it is something else; the message says what is missing
absl::StatusOr<PageSubscription> ParsePageSubscription(absl::string_view text);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_WEB_PUSH_PAGE_SUBSCRIPTION_H_
