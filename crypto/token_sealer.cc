#include "crypto/token_sealer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/limits.h"
#include "crypto/file_util.h"
#include "openssl/crypto.h"
#include "openssl/err.h"
#include "openssl/sha.h"

namespace bellwire {
namespace {

static_assert(TokenSealer::kTokenChars <= kMaxTokenChars, "providers store tokens of this length");

constexpr size_t kIvBytes = 16;
constexpr size_t kContentsBytes = DeviceId::kSize + 8 + 8;
constexpr size_t kPaddingBytes = 31;
static_assert(TokenSealer::kShortTokenChars == 2 * (1 + kIvBytes + kContentsBytes));
static_assert(TokenSealer::kTokenChars == 2 * (1 + kIvBytes + kContentsBytes + kPaddingBytes));
constexpr size_t kMessagePlainBytes = DeviceId::kSize + 8 + MessageId::kSize;
static_assert(TokenSealer::kMessageNameChars == 2 * (1 + kIvBytes + kMessagePlainBytes));

constexpr size_t kGrantPlainBytes = AccessGrant::kKeyIdChars + 8;
static_assert(TokenSealer::kGrantChars == 2 * (1 + kIvBytes + kGrantPlainBytes));

// What is sealed is bound to this beside its key, as SIV's associated datum: so a token never opens
// as something else.
constexpr absl::string_view kShortTokenContext = "bellwire token v1";
constexpr absl::string_view kTokenContext = "bellwire token v2";
constexpr absl::string_view kMessageContext = "bellwire message v1";
constexpr absl::string_view kGrantContext = "bellwire grant v1";

std::string AssociatedDataFor(absl::string_view context, uint8_t key_id) {
  std::string data(context);
  data.push_back(static_cast<char>(key_id));
  return data;
}

void PutBigEndian64(uint64_t value, uint8_t* out) {
  for (int i = 7; i >= 0; --i, value >>= 8) out[i] = static_cast<uint8_t>(value);
}

uint64_t GetBigEndian64(const uint8_t* in) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | in[i];
  return value;
}

const unsigned char* Unsigned(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

absl::string_view Chars(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

void PutContents(const TokenContents& contents, uint8_t* out) {
  std::memcpy(out, contents.device_id.bytes().data(), DeviceId::kSize);
  PutBigEndian64(contents.registration_id, out + DeviceId::kSize);
  PutBigEndian64(contents.app_tag, out + DeviceId::kSize + 8);
}

TokenContents GetContents(const uint8_t* in) {
  return {.device_id = *DeviceId::FromBytes(Chars(in, DeviceId::kSize)),
          .registration_id = GetBigEndian64(in + DeviceId::kSize),
          .app_tag = GetBigEndian64(in + DeviceId::kSize + 8)};
}

// -1 for all but lower-case hex digits: a token has one spelling.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// False unless `hex` is exactly `size` bytes in lower-case hex.
bool DecodeHex(absl::string_view hex, uint8_t* out, size_t size) {
  if (hex.size() != 2 * size) return false;
  for (size_t i = 0; i < size; ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

std::string EncodeHex(const uint8_t* data, size_t size) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(data), size));
}

absl::Status BadKeyFile(const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_KEY_FILE",
                   absl::StrCat(path, ": ", why));
}

absl::StatusOr<std::vector<TokenSealer::Key>> ReadKeys(const std::string& path) {
  absl::StatusOr<std::string> text = ReadPrivateFile(path);
  if (!text.ok()) return text.status();
  const absl::Cleanup wipe = [&text] { OPENSSL_cleanse(text->data(), text->size()); };

  std::vector<TokenSealer::Key> keys;
  keys.reserve(TokenSealer::kMaxKeys);  // Growing would leave copies of keys behind.
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const auto bad = [&](absl::string_view why) {
      return BadKeyFile(path, absl::StrCat("line ", line_number, " ", why));
    };
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    TokenSealer::Key key;
    uint32_t id = 0;
    if (words.size() != 2 || !absl::SimpleAtoi(words[0], &id) || id > 255 ||
        !DecodeHex(words[1], key.bytes.data(), key.bytes.size())) {
      return bad("isn't a key id (0 to 255), a space, and 128 lower-case hex digits");
    }
    key.id = static_cast<uint8_t>(id);
    for (const TokenSealer::Key& other : keys) {
      if (other.id == key.id) return bad("repeats the key id of a line before it");
    }
    if (keys.size() == TokenSealer::kMaxKeys) return bad("is one key too many");
    keys.push_back(key);
    OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
  }
  if (keys.empty()) return BadKeyFile(path, "there is no key in it");
  return keys;
}

TokenSealer::Key RandomKey(uint8_t id) {
  TokenSealer::Key key;
  key.id = id;
  FillRandom(key.bytes.data(), key.bytes.size());
  return key;
}

