#include "crypto/encryption/bellwire_encrypt.h"

#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/encryption/encrypted_token.h"

static_assert(BELLWIRE_TOKEN_SIZE == bellwire::kMaxTokenChars + 1);
static_assert(BELLWIRE_PAYLOAD_SIZE == bellwire::kMaxPayloadBytes);
static_assert(BELLWIRE_ENCRYPTED_TEXT_SIZE == bellwire::kMaxEncryptedTextBytes);

extern "C" bellwire_encrypt_result bellwire_encrypt(const char* encrypted_token, const void* text,
                                                    size_t text_size, char* token,
                                                    unsigned char* payload, size_t* payload_size) {
  if (text_size > bellwire::kMaxEncryptedTextBytes) return BELLWIRE_TEXT_TOO_LONG;
  const auto parsed = bellwire::ParseEncryptedToken(encrypted_token);
  if (!parsed.ok()) return BELLWIRE_BAD_ENCRYPTED_TOKEN;
  const auto encrypted = bellwire::EncryptPayload(
      *parsed, absl::string_view(static_cast<const char*>(text), text_size));
  if (!encrypted.ok()) return BELLWIRE_CANT_ENCRYPT;
  std::memcpy(token, parsed->token.c_str(), parsed->token.size() + 1);
  std::memcpy(payload, encrypted->data(), encrypted->size());
  *payload_size = encrypted->size();
  return BELLWIRE_ENCRYPTED;
}
