#ifndef BELLWIRE_CRYPTO_OPENSSL_ERROR_H_
#define BELLWIRE_CRYPTO_OPENSSL_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire {

// An INTERNAL status that says what was tried and what OpenSSL's error queue of this thread says
// about it; empties the queue. For failures that no input explains: out of memory, a provider that
// lacks an algorithm.
absl::Status OpenSslError(absl::string_view what);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_OPENSSL_ERROR_H_
