#include "device-agent/companion/unifiedpush/arguments.h"

#include <optional>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base64.h"
#include "common/printable.h"
#include "crypto/p256.h"
#include "device-agent/companion/subscription_hub.h"

namespace bellwire::companion {
namespace {

// What stands before the point in the DER SubjectPublicKeyInfo of a P-256 key.
constexpr absl::string_view kP256Header(
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
    "\x03\x42\x00",
    26);

bool IsElement(absl::string_view element) {
  if (element.empty() || absl::ascii_isdigit(static_cast<unsigned char>(element[0]))) return false;
  return absl::c_all_of(element, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

bool IsText(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// The longest beginning that fits and ends with a whole character.
absl::string_view Clip(absl::string_view text, size_t bytes) {
  absl::string_view rest = text;
  size_t taken = 0;
  while (!rest.empty()) {
    const size_t length = CharacterLength(rest);
    if (length == 0 || taken + length > bytes) break;
    taken += length;
    rest.remove_prefix(length);
  }
  return text.substr(0, taken);
}

}  // namespace

bool IsServiceName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxServiceBytes) return false;
  const std::vector<absl::string_view> elements = absl::StrSplit(name, '.');
  return elements.size() >= 2 && absl::c_all_of(elements, IsElement);
}

absl::Status CheckToken(absl::string_view token) {
  if (token.empty() || token.size() > kMaxTokenBytes || !IsText(token)) {
    return absl::InvalidArgumentError(
        absl::StrCat("token: 1 to ", kMaxTokenBytes, " bytes of UTF-8 are needed"));
  }
  return absl::OkStatus();
}

absl::StatusOr<RegisterRequest> CheckRegister(Generation generation, absl::string_view service,
                                              absl::string_view token,
                                              absl::string_view description,
                                              absl::string_view vapid) {
  if (!IsServiceName(service)) {
    return absl::InvalidArgumentError(
        "service: the app's well-known bus name is needed, such as org.example.App");
  }
  if (absl::Status s = CheckToken(token); !s.ok()) return s;
  RegisterRequest request;
  request.generation = generation;
  request.service = std::string(service);
  request.token = std::string(token);
  request.description = std::string(Clip(description, kMaxDescriptionBytes));
  if (vapid.empty()) return request;
  // The length first: what follows costs by the byte.
  std::optional<std::string> key;
  if (vapid.size() <= 2 * kVapidKeyBytes) key = DecodeAnyBase64(vapid);
  if (!key.has_value() || key->size() != kVapidKeyBytes ||
      ParseP256PublicKey(absl::StrCat(kP256Header, *key)) == nullptr) {
    return absl::InvalidArgumentError(
        "vapid: an uncompressed point of P-256 in base64url is needed, 87 characters");
  }
  request.vapid_key = *std::move(key);
  return request;
}

}  // namespace bellwire::companion
