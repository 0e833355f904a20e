#include "crypto/certificates.h"

#include <arpa/inet.h>

#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/ids.h"
#include "crypto/openssl_error.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "openssl/asn1.h"
#include "openssl/bn.h"
#include "openssl/err.h"
#include "openssl/sha.h"

namespace bellwire {
namespace {

using Asn1IntegerPtr = OpenSslPtr<ASN1_INTEGER, ASN1_INTEGER_free>;
using BignumPtr = OpenSslPtr<BIGNUM, BN_free>;
using GeneralNamePtr = OpenSslPtr<GENERAL_NAME, GENERAL_NAME_free>;
using GeneralNamesPtr = OpenSslPtr<GENERAL_NAMES, GENERAL_NAMES_free>;

absl::Status BadRequest(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CERTIFICATE_REQUEST", why);
}

absl::Status CheckNameAndValidity(absl::string_view common_name, const Validity& validity) {
  if (common_name.empty() || common_name.size() > 64) {
    return BadRequest("a certificate's common name has 1 to 64 bytes");
  }
  if (validity.not_after <= validity.not_before) {
    return BadRequest("a certificate must end after it begins");
  }
  return absl::OkStatus();
}

// Letters, digits and hyphens between dots; the first label may be `*`.
bool IsDnsName(absl::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  bool first = true;
  for (absl::string_view label : absl::StrSplit(name, '.')) {
    if (label.empty() || label.size() > 63) return false;
    for (char c : label) {
      const bool wildcard = first && label == "*";
      if (!wildcard && !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-') {
        return false;
      }
    }
    first = false;
  }
  return true;
}

bool SetSerial(X509* certificate) {
  unsigned char bytes[16];
  FillRandom(bytes, sizeof(bytes));
  bytes[0] &= 0x7f;  // Positive, in at most 20 octets (RFC 5280, 4.1.2.2).
  const BignumPtr number(BN_bin2bn(bytes, sizeof(bytes), nullptr));
  const Asn1IntegerPtr serial(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
  return serial && X509_set_serialNumber(certificate, serial.get()) == 1;
}

bool SetTimes(X509* certificate, const Validity& validity) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(validity.not_before)) !=
             nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(validity.not_after)) !=
             nullptr;
}

bool SetSubject(X509* certificate, absl::string_view common_name) {
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                    MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

// Everything but issuer, extensions and signature.
X509Ptr NewCertificate(absl::string_view common_name, const Validity& validity, EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !SetSerial(certificate.get()) || !SetTimes(certificate.get(), validity) ||
      !SetSubject(certificate.get(), common_name) || X509_set_pubkey(certificate.get(), key) != 1) {
    return nullptr;
  }
  return certificate;
}

// `value` is in OpenSSL's configuration syntax: only constants of this file.
bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const X509ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// `type`: GEN_DNS or GEN_URI.
GeneralNamePtr TextGeneralName(int type, const std::string& name) {
  GeneralNamePtr general(GENERAL_NAME_new());
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  if (!general || text == nullptr ||
      ASN1_STRING_set(text, name.data(), static_cast<int>(name.size())) != 1) {
    ASN1_IA5STRING_free(text);
    return nullptr;
  }
  GENERAL_NAME_set0_value(general.get(), type, text);
  return general;
}

bool IsPlainUri(absl::string_view uri) {
  if (uri.empty() || uri.size() > 128) return false;
  for (const char c : uri) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

// Null if `address` isn't one.
GeneralNamePtr IpGeneralName(const std::string& address) {
  GeneralNamePtr general(GENERAL_NAME_new());
  ASN1_OCTET_STRING* bytes = general ? a2i_IPADDRESS(address.c_str()) : nullptr;
  if (bytes == nullptr) return nullptr;
  GENERAL_NAME_set0_value(general.get(), GEN_IPADD, bytes);
  return general;
}

// Built as objects, not as configuration text: a name can't smuggle in another.
absl::Status AddSubjectAltNames(X509* certificate, const LeafRequest& request) {
  const GeneralNamesPtr names(sk_GENERAL_NAME_new_null());
  if (!names) return OpenSslError("make a list of names");
  const auto add = [&](GeneralNamePtr name) {
    if (sk_GENERAL_NAME_push(names.get(), name.get()) <= 0) return false;
    (void)name.release();  // The list owns it now.
    return true;
  };
  for (const std::string& name : request.dns_names) {
    if (!IsDnsName(name)) return BadRequest(absl::StrCat("\"", name, "\" isn't a host name"));
    GeneralNamePtr general = TextGeneralName(GEN_DNS, name);
    if (!general || !add(std::move(general))) return OpenSslError("add a name");
  }
  for (const std::string& uri : request.uris) {
    if (!IsPlainUri(uri)) return BadRequest(absl::StrCat("\"", uri, "\" isn't a URI"));
    GeneralNamePtr general = TextGeneralName(GEN_URI, uri);
    if (!general || !add(std::move(general))) return OpenSslError("add a URI");
  }
  for (const std::string& address : request.ip_addresses) {
    GeneralNamePtr general = IpGeneralName(address);
    ERR_clear_error();
    if (!general) return BadRequest(absl::StrCat("\"", address, "\" isn't an IP address"));
    if (!add(std::move(general))) return OpenSslError("add an address");
  }
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) !=
      1) {
    return OpenSslError("add the names to a certificate");
  }
  return absl::OkStatus();
}

