#ifndef BELLWIRE_CRYPTO_XAES_GCM_H_
#define BELLWIRE_CRYPTO_XAES_GCM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crypto/openssl_ptr.h"

namespace bellwire {

// XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM with nonces of 24 bytes. The first 12
// bytes of a nonce derive a key from the one that is given, and the other 12 are the nonce of
// AES-256-GCM under it. So nonces may be taken at random for as long as anybody lives, where those
// of AES-GCM alone repeat after some billions.
//
// Derived keys are kept, so nonces that begin alike cost no more than AES-GCM does.
//
// Not thread-safe.
class XaesGcm {
 public:
  static constexpr size_t kKeyBytes = 32;
  static constexpr size_t kPrefixBytes = 12;
  static constexpr size_t kNonceBytes = 24;
  static constexpr size_t kTagBytes = 16;
  // Of each direction. When there are more they are all forgotten: a derivation costs a
  // microsecond.
  static constexpr size_t kMaxDerivedKeys = 256;

  explicit XaesGcm(const std::array<uint8_t, kKeyBytes>& key);
  ~XaesGcm();
  XaesGcm(const XaesGcm&) = delete;
  XaesGcm& operator=(const XaesGcm&) = delete;

  // Appends the ciphertext and its tag to `out`. `associated` in pieces: where one ends is not
  // authenticated. REQUIRES: nonce.size() == kNonceBytes, and no other text was sealed with it.
  void Seal(absl::string_view nonce, absl::Span<const absl::string_view> associated,
            absl::string_view plain, std::string* out);

  // False: it was not sealed with this key, nonce and associated data; `plain` is empty then.
  // REQUIRES: nonce.size() == kNonceBytes.
  bool Open(absl::string_view nonce, absl::Span<const absl::string_view> associated,
            absl::string_view sealed, std::string* plain);

 private:
  using Contexts = absl::flat_hash_map<std::string, EvpCipherCtxPtr>;

  // The one for the derived key, with that key set.
  EVP_CIPHER_CTX* ContextOf(absl::string_view prefix, bool seals, Contexts* contexts);

  const EvpCipherPtr gcm_;
  // AES-256 with the given key, for derivations.
  const EvpCipherCtxPtr block_cipher_;
  // K1 of CMAC (NIST SP 800-38B).
  std::array<uint8_t, 16> subkey_{};
  Contexts seal_;
  Contexts open_;
};

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_XAES_GCM_H_
