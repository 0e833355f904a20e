#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_IDEMPOTENCY_KEY_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_IDEMPOTENCY_KEY_H_

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "gateway/doors/http/header_list.h"

namespace bellwire::http {

// What the field Idempotency-Key says: in quotes, as its draft has it, or without, as most people
// write it. nullopt: there is no such field.
inline std::optional<absl::string_view> IdempotencyKey(const HeaderList& headers) {
  const std::string* const field = FindHeader(headers, "idempotency-key");
  if (field == nullptr) return std::nullopt;
  absl::string_view key = absl::StripAsciiWhitespace(*field);
  if (key.size() >= 2 && key.front() == '"' && key.back() == '"') {
    key = key.substr(1, key.size() - 2);
  }
  return key;
}

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_IDEMPOTENCY_KEY_H_
