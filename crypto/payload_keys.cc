#include "crypto/payload_keys.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "openssl/crypto.h"
#include "openssl/sha.h"

namespace bellwire {
namespace {

constexpr absl::string_view kIdContext = "bellwire payload key id v1:";

absl::string_view BytesOf(const PayloadKey& key) {
  return {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()};
}

std::string IdOf(const PayloadKey& key) {
  std::string text = absl::StrCat(kIdContext, BytesOf(key));
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  OPENSSL_cleanse(text.data(), text.size());
  return std::string(reinterpret_cast<const char*>(digest), PayloadKey::kIdBytes);
}

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
  });
}

absl::Status BadFile(const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_PAYLOAD_KEY_FILE",
                   absl::StrCat(path, ": ", why));
}

PayloadKey RandomKey() {
  PayloadKey key;
  FillRandom(key.bytes.data(), key.bytes.size());
  key.id = IdOf(key);
  return key;
}

// The caller wipes it.
std::string Format(const std::vector<PayloadKey>& keys) {
  std::string text =
      "# Bellwire: the keys that seal payloads at rest, newest first (KEY_ID HEX).\n"
      "# The newest seals, all open. `bellwire registry key status` says which are needed.\n"
      "# Without them the stored messages can't be read by anybody. Keep a copy elsewhere.\n";
  // Growing would leave copies of keys behind.
  text.reserve(text.size() + PayloadKeys::kMaxKeys * 128);
  for (const PayloadKey& key : keys) {
    std::string hex = absl::BytesToHexString(BytesOf(key));
    absl::StrAppend(&text, PayloadKeyName(key.id), " ", hex, "\n");
    OPENSSL_cleanse(hex.data(), hex.size());
  }
  return text;
}

}  // namespace

std::string PayloadKeyName(absl::string_view id) { return absl::BytesToHexString(id); }

PayloadKeys::~PayloadKeys() {
  for (PayloadKey& key : keys_) OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
}

const PayloadKey* PayloadKeys::Find(absl::string_view id) const {
  const auto it = std::find_if(keys_.begin(), keys_.end(),
                               [id](const PayloadKey& key) { return key.id == id; });
  return it == keys_.end() ? nullptr : &*it;
}

absl::Status PayloadKeys::CreateFile(const std::string& path) {
  std::string text = Format({RandomKey()});
  const absl::Cleanup wipe = [&text] { OPENSSL_cleanse(text.data(), text.size()); };
  return CreateFileAtomically(path, text, FileAccess::kPrivate);
}

absl::Status PayloadKeys::AddKey(const std::string& path) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::shared_ptr<const PayloadKeys> now, FromFile(path));
  if (now->keys().size() >= kMaxKeys) {
    return MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_KEYS",
                     absl::StrCat(path, " holds ", kMaxKeys,
                                  " keys: remove the lines that `bellwire registry key status` "
                                  "calls unneeded"));
  }
  std::vector<PayloadKey> keys = {RandomKey()};
  keys.insert(keys.end(), now->keys().begin(), now->keys().end());
  std::string text = Format(keys);
  const absl::Cleanup wipe = [&] {
    OPENSSL_cleanse(text.data(), text.size());
    for (PayloadKey& key : keys) OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
  };
  return ReplaceFileAtomically(path, text, FileAccess::kPrivate);
}

absl::StatusOr<std::shared_ptr<const PayloadKeys>> PayloadKeys::FromFile(const std::string& path) {
  BELLWIRE_ASSIGN_OR_RETURN(std::string text, ReadPrivateFile(path));
  const absl::Cleanup wipe = [&text] { OPENSSL_cleanse(text.data(), text.size()); };
  return Parse(text, path);
}

absl::StatusOr<std::shared_ptr<const PayloadKeys>> PayloadKeys::Parse(absl::string_view text,
                                                                      const std::string& path) {
  std::vector<PayloadKey> keys;
  keys.reserve(kMaxKeys);
  const absl::Cleanup wipe = [&keys] {
    for (PayloadKey& key : keys) OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
  };
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const auto bad = [&](absl::string_view why) {
      return BadFile(path, absl::StrCat("line ", line_number, " ", why));
    };
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() != 2 || words[0].size() != 2 * PayloadKey::kIdBytes ||
        words[1].size() != 2 * XaesGcm::kKeyBytes || !IsLowerHex(words[0]) ||
        !IsLowerHex(words[1])) {
      return bad("isn't a key id of 16 lower-case hex digits, a space, and 64 of the key");
    }
    if (keys.size() == kMaxKeys) return bad("is one key too many");
    PayloadKey& key = keys.emplace_back();
    std::string bytes = absl::HexStringToBytes(words[1]);
    std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
    OPENSSL_cleanse(bytes.data(), bytes.size());
    key.id = IdOf(key);
    if (PayloadKeyName(key.id) != words[0]) {
      return bad("is damaged: its key is not the one that its key id names");
    }
    for (const PayloadKey& other : keys) {
      if (&other != &key && other.id == key.id) return bad("repeats a key of a line before it");
    }
  }
  if (keys.empty()) return BadFile(path, "there is no key in it");
  return std::shared_ptr<const PayloadKeys>(new PayloadKeys(std::move(keys)));
}

std::shared_ptr<const PayloadKeys> PayloadKeys::ForTesting(const std::vector<uint8_t>& fill) {
  std::vector<PayloadKey> keys;
  for (const uint8_t byte : fill) {
    PayloadKey& key = keys.emplace_back();
    key.bytes.fill(byte);
    key.id = IdOf(key);
  }
  return std::shared_ptr<const PayloadKeys>(new PayloadKeys(std::move(keys)));
}

}  // namespace bellwire