absl::Status Sign(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) <= 0) return OpenSslError("sign a certificate");
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> ToTime(const ASN1_TIME* time) {
  std::tm utc;
  if (ASN1_TIME_to_tm(time, &utc) != 1) return OpenSslError("read a time of a certificate");
  return absl::FromTM(utc, absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> NotAfter(const X509* certificate) {
  return ToTime(X509_get0_notAfter(certificate));
}

std::string CommonName(const X509* certificate) {
  char text[65] = {};
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                             text, sizeof(text));
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
}

// That of `key_pem`, or a new one.
absl::StatusOr<EvpPkeyPtr> KeyFor(absl::string_view key_pem) {
  if (key_pem.empty()) return GenerateP256Key();
  EvpPkeyPtr key = ParsePrivateKeyPem(key_pem);
  if (key != nullptr && IsP256(key.get())) return key;
  ERR_clear_error();
  return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_PRIVATE_KEY",
                   "the key isn't a P-256 key in PEM, unencrypted");
}

std::string IpText(const ASN1_OCTET_STRING* address) {
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text));
  return text;
}

}  // namespace

absl::StatusOr<KeyAndCertificate> MakeCertificateAuthority(absl::string_view common_name,
                                                           const Validity& validity,
                                                           absl::string_view key_pem) {
  if (absl::Status s = CheckNameAndValidity(common_name, validity); !s.ok()) return s;
  const absl::StatusOr<EvpPkeyPtr> key = KeyFor(key_pem);
  if (!key.ok()) return key.status();
  const X509Ptr ca = NewCertificate(common_name, validity, key->get());
  if (!ca || X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) != 1 ||
      !AddExtension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(ca.get(), ca.get(), NID_subject_key_identifier, "hash")) {
    return OpenSslError("make a CA certificate");
  }
  if (absl::Status s = Sign(ca.get(), key->get()); !s.ok()) return s;
  return KeyAndCertificate{.key_pem = PrivateKeyPem(key->get()),
                           .certificate_pem = CertificatePem(ca.get())};
}

