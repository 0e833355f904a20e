#include "crypto/device_key.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "crypto/openssl_error.h"
#include "crypto/p256.h"
#include "openssl/bn.h"
#include "openssl/core_names.h"
#include "openssl/err.h"
#include "openssl/hmac.h"
#include "openssl/sha.h"

namespace bellwire {
namespace {

static_assert(kDevicePublicKeyBytes == kP256PublicKeyBytes);

// A P-256 ECDSA signature in DER: two integers of at most 33 bytes.
constexpr size_t kMaxSignatureBytes = 72;

// A private key of P-256.
constexpr size_t kScalarBytes = 32;

// The bytes that a login signs: bellwire.device.v1.Login.signature.
std::string LoginMessage(absl::string_view tls_exporter, uint64_t login_number) {
  constexpr absl::string_view kContext("bellwire login v1\0", 18);
  std::string message = absl::StrCat(kContext, tls_exporter);
  for (int shift = 56; shift >= 0; shift -= 8) {
    message.push_back(static_cast<char>(login_number >> shift));
  }
  return message;
}

absl::Status CheckExporter(absl::string_view tls_exporter) {
  if (tls_exporter.size() == kTlsExporterBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a TLS exporter value has ", kTlsExporterBytes,
                                                 " bytes, not ", tls_exporter.size()));
}

absl::Status BadPublicKey(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_PUBLIC_KEY",
                   absl::StrCat("the device's public key ", why));
}

const unsigned char* Bytes(absl::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceKey>> DeviceKey::Generate() {
  absl::StatusOr<EvpPkeyPtr> key = GenerateP256Key();
  if (!key.ok()) return key.status();
  return FromKey(*std::move(key));
}

absl::StatusOr<std::unique_ptr<DeviceKey>> DeviceKey::LoadOrCreate(const std::string& path) {
  absl::StatusOr<std::string> pem = ReadPrivateFile(path);
  if (absl::IsNotFound(pem.status())) {
    absl::StatusOr<EvpPkeyPtr> key = GenerateP256Key();
    if (!key.ok()) return key.status();
    const absl::Status written =
        CreateFileAtomically(path, PrivateKeyPem(key->get()), FileAccess::kPrivate);
    if (written.ok()) return FromKey(*std::move(key));
    // Somebody else was faster: theirs is the device's key.
    if (!absl::IsAlreadyExists(written)) return written;
    pem = ReadPrivateFile(path);
  }
  if (!pem.ok()) return pem.status();
  EvpPkeyPtr key = ParsePrivateKeyPem(*pem);
  OPENSSL_cleanse(pem->data(), pem->size());
  if (!key || !IsP256(key.get())) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "BAD_DEVICE_KEY",
        absl::StrCat(path,
                     " isn't a P-256 private key in PEM. Restore it; or delete it, and "
                     "this device is a new one, whose apps get new tokens"));
  }
  return FromKey(std::move(key));
}

absl::StatusOr<std::unique_ptr<DeviceKey>> DeviceKey::FromKey(EvpPkeyPtr key) {
  std::string der = PublicKeyDer(key.get());
  const absl::StatusOr<DeviceId> id = DeviceIdOf(der);
  if (!id.ok()) return id.status();
  return std::unique_ptr<DeviceKey>(new DeviceKey(std::move(key), std::move(der), *id));
}

DeviceKey::DeviceKey(EvpPkeyPtr key, std::string public_key_der, const DeviceId& device_id)
    : key_(std::move(key)), public_key_der_(std::move(public_key_der)), device_id_(device_id) {}

absl::StatusOr<std::string> DeviceKey::SignLogin(absl::string_view tls_exporter,
                                                 uint64_t login_number) const {
  if (absl::Status status = CheckExporter(tls_exporter); !status.ok()) return status;
  const std::string message = LoginMessage(tls_exporter, login_number);
  std::string signature(kMaxSignatureBytes, '\0');
  size_t size = signature.size();
  const EvpMdCtxPtr ctx(EVP_MD_CTX_new());
  if (!ctx ||
      EVP_DigestSignInit_ex(ctx.get(), nullptr, "SHA256", nullptr, nullptr, key_.get(), nullptr) !=
          1 ||
      EVP_DigestSign(ctx.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Bytes(message), message.size()) != 1) {
    return OpenSslError("sign a login");
  }
  signature.resize(size);
  return signature;
}

absl::StatusOr<std::string> DeviceKey::DeriveSecret(absl::string_view purpose) const {
  BIGNUM* scalar = nullptr;
  unsigned char key[kScalarBytes];
  unsigned char secret[SHA256_DIGEST_LENGTH];
  unsigned int size = 0;
  const bool ok = EVP_PKEY_get_bn_param(key_.get(), OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
                  BN_bn2binpad(scalar, key, sizeof(key)) == static_cast<int>(sizeof(key)) &&
                  HMAC(EVP_sha256(), key, sizeof(key), Bytes(purpose), purpose.size(), secret,
                       &size) != nullptr;
  BN_clear_free(scalar);
  OPENSSL_cleanse(key, sizeof(key));
  if (!ok) return OpenSslError("derive a secret from the device's key");
  return std::string(reinterpret_cast<const char*>(secret), size);
}

absl::StatusOr<DeviceId> DeviceIdOf(absl::string_view public_key_der) {
  if (public_key_der.size() != kDevicePublicKeyBytes) {
    return BadPublicKey(
        absl::StrCat("has ", public_key_der.size(), " bytes instead of ", kDevicePublicKeyBytes));
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(Bytes(public_key_der), public_key_der.size(), digest);
  return *DeviceId::FromBytes(
      absl::string_view(reinterpret_cast<const char*>(digest), DeviceId::kSize));
}

absl::Status VerifyLogin(absl::string_view public_key_der, absl::string_view tls_exporter,
                         uint64_t login_number, absl::string_view signature) {
  const EvpPkeyPtr key = ParseP256PublicKey(public_key_der);
  if (!key) return BadPublicKey("isn't the DER of a P-256 key with an uncompressed point");
  if (absl::Status status = CheckExporter(tls_exporter); !status.ok()) return status;
  const std::string message = LoginMessage(tls_exporter, login_number);
  const EvpMdCtxPtr ctx(EVP_MD_CTX_new());
  if (!ctx || EVP_DigestVerifyInit_ex(ctx.get(), nullptr, "SHA256", nullptr, nullptr, key.get(),
                                      nullptr) != 1) {
    return OpenSslError("verify a login");
  }
  // Zero and negative results differ only in how wrong the signature is.
  if (signature.size() > kMaxSignatureBytes ||
      EVP_DigestVerify(ctx.get(), Bytes(signature), signature.size(), Bytes(message),
                       message.size()) != 1) {
    ERR_clear_error();
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_SIGNATURE",
                     "the signature isn't one of this key over this connection and login number");
  }
  return absl::OkStatus();
}

}  // namespace bellwire
