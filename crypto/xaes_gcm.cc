#include "crypto/xaes_gcm.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "openssl/crypto.h"
#include "openssl/err.h"

namespace bellwire {
namespace {

constexpr size_t kBlockBytes = 16;

const unsigned char* Unsigned(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Unsigned(char* text) { return reinterpret_cast<unsigned char*>(text); }

// No input does this: memory has run out, or this OpenSSL lacks AES.
[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "fatal: OpenSSL could not %s\n", what);
  std::abort();
}

void Encrypt(EVP_CIPHER_CTX* block_cipher, const uint8_t* in, size_t size, uint8_t* out) {
  int written = 0;
  if (EVP_EncryptUpdate(block_cipher, out, &written, in, static_cast<int>(size)) != 1 ||
      written != static_cast<int>(size)) {
    Fail("encrypt a block");
  }
}

}  // namespace

XaesGcm::XaesGcm(const std::array<uint8_t, kKeyBytes>& key)
    : gcm_(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)), block_cipher_(EVP_CIPHER_CTX_new()) {
  const EvpCipherPtr ecb(EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr));
  if (!gcm_ || !ecb || !block_cipher_ ||
      EVP_EncryptInit_ex2(block_cipher_.get(), ecb.get(), key.data(), nullptr, nullptr) != 1 ||
      EVP_CIPHER_CTX_set_padding(block_cipher_.get(), 0) != 1) {
    Fail("prepare AES-256");
  }
  const std::array<uint8_t, kBlockBytes> zeros{};
  std::array<uint8_t, kBlockBytes> l;
  Encrypt(block_cipher_.get(), zeros.data(), zeros.size(), l.data());
  // L shifted by one bit; the bit that falls out comes back as the field's polynomial.
  for (size_t i = 0; i < kBlockBytes; ++i) {
    const uint8_t next = i + 1 < kBlockBytes ? l[i + 1] >> 7 : 0;
    subkey_[i] = static_cast<uint8_t>(l[i] << 1 | next);
  }
  if ((l[0] & 0x80) != 0) subkey_[kBlockBytes - 1] ^= 0x87;
  OPENSSL_cleanse(l.data(), l.size());
}

XaesGcm::~XaesGcm() { OPENSSL_cleanse(subkey_.data(), subkey_.size()); }

EVP_CIPHER_CTX* XaesGcm::ContextOf(absl::string_view prefix, bool seals, Contexts* contexts) {
  if (const auto it = contexts->find(prefix); it != contexts->end()) return it->second.get();
  std::array<uint8_t, 2 * kBlockBytes> blocks{};
  for (size_t i = 0; i < 2; ++i) {
    uint8_t* const block = blocks.data() + i * kBlockBytes;
    block[1] = static_cast<uint8_t>(i + 1);
    block[2] = 'X';
    std::memcpy(block + kBlockBytes - kPrefixBytes, prefix.data(), kPrefixBytes);
    for (size_t j = 0; j < kBlockBytes; ++j) block[j] ^= subkey_[j];
  }
  std::array<uint8_t, kKeyBytes> derived;
  Encrypt(block_cipher_.get(), blocks.data(), blocks.size(), derived.data());
  EvpCipherCtxPtr context(EVP_CIPHER_CTX_new());
  if (!context || (seals ? EVP_EncryptInit_ex2(context.get(), gcm_.get(), derived.data(), nullptr,
                                               nullptr)
                         : EVP_DecryptInit_ex2(context.get(), gcm_.get(), derived.data(), nullptr,
                                               nullptr)) != 1) {
    Fail("prepare AES-256-GCM");
  }
  OPENSSL_cleanse(derived.data(), derived.size());
  OPENSSL_cleanse(blocks.data(), blocks.size());
  if (contexts->size() >= kMaxDerivedKeys) contexts->clear();
  return contexts->emplace(std::string(prefix), std::move(context)).first->second.get();
}

void XaesGcm::Seal(absl::string_view nonce, absl::Span<const absl::string_view> associated,
                   absl::string_view plain, std::string* out) {
  assert(nonce.size() == kNonceBytes);
  EVP_CIPHER_CTX* const context = ContextOf(nonce.substr(0, kPrefixBytes), true, &seal_);
  const size_t begin = out->size();
  out->resize(begin + plain.size() + kTagBytes);
  unsigned char* const sealed = Unsigned(out->data() + begin);
  int size = 0;
  bool ok = EVP_EncryptInit_ex2(context, nullptr, nullptr,
                                Unsigned(nonce.substr(kPrefixBytes)), nullptr) == 1;
  for (const absl::string_view piece : associated) {
    ok = ok && EVP_EncryptUpdate(context, nullptr, &size, Unsigned(piece),
                                 static_cast<int>(piece.size())) == 1;
  }
  ok = ok &&
       EVP_EncryptUpdate(context, sealed, &size, Unsigned(plain), static_cast<int>(plain.size())) ==
           1 &&
       EVP_EncryptFinal_ex(context, sealed + plain.size(), &size) == 1 &&
       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, sealed + plain.size()) == 1;
  if (!ok) Fail("seal with AES-256-GCM");
}

bool XaesGcm::Open(absl::string_view nonce, absl::Span<const absl::string_view> associated,
                   absl::string_view sealed, std::string* plain) {
  assert(nonce.size() == kNonceBytes);
  plain->clear();
  if (sealed.size() < kTagBytes) return false;
  EVP_CIPHER_CTX* const context = ContextOf(nonce.substr(0, kPrefixBytes), false, &open_);
  const absl::string_view text = sealed.substr(0, sealed.size() - kTagBytes);
  std::array<unsigned char, kTagBytes> tag;
  std::memcpy(tag.data(), sealed.data() + text.size(), kTagBytes);
  // Room for Final too, which writes nothing.
  plain->resize(text.size() + 1);
  int size = 0;
  bool ok = EVP_DecryptInit_ex2(context, nullptr, nullptr,
                                Unsigned(nonce.substr(kPrefixBytes)), nullptr) == 1;
  for (const absl::string_view piece : associated) {
    ok = ok && EVP_DecryptUpdate(context, nullptr, &size, Unsigned(piece),
                                 static_cast<int>(piece.size())) == 1;
  }
  ok = ok &&
       EVP_DecryptUpdate(context, Unsigned(plain->data()), &size, Unsigned(text),
                         static_cast<int>(text.size())) == 1 &&
       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
       EVP_DecryptFinal_ex(context, Unsigned(plain->data() + text.size()), &size) == 1;
  plain->resize(text.size());
  if (ok) return true;
  ERR_clear_error();  // A forgery is an answer, not an error for others to find.
  OPENSSL_cleanse(plain->data(), plain->size());
  plain->clear();
  return false;
}

}  // namespace bellwire