absl::StatusOr<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& ca,
                                                   const LeafRequest& request,
                                                   absl::string_view key_pem) {
  if (absl::Status s = CheckNameAndValidity(request.common_name, request.validity); !s.ok()) {
    return s;
  }
  if (request.dns_names.empty() && request.ip_addresses.empty()) {
    return BadRequest("a certificate needs a host name or an address");
  }
  if (!request.server && !request.client) {
    return BadRequest("a certificate must be for a server, a client or both");
  }
  const EvpPkeyPtr ca_key = ParsePrivateKeyPem(ca.key_pem);
  const X509Ptr ca_certificate = ParseCertificatePem(ca.certificate_pem);
  if (!ca_key || !ca_certificate || X509_check_ca(ca_certificate.get()) != 1 ||
      X509_check_private_key(ca_certificate.get(), ca_key.get()) != 1) {
    ERR_clear_error();
    return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_CA",
                     "the CA's files aren't a CA certificate and its private key in PEM");
  }
  const absl::StatusOr<absl::Time> ca_end = NotAfter(ca_certificate.get());
  if (!ca_end.ok()) return ca_end.status();
  if (absl::FromTimeT(absl::ToTimeT(request.validity.not_after)) > *ca_end) {
    return BadRequest(absl::StrCat("a certificate can't outlive its CA, which ends at ",
                                   absl::FormatTime(*ca_end, absl::UTCTimeZone())));
  }

  const absl::StatusOr<EvpPkeyPtr> key = KeyFor(key_pem);
  if (!key.ok()) return key.status();
  const X509Ptr leaf = NewCertificate(request.common_name, request.validity, key->get());
  const char* usage =
      request.server ? (request.client ? "serverAuth,clientAuth" : "serverAuth") : "clientAuth";
  if (!leaf || X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca_certificate.get())) != 1 ||
      !AddExtension(leaf.get(), ca_certificate.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(leaf.get(), ca_certificate.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(leaf.get(), ca_certificate.get(), NID_ext_key_usage, usage) ||
      !AddExtension(leaf.get(), ca_certificate.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(leaf.get(), ca_certificate.get(), NID_authority_key_identifier, "keyid")) {
    return OpenSslError("make a certificate");
  }
  if (absl::Status s = AddSubjectAltNames(leaf.get(), request); !s.ok()) return s;
  if (absl::Status s = Sign(leaf.get(), ca_key.get()); !s.ok()) return s;
  return KeyAndCertificate{.key_pem = PrivateKeyPem(key->get()),
                           .certificate_pem = CertificatePem(leaf.get())};
}

absl::StatusOr<CertificateFacts> ReadCertificateFacts(absl::string_view certificate_pem) {
  const X509Ptr certificate = ParseCertificatePem(certificate_pem);
  if (!certificate) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CERTIFICATE",
                     "not the PEM of a certificate");
  }
  CertificateFacts facts;
  const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type == GEN_DNS || type == GEN_URI) {
      const auto* text = static_cast<const ASN1_IA5STRING*>(value);
      (type == GEN_DNS ? facts.dns_names : facts.uris)
          .emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                        static_cast<size_t>(ASN1_STRING_length(text)));
    } else if (type == GEN_IPADD) {
      facts.ip_addresses.push_back(IpText(static_cast<const ASN1_OCTET_STRING*>(value)));
    }
  }
  const absl::StatusOr<absl::Time> not_after = NotAfter(certificate.get());
  if (!not_after.ok()) return not_after.status();
  facts.not_after = *not_after;
  const absl::StatusOr<absl::Time> not_before = ToTime(X509_get0_notBefore(certificate.get()));
  if (!not_before.ok()) return not_before.status();
  facts.not_before = *not_before;
  facts.common_name = CommonName(certificate.get());
  const std::string der = PublicKeyDer(X509_get0_pubkey(certificate.get()));
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(der.data()), der.size(), digest);
  facts.pin = absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
  return facts;
}

absl::Status CheckCertificateTimes(absl::string_view certificate_pem, absl::string_view path,
                                   absl::Time now) {
  const auto bad = [path](absl::string_view reason, absl::string_view why) {
    return MakeError(absl::StatusCode::kFailedPrecondition, reason, absl::StrCat(path, " ", why));
  };
  const auto text = [](absl::Time time) {
    return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
  };
  const absl::StatusOr<CertificateFacts> facts = ReadCertificateFacts(certificate_pem);
  if (!facts.ok()) return bad("BAD_CERTIFICATE", "isn't a certificate in PEM");
  if (now > facts->not_after) {
    return bad("CERTIFICATE_EXPIRED",
               absl::StrCat("ended at ", text(facts->not_after), ", and it is ", text(now),
                            ": renew it, such as with `bellwire cert renew`; is the clock right?"));
  }
  if (now < facts->not_before) {
    return bad("CERTIFICATE_NOT_YET_VALID",
               absl::StrCat("is good from ", text(facts->not_before), " on, and it is ", text(now),
                            ": is the clock right?"));
  }
  return absl::OkStatus();
}

bool IsIssuedBy(absl::string_view certificate_pem, absl::string_view ca_pem) {
  const X509Ptr certificate = ParseCertificatePem(certificate_pem);
  const X509Ptr ca = ParseCertificatePem(ca_pem);
  const bool issued = certificate && ca &&
                      X509_NAME_cmp(X509_get_issuer_name(certificate.get()),
                                    X509_get_subject_name(ca.get())) == 0 &&
                      X509_verify(certificate.get(), X509_get0_pubkey(ca.get())) == 1;
  ERR_clear_error();
  return issued;
}

bool IsPair(absl::string_view certificate_pem, absl::string_view key_pem) {
  const X509Ptr certificate = ParseCertificatePem(certificate_pem);
  const EvpPkeyPtr key = ParsePrivateKeyPem(key_pem);
  const bool pair = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return pair;
}

absl::StatusOr<absl::Time> CertificateNotAfter(absl::string_view certificate_pem) {
  const X509Ptr certificate = ParseCertificatePem(certificate_pem);
  if (!certificate) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CERTIFICATE",
                     "not the PEM of a certificate");
  }
  return NotAfter(certificate.get());
}

}  // namespace bellwire
