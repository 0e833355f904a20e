#include "crypto/openssl_error.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "openssl/err.h"

namespace bellwire {

absl::Status OpenSslError(absl::string_view what) {
  std::string message = absl::StrCat("OpenSSL could not ", what);
  char text[256];
  while (const unsigned long code = ERR_get_error()) {  // NOLINT(runtime/int): OpenSSL's type.
    ERR_error_string_n(code, text, sizeof(text));
    absl::StrAppend(&message, "; ", text);
  }
  return absl::InternalError(message);
}

}  // namespace bellwire
