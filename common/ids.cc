#include "common/ids.h"

#include <errno.h>
#include <sys/random.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"

namespace bellwire {
namespace {

bool IsHex(absl::string_view s) {
  for (char c : s) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

}  // namespace

std::string ToHex(const DeviceId& id) { return absl::BytesToHexString(id.bytes()); }

std::optional<DeviceId> DeviceIdFromHex(absl::string_view hex) {
  if (hex.size() != 2 * DeviceId::kSize || !IsHex(hex)) return std::nullopt;
  return DeviceId::FromBytes(absl::HexStringToBytes(hex));
}

std::string FormatUuid(const MessageId& id) {
  const std::string hex = absl::BytesToHexString(id.bytes());
  const absl::string_view h = hex;
  return absl::StrCat(h.substr(0, 8), "-", h.substr(8, 4), "-", h.substr(12, 4), "-",
                      h.substr(16, 4), "-", h.substr(20));
}

std::optional<MessageId> ParseUuid(absl::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::string hex;
  hex.reserve(32);
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
    } else {
      hex.push_back(text[i]);
    }
  }
  if (!IsHex(hex)) return std::nullopt;
  return MessageId::FromBytes(absl::HexStringToBytes(hex));
}

void FillRandom(void* out, size_t size) {
  auto* p = static_cast<uint8_t*>(out);
  while (size > 0) {
    const ssize_t n = getrandom(p, size, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      std::perror("getrandom");  // Impossible since Linux 3.17; nothing safe can follow.
      std::abort();
    }
    p += n;
    size -= static_cast<size_t>(n);
  }
}

uint64_t RandomUint64() {
  uint64_t value;
  FillRandom(&value, sizeof(value));
  return value;
}

MessageId NewMessageId() {
  // One system call for many ids.
  constexpr size_t kIdsAtOnce = 64;
  thread_local std::array<std::array<uint8_t, MessageId::kSize>, kIdsAtOnce> unused;
  thread_local size_t left = 0;
  if (left == 0) {
    FillRandom(unused.data(), sizeof(unused));
    left = kIdsAtOnce;
  }
  std::array<uint8_t, MessageId::kSize> bytes = unused[--left];
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // RFC 4122, 4.4: version 4 …
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // … and its variant.
  return MessageId(bytes);
}

MailboxId NewMailboxId() {
  std::array<uint8_t, MailboxId::kSize> bytes;
  FillRandom(bytes.data(), bytes.size());
  return MailboxId(bytes);
}

std::string NewShortId() {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  uint64_t bits = RandomUint64();
  std::string id(10, 'a');
  for (char& c : id) {
    c = kAlphabet[bits & 31];
    bits >>= 5;
  }
  return id;
}

bool IsValidAppId(absl::string_view id) {
  if (id.size() < 3 || id.size() > kMaxAppIdBytes) return false;
  bool dot = false;
  char previous = '.';
  for (char c : id) {
    if (c == '.') {
      if (previous == '.') return false;
      dot = true;
    } else if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-') {
      return false;
    }
    previous = c;
  }
  return dot && previous != '.';
}

bool IsValidAlias(absl::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") ==
             absl::string_view::npos;
}

}  // namespace bellwire
