#ifndef BELLWIRE_COMMON_IDS_H_
#define BELLWIRE_COMMON_IDS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace bellwire {

// Sixteen bytes that name something; `Tag` keeps the kinds apart.
template <typename Tag>
class Id16 {
 public:
  static constexpr size_t kSize = 16;

  // All zero: names nothing.
  constexpr Id16() = default;
  explicit constexpr Id16(const std::array<uint8_t, kSize>& bytes) : bytes_(bytes) {}

  // From exactly sixteen raw bytes; nullopt for any other size.
  static std::optional<Id16> FromBytes(absl::string_view raw) {
    if (raw.size() != kSize) return std::nullopt;
    Id16 id;
    for (size_t i = 0; i < kSize; ++i) id.bytes_[i] = static_cast<uint8_t>(raw[i]);
    return id;
  }

  // The raw bytes, as the protos carry them. Valid while this object is.
  absl::string_view bytes() const {
    return absl::string_view(reinterpret_cast<const char*>(bytes_.data()), kSize);
  }
  bool is_zero() const { return *this == Id16(); }

  friend auto operator<=>(const Id16&, const Id16&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Id16& id) {
    return H::combine_contiguous(std::move(h), id.bytes_.data(), kSize);
  }

 private:
  std::array<uint8_t, kSize> bytes_{};
};

// A device: the first 16 bytes of the SHA-256 of its public key (SubjectPublicKeyInfo, DER).
using DeviceId = Id16<struct DeviceIdTag>;
// A message: a UUID (RFC 4122). Unique per token.
using MessageId = Id16<struct MessageIdTag>;
// One life of a device's mailbox: sequence numbers of another life mean nothing.
using MailboxId = Id16<struct MailboxIdTag>;
// A network that phones are in, without telling which one it is: the first 16 bytes of a SHA-256.
using NetworkId = Id16<struct NetworkIdTag>;

// Lower-case hex, 32 characters.
std::string ToHex(const DeviceId& id);
std::optional<DeviceId> DeviceIdFromHex(absl::string_view hex);

// The 8-4-4-4-12 form in lower case. FormatUuid and ParseUuid are inverse; ParseUuid takes upper
// case too.
std::string FormatUuid(const MessageId& id);
std::optional<MessageId> ParseUuid(absl::string_view text);

// Cryptographically random (getrandom(2)). Thread-safe.
void FillRandom(void* out, size_t size);
uint64_t RandomUint64();
// A version 4 UUID.
MessageId NewMessageId();
MailboxId NewMailboxId();
// Ten random characters of [a-z2-7] (50 bits): team ids and key ids.
std::string NewShortId();

// Whether `id` is a well-formed app id: a reverse domain name of 3 to kMaxAppIdBytes characters of
// [a-zA-Z0-9._-] with at least one dot and no empty label.
bool IsValidAppId(absl::string_view id);

// Whether `name` may be the alias of a device token: 1 to 64 characters of [a-z0-9_-].
bool IsValidAlias(absl::string_view name);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_IDS_H_
