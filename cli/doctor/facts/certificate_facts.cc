#include "cli/doctor/facts/certificate_facts.h"

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <time.h>

#include <string>

#include "absl/strings/escaping.h"
#include "crypto/certificates.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"

namespace bellwire::cli {
namespace {

absl::Time TimeOf(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace

CertificateFacts FactsOf(X509* certificate) {
  CertificateFacts facts;
  facts.not_before = TimeOf(X509_get0_notBefore(certificate));
  facts.not_after = TimeOf(X509_get0_notAfter(certificate));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return facts;
  facts.fingerprint =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
  // Names and pin: the one reader of these is that of crypto/.
  const auto more = ReadCertificateFacts(CertificatePem(certificate));
  if (!more.ok()) return facts;
  facts.names = more->dns_names;
  facts.names.insert(facts.names.end(), more->ip_addresses.begin(), more->ip_addresses.end());
  facts.pin = more->pin;
  facts.parsed = true;
  return facts;
}

CertificateFacts FactsOfPem(absl::string_view pem) {
  const X509Ptr certificate = ParseCertificatePem(pem);
  return certificate == nullptr ? CertificateFacts() : FactsOf(certificate.get());
}

}  // namespace bellwire::cli