std::string FormatKeys(const std::vector<TokenSealer::Key>& keys) {
  std::string text =
      "# Bellwire: the keys that seal device tokens, newest first (KEY_ID HEX).\n"
      "# The newest seals, all open. Who has one can make tokens; without it the tokens are "
      "dead.\n";
  for (const TokenSealer::Key& key : keys) {
    absl::StrAppend(&text, key.id, " ", EncodeHex(key.bytes.data(), key.bytes.size()), "\n");
  }
  return text;
}

EvpCipherPtr FetchCipher() {
  EvpCipherPtr cipher(EVP_CIPHER_fetch(nullptr, "AES-256-SIV", nullptr));
  if (!cipher) {
    std::fputs("fatal: this OpenSSL has no AES-256-SIV; 3.0 or later is needed\n", stderr);
    std::abort();
  }
  return cipher;
}

// Its version is that of the tokens: it changes with their form too.
uint64_t Fingerprint(const TokenSealer::Key& key) {
  static constexpr absl::string_view kContext = "bellwire token key fingerprint v2:";
  std::array<uint8_t, kContext.size() + 1 + TokenSealer::kKeyBytes> bytes;
  std::copy(kContext.begin(), kContext.end(), bytes.begin());
  bytes[kContext.size()] = key.id;
  std::copy(key.bytes.begin(), key.bytes.end(), bytes.begin() + kContext.size() + 1);
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes.data(), bytes.size(), digest);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return GetBigEndian64(digest);
}

}  // namespace

uint64_t AppTag(absl::string_view app_id) {
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(app_id.data()), app_id.size(), digest);
  return GetBigEndian64(digest);
}

absl::Status TokenSealer::CreateKeyFile(const std::string& path) {
  return CreateFileAtomically(path, FormatKeys({RandomKey(1)}), FileAccess::kPrivate);
}

absl::Status TokenSealer::AddKey(const std::string& path) {
  absl::StatusOr<std::vector<Key>> keys = ReadKeys(path);
  if (!keys.ok()) return keys.status();
  if (keys->size() == kMaxKeys) {
    return MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_KEYS",
                     absl::StrCat(path, " holds ", kMaxKeys,
                                  " keys: remove the last lines, whose tokens then die"));
  }
  // Upwards from the newest, round at 255: the id of a removed key is used again as late as can be.
  uint8_t id = keys->front().id;
  const auto taken = [&](uint8_t candidate) {
    for (const Key& key : *keys) {
      if (key.id == candidate) return true;
    }
    return false;
  };
  while (taken(id)) ++id;
  keys->insert(keys->begin(), RandomKey(id));
  return ReplaceFileAtomically(path, FormatKeys(*keys), FileAccess::kPrivate);
}

absl::StatusOr<std::unique_ptr<TokenSealer>> TokenSealer::FromFile(const std::string& path) {
  absl::StatusOr<std::vector<Key>> keys = ReadKeys(path);
  if (!keys.ok()) return keys.status();
  return std::unique_ptr<TokenSealer>(new TokenSealer(FetchCipher(), *std::move(keys)));
}

std::unique_ptr<TokenSealer> TokenSealer::ForTesting() {
  Key key;
  key.id = 1;
  key.bytes.fill(0x42);
  return std::unique_ptr<TokenSealer>(new TokenSealer(FetchCipher(), {key}));
}

TokenSealer::TokenSealer(EvpCipherPtr cipher, std::vector<Key> keys)
    : cipher_(std::move(cipher)),
      keys_(std::move(keys)),
      fingerprint_(Fingerprint(keys_.front())) {}

TokenSealer::~TokenSealer() {
  for (Key& key : keys_) OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
}

template <size_t kSize>
std::string TokenSealer::SealBytes(absl::string_view context,
                                   const std::array<uint8_t, kSize>& plain) const {
  const Key& key = keys_.front();
  std::array<uint8_t, 1 + kIvBytes + kSize> sealed;
  sealed[0] = key.id;
  const std::string associated = AssociatedDataFor(context, key.id);
  const EvpCipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0;
  if (!ctx ||
      EVP_EncryptInit_ex2(ctx.get(), cipher_.get(), key.bytes.data(), nullptr, nullptr) != 1 ||
      EVP_EncryptUpdate(ctx.get(), nullptr, &size, Unsigned(associated),
                        static_cast<int>(associated.size())) != 1 ||
      EVP_EncryptUpdate(ctx.get(), sealed.data() + 1 + kIvBytes, &size, plain.data(), kSize) != 1 ||
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, kIvBytes, sealed.data() + 1) != 1) {
    // No input does this: memory has run out.
    std::fputs("fatal: OpenSSL could not seal a device token\n", stderr);
    std::abort();
  }
  return EncodeHex(sealed.data(), sealed.size());
}

