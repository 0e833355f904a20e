// Any bytes as an enrolment token: what a device shows is looked up by the id in it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "crypto/enrolment_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto id = bellwire::IdOfEnrolmentToken(text);
  if (id.has_value() &&
      (text.size() != bellwire::kEnrolmentTokenChars || id->size() != 10 ||
       id->find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") != absl::string_view::npos)) {
    abort();
  }
  return 0;
}
