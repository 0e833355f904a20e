#include "net/tls/hello_ticket.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/tls1.h>

#include <cstddef>
#include <cstdint>

namespace bellwire::net {
namespace {

constexpr uint32_t kHandshakeRecord = 22;
constexpr uint32_t kClientHello = 1;
constexpr size_t kRandomBytes = 32;
constexpr size_t kIvBytes = 16;
constexpr size_t kMacBytes = 32;

// Reads numbers and length-prefixed pieces off the front of some bytes; what isn't there reads as
// nothing.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  uint32_t Number(size_t size) {
    uint32_t value = 0;
    for (const char c : Take(size)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  absl::string_view Take(size_t size) {
    if (size > bytes_.size()) {
      failed_ = true;
      bytes_ = absl::string_view();
      return bytes_;
    }
    const absl::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  // A piece whose length stands before it, in so many bytes.
  absl::string_view Piece(size_t length_bytes) { return Take(Number(length_bytes)); }
  bool failed() const { return failed_; }
  bool empty() const { return bytes_.empty(); }

 private:
  absl::string_view bytes_;
  bool failed_ = false;
};

}  // namespace

std::optional<absl::string_view> TicketInHello(absl::string_view bytes) {
  Reader record(bytes);
  if (record.Number(1) != kHandshakeRecord) return std::nullopt;
  record.Number(2);
  Reader message(record.Piece(2));
  if (message.Number(1) != kClientHello) return std::nullopt;
  Reader hello(message.Piece(3));
  hello.Number(2);
  hello.Take(kRandomBytes);
  hello.Piece(1);  // The session id of TLS 1.2.
  hello.Piece(2);  // Cipher suites.
  hello.Piece(1);  // Compression.
  Reader extensions(hello.Piece(2));
  while (!extensions.empty()) {
    const uint32_t type = extensions.Number(2);
    const absl::string_view body = extensions.Piece(2);
    if (type != TLSEXT_TYPE_psk || extensions.failed()) continue;
    Reader identities(Reader(body).Piece(2));
    const absl::string_view ticket = identities.Piece(2);
    if (identities.failed() || ticket.empty()) return std::nullopt;
    return ticket;
  }
  return std::nullopt;
}

std::optional<absl::string_view> MacOfOurTicket(absl::string_view ticket, TicketKeys* keys) {
  if (ticket.size() <= TicketKeys::kNameBytes + kIvBytes + kMacBytes) return std::nullopt;
  std::optional<TicketKeys::Key> key = keys->Find(ticket.substr(0, TicketKeys::kNameBytes));
  if (!key.has_value()) return std::nullopt;
  const absl::string_view signed_part = ticket.substr(0, ticket.size() - kMacBytes);
  const absl::string_view mac = ticket.substr(signed_part.size());
  unsigned char expected[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const bool made = HMAC(EVP_sha256(), key->hmac.data(), static_cast<int>(key->hmac.size()),
                         reinterpret_cast<const unsigned char*>(signed_part.data()),
                         signed_part.size(), expected, &size) != nullptr;
  OPENSSL_cleanse(&*key, sizeof(*key));
  if (!made || size != kMacBytes || CRYPTO_memcmp(expected, mac.data(), kMacBytes) != 0) {
    return std::nullopt;
  }
  return mac;
}

}  // namespace bellwire::net
