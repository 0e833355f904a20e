#include "registry/sealing/record_seal.h"

#include <array>
#include <cassert>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

constexpr absl::string_view kMark("\x07\x01", 2);
constexpr absl::string_view kContext = "bellwire record v1";
// AES-GCM under one derived key is at its best below 2^32 texts (NIST SP 800-38D, 8.3).
constexpr uint64_t kMaxSealedPerPrefix = uint64_t{1} << 32;

std::string RandomPrefix() {
  std::string prefix(XaesGcm::kPrefixBytes, '\0');
  FillRandom(prefix.data(), prefix.size());
  return prefix;
}

}  // namespace

bool HoldsPayload(Family family, absl::string_view key) {
  switch (family) {
    case Family::kDevices:
      return IsMessageKey(key);
    case Family::kTopics:
      return IsTopicMessageKey(key);
    default:
      return false;
  }
}

RecordSeal::RecordSeal(std::shared_ptr<const PayloadKeys> keys)
    : keys_(std::move(keys)), nonce_prefix_(RandomPrefix()) {}

void RecordSeal::SetKeys(std::shared_ptr<const PayloadKeys> keys) {
  keys_ = std::move(keys);
  ciphers_.clear();
}

XaesGcm* RecordSeal::CipherOf(absl::string_view key_id) {
  if (const auto it = ciphers_.find(key_id); it != ciphers_.end()) return it->second.get();
  const PayloadKey* const key = keys_->Find(key_id);
  if (key == nullptr) return nullptr;
  return ciphers_.emplace(key->id, std::make_unique<XaesGcm>(key->bytes)).first->second.get();
}

std::string RecordSeal::Seal(absl::string_view key_id, Family family, absl::string_view key,
                             absl::string_view record) {
  XaesGcm* const cipher = CipherOf(key_id);
  assert(cipher != nullptr);
  if (++sealed_ == kMaxSealedPerPrefix) {
    nonce_prefix_ = RandomPrefix();
    sealed_ = 1;
  }
  std::string sealed;
  sealed.reserve(kOverheadBytes + record.size());
  sealed.append(kMark.data(), kMark.size());
  sealed.append(key_id.data(), key_id.size());
  const size_t nonce = sealed.size();
  sealed.append(nonce_prefix_);
  sealed.append(XaesGcm::kNonceBytes - XaesGcm::kPrefixBytes - sizeof(sealed_), '\0');
  AppendBigEndian64(sealed_, &sealed);
  const std::string nonce_bytes = sealed.substr(nonce);
  const char family_byte = static_cast<char>(family);
  cipher->Seal(nonce_bytes, {kContext, absl::string_view(&family_byte, 1), key}, record, &sealed);
  return sealed;
}

absl::Status RecordSeal::Open(Family family, absl::string_view key, absl::string_view sealed,
                              std::string* record) {
  record->clear();
  const std::optional<absl::string_view> key_id = KeyIdOf(sealed);
  if (!key_id.has_value()) return StoreCorruptError("a record that should be sealed is not");
  XaesGcm* const cipher = CipherOf(*key_id);
  if (cipher == nullptr) {
    return StoreCorruptError(absl::StrCat("a record is sealed with the key ",
                                          PayloadKeyName(*key_id),
                                          ", which the payload key file does not have"));
  }
  const absl::string_view rest = sealed.substr(kMark.size() + PayloadKey::kIdBytes);
  const char family_byte = static_cast<char>(family);
  if (!cipher->Open(rest.substr(0, XaesGcm::kNonceBytes),
                    {kContext, absl::string_view(&family_byte, 1), key},
                    rest.substr(XaesGcm::kNonceBytes), record)) {
    return StoreCorruptError(
        "a sealed record was changed, or belongs to another place of the store");
  }
  return absl::OkStatus();
}

std::optional<absl::string_view> RecordSeal::KeyIdOf(absl::string_view record) {
  if (record.size() < kOverheadBytes || !absl::StartsWith(record, kMark)) return std::nullopt;
  return record.substr(kMark.size(), PayloadKey::kIdBytes);
}

}  // namespace bellwire::registry
