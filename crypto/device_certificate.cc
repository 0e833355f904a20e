#include "crypto/device_certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/device_key.h"
#include "crypto/p256.h"

namespace bellwire {
namespace {

constexpr absl::string_view kPrefix = "bwc_";
// RFC 5280, 4.1.2.2: a serial number has at most so many bytes.
constexpr int kMaxSerialBytes = 20;

using BignumPtr = OpenSslPtr<BIGNUM, BN_free>;
using X509StoreCtxPtr = OpenSslPtr<X509_STORE_CTX, X509_STORE_CTX_free>;

struct FreeText {
  void operator()(char* text) const { OPENSSL_free(text); }
};

absl::Status Refused(absl::string_view why) {
  return MakeError(absl::StatusCode::kUnauthenticated, "BAD_ENROLMENT",
                   absl::StrCat("the device certificate ", why,
                                "; ask whoever runs the server for another one"));
}

std::string DerOf(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size <= 0) return "";
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

// Null: it is none, or has something behind it.
X509Ptr ParseShown(absl::string_view shown) {
  std::string der;
  if (shown.size() > kMaxDeviceCertificateChars || !absl::ConsumePrefix(&shown, kPrefix) ||
      !absl::WebSafeBase64Unescape(shown, &der)) {
    return nullptr;
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = bytes + der.size();
  X509Ptr certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())));
  ERR_clear_error();
  return bytes == end ? std::move(certificate) : nullptr;
}

// Empty: the key is none that a device has.
std::string DeviceKeyOf(const X509* certificate) {
  const EVP_PKEY* const key = X509_get0_pubkey(certificate);
  ERR_clear_error();
  return key != nullptr && IsP256(key) ? PublicKeyDer(key) : "";
}

std::string SerialOf(const X509* certificate) {
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate);
  const BignumPtr number(ASN1_INTEGER_to_BN(serial, nullptr));
  if (number == nullptr || BN_num_bytes(number.get()) > kMaxSerialBytes) return "";
  const std::unique_ptr<char, FreeText> hex(BN_bn2hex(number.get()));
  return hex == nullptr ? "" : absl::AsciiStrToLower(hex.get());
}

absl::Status BadAuthority(absl::string_view path, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_DEVICE_CA",
                   absl::StrCat(path, " ", why,
                                ": it must hold the certificates of the authorities that sign "
                                "those of devices, in PEM"));
}

absl::string_view WhyOf(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "has expired, or its authority's has";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "is not valid yet, or its authority's is not";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "is of another authority";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "is forged: its authority did not sign it";
    default:
      return "is no good";
  }
}

}  // namespace

bool LooksLikeDeviceCertificate(absl::string_view shown) {
  return absl::StartsWith(shown, kPrefix);
}

absl::StatusOr<std::string> DeviceCertificateLine(absl::string_view pem) {
  const auto bad = [](absl::string_view why) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_DEVICE_CERTIFICATE",
                     absl::StrCat("the device certificate ", why));
  };
  const X509Ptr certificate = ParseCertificatePem(pem);
  if (certificate == nullptr) return bad("isn't a certificate in PEM");
  if (DeviceKeyOf(certificate.get()).empty()) {
    return bad("has a key that is no P-256 one: it must be for the phone's own device.key");
  }
  std::string encoded;
  absl::WebSafeBase64Escape(DerOf(certificate.get()), &encoded);
  std::string line = absl::StrCat(kPrefix, encoded);
  if (line.size() > kMaxDeviceCertificateChars) {
    return bad(absl::StrCat("is too long: at most ", kMaxDeviceCertificateChars,
                            " characters of base64 are taken"));
  }
  return line;
}

absl::StatusOr<std::shared_ptr<const DeviceAuthority>> DeviceAuthority::FromPem(
    absl::string_view pem, absl::string_view path) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509StorePtr store(X509_STORE_new());
  if (bio == nullptr || store == nullptr) return absl::InternalError("out of memory");
  size_t count = 0;
  while (true) {
    const X509Ptr authority(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    ERR_clear_error();
    if (authority == nullptr) break;
    // Also for those of old that say nothing about it; a leaf of version 3 says that it is none.
    if (X509_check_ca(authority.get()) == 0) {
      return BadAuthority(path, "has a certificate that is no authority's");
    }
    if (X509_STORE_add_cert(store.get(), authority.get()) != 1) {
      ERR_clear_error();
      return BadAuthority(path, "has a certificate that can't be used");
    }
    ++count;
  }
  if (count == 0) return BadAuthority(path, "has no certificate in PEM");
  // Whoever is named here is trusted, also if somebody else has signed its certificate.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return std::shared_ptr<const DeviceAuthority>(new DeviceAuthority(std::move(store)));
}

absl::StatusOr<std::string> DeviceAuthority::Check(absl::string_view shown, const DeviceId& device,
                                                   absl::Time now) const {
  const X509Ptr certificate = ParseShown(shown);
  if (certificate == nullptr) return Refused("is malformed");
  const absl::StatusOr<DeviceId> owner = DeviceIdOf(DeviceKeyOf(certificate.get()));
  if (!owner.ok() || *owner != device) return Refused("is for the key of another device");
  const X509StoreCtxPtr context(X509_STORE_CTX_new());
  if (context == nullptr ||
      X509_STORE_CTX_init(context.get(), store_.get(), certificate.get(), nullptr) != 1) {
    ERR_clear_error();
    return absl::InternalError("OpenSSL can't check a certificate");
  }
  X509_STORE_CTX_set_time(context.get(), 0, absl::ToTimeT(now));
  const bool good = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (!good) return Refused(WhyOf(error));
  std::string serial = SerialOf(certificate.get());
  if (serial.empty()) return Refused("has a serial number that is too long");
  return serial;
}

}  // namespace bellwire
