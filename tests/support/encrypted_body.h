#ifndef BELLWIRE_TESTS_SUPPORT_ENCRYPTED_BODY_H_
#define BELLWIRE_TESTS_SUPPORT_ENCRYPTED_BODY_H_

#include <string>

#include "absl/strings/string_view.h"

namespace bellwire::tests {

// A Web Push body of the form of RFC 8188 with `text` at its end: salt, record size 4,096, a key id
// of 65 bytes, one record. Nobody can decrypt it; servers, agents and companions never try.
inline std::string Encrypted(absl::string_view text) {
  std::string body(16, 's');
  body += std::string("\0\0\x10\0\x41\x04", 6);
  body += std::string(64 + 17, 'k');
  return body + std::string(text);
}

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_SUPPORT_ENCRYPTED_BODY_H_
