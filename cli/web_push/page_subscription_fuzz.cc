// Whatever a page says its subscription is: what comes of it cuts no line of HTTP.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "cli/web_push/page_subscription.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto read = bellwire::cli::ParsePageSubscription(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!read.ok()) return 0;
  for (const std::string& text : {read->origin, read->host, read->port, read->target}) {
    if (text.empty()) abort();
    for (const char c : text) {
      if (c <= ' ' || c >= '\x7f') abort();
    }
  }
  if (read->target.front() != '/' ||
      read->recipient.auth_secret.size() != bellwire::kAuthSecretBytes) {
    abort();
  }
  return 0;
}