template <size_t kSize>
bool TokenSealer::OpenBytes(absl::string_view context, absl::string_view sealed_hex,
                            std::array<uint8_t, kSize>* plain) const {
  std::array<uint8_t, 1 + kIvBytes + kSize> sealed;
  if (!DecodeHex(sealed_hex, sealed.data(), sealed.size())) return false;
  for (const Key& key : keys_) {
    if (key.id != sealed[0]) continue;
    const std::string associated = AssociatedDataFor(context, key.id);
    const EvpCipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    int size = 0;
    if (!ctx ||
        EVP_DecryptInit_ex2(ctx.get(), cipher_.get(), key.bytes.data(), nullptr, nullptr) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, kIvBytes, sealed.data() + 1) != 1 ||
        EVP_DecryptUpdate(ctx.get(), nullptr, &size, Unsigned(associated),
                          static_cast<int>(associated.size())) != 1 ||
        EVP_DecryptUpdate(ctx.get(), plain->data(), &size, sealed.data() + 1 + kIvBytes, kSize) !=
            1 ||
        size != static_cast<int>(kSize)) {
      ERR_clear_error();  // A forged token is an answer, not an error for others to find.
      return false;
    }
    return true;
  }
  return false;
}

std::string TokenSealer::Seal(const TokenContents& contents) const {
  if (contents.app_tag == kSubscriptionTag) return SealShort(contents);
  std::array<uint8_t, kContentsBytes + kPaddingBytes> plain{};
  PutContents(contents, plain.data());
  return SealBytes(kTokenContext, plain);
}

std::string TokenSealer::SealShort(const TokenContents& contents) const {
  std::array<uint8_t, kContentsBytes> plain;
  PutContents(contents, plain.data());
  return SealBytes(kShortTokenContext, plain);
}

std::optional<TokenContents> TokenSealer::Open(absl::string_view token) const {
  if (token.size() == kShortTokenChars) {
    std::array<uint8_t, kContentsBytes> plain;
    if (!OpenBytes(kShortTokenContext, token, &plain)) return std::nullopt;
    return GetContents(plain.data());
  }
  std::array<uint8_t, kContentsBytes + kPaddingBytes> plain;
  if (!OpenBytes(kTokenContext, token, &plain)) return std::nullopt;
  // A later version may have put something there, which this one would pass over.
  if (std::any_of(plain.begin() + kContentsBytes, plain.end(), [](uint8_t b) { return b != 0; })) {
    return std::nullopt;
  }
  return GetContents(plain.data());
}

std::string TokenSealer::SealMessage(const MessageName& name) const {
  std::array<uint8_t, kMessagePlainBytes> plain;
  std::memcpy(plain.data(), name.device_id.bytes().data(), DeviceId::kSize);
  PutBigEndian64(name.registration_id, plain.data() + DeviceId::kSize);
  std::memcpy(plain.data() + DeviceId::kSize + 8, name.message_id.bytes().data(), MessageId::kSize);
  return SealBytes(kMessageContext, plain);
}

std::optional<MessageName> TokenSealer::OpenMessage(absl::string_view sealed) const {
  std::array<uint8_t, kMessagePlainBytes> plain;
  if (!OpenBytes(kMessageContext, sealed, &plain)) return std::nullopt;
  MessageName name;
  name.device_id = *DeviceId::FromBytes(Chars(plain.data(), DeviceId::kSize));
  name.registration_id = GetBigEndian64(plain.data() + DeviceId::kSize);
  name.message_id =
      *MessageId::FromBytes(Chars(plain.data() + DeviceId::kSize + 8, MessageId::kSize));
  return name;
}

std::string TokenSealer::SealGrant(const AccessGrant& grant) const {
  std::array<uint8_t, kGrantPlainBytes> plain;
  std::memcpy(plain.data(), grant.key_id.data(), AccessGrant::kKeyIdChars);
  PutBigEndian64(static_cast<uint64_t>(absl::ToUnixSeconds(grant.expires_at)),
                 plain.data() + AccessGrant::kKeyIdChars);
  return SealBytes(kGrantContext, plain);
}

std::optional<AccessGrant> TokenSealer::OpenGrant(absl::string_view sealed) const {
  std::array<uint8_t, kGrantPlainBytes> plain;
  if (!OpenBytes(kGrantContext, sealed, &plain)) return std::nullopt;
  AccessGrant grant;
  grant.key_id = std::string(Chars(plain.data(), AccessGrant::kKeyIdChars));
  grant.expires_at = absl::FromUnixSeconds(
      static_cast<int64_t>(GetBigEndian64(plain.data() + AccessGrant::kKeyIdChars)));
  return grant;
}

}  // namespace bellwire
