#include "crypto/p256.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "crypto/openssl_error.h"
#include "openssl/core_names.h"
#include "openssl/err.h"
#include "openssl/pem.h"

namespace bellwire {
namespace {

// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 0 unused bits, uncompressed …
constexpr unsigned char kSpkiPrefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
static_assert(sizeof(kSpkiPrefix) + 64 == kP256PublicKeyBytes, "… x, y");
// Its last byte says that the point is uncompressed.
constexpr size_t kPointOffset = sizeof(kSpkiPrefix) - 1;

bool HasP256Encoding(absl::string_view der) {
  return der.size() == kP256PublicKeyBytes &&
         absl::StartsWith(der, absl::string_view(reinterpret_cast<const char*>(kSpkiPrefix),
                                                 sizeof(kSpkiPrefix)));
}

// A key of the curve that has no point. Never freed.
EVP_PKEY* Curve() {
  static EVP_PKEY* const curve = [] {
    char name[] = "P-256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY* key = nullptr;
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEY_PARAMETERS,
                          const_cast<OSSL_PARAM*>(parameters)) != 1) {
      std::fprintf(stderr, "OpenSSL has no P-256\n");
      std::abort();
    }
    return key;
  }();
  return curve;
}

int NoPassphrase(char*, int, int, void*) { return -1; }

// Parses PEM with one of OpenSSL's readers, which share this signature.
template <auto kRead>
auto ParsePem(absl::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto* object = bio ? kRead(bio.get(), nullptr, NoPassphrase, nullptr) : nullptr;
  ERR_clear_error();  // A refusal is an answer here; nobody else shall find it in the queue.
  return object;
}

// What `write` leaves in a memory BIO; empty if it fails.
template <typename Write>
std::string ToPem(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) {
    ERR_clear_error();
    return "";
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT(runtime/int): OpenSSL's type.
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

absl::StatusOr<EvpPkeyPtr> GenerateP256Key() {
  EvpPkeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return OpenSslError("make a P-256 key");
  return key;
}

EvpPkeyPtr ParseP256PublicKey(absl::string_view der) {
  if (!HasP256Encoding(der)) return nullptr;
  // What has this encoding is a point and nothing else. OpenSSL's decoders would take 106 µs to
  // find that out; to copy a key and give it another point takes 4.
  EvpPkeyPtr key(EVP_PKEY_dup(Curve()));
  if (!key || EVP_PKEY_set1_encoded_public_key(
                  key.get(), reinterpret_cast<const unsigned char*>(der.data()) + kPointOffset,
                  kP256PublicKeyBytes - kPointOffset) != 1) {
    key.reset();
  }
  ERR_clear_error();
  return key;
}

bool IsP256Point(absl::string_view point) {
  const absl::string_view prefix(reinterpret_cast<const char*>(kSpkiPrefix), kPointOffset);
  return ParseP256PublicKey(absl::StrCat(prefix, point)) != nullptr;
}

EvpPkeyPtr ParsePrivateKeyPem(absl::string_view pem) {
  return EvpPkeyPtr(ParsePem<PEM_read_bio_PrivateKey>(pem));
}

EvpPkeyPtr ParsePublicKeyPem(absl::string_view pem) {
  return EvpPkeyPtr(ParsePem<PEM_read_bio_PUBKEY>(pem));
}

X509Ptr ParseCertificatePem(absl::string_view pem) {
  return X509Ptr(ParsePem<PEM_read_bio_X509>(pem));
}

std::string PublicKeyDer(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) {
    ERR_clear_error();
    return "";
  }
  std::string result(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return result;
}

std::string PublicKeyPem(const EVP_PKEY* key) {
  return ToPem([key](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key); });
}

std::string PrivateKeyPem(const EVP_PKEY* key) {
  return ToPem([key](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string CertificatePem(const X509* certificate) {
  return ToPem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

bool IsP256(const EVP_PKEY* key) { return HasP256Encoding(PublicKeyDer(key)); }

}  // namespace bellwire
