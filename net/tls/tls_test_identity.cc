#include "net/tls/tls_test_identity.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "crypto/certificates.h"

namespace bellwire::net {
namespace {

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::abort();
  }
  return *std::move(value);
}

}  // namespace

TlsTestIdentity TlsTestIdentity::Make(const std::vector<std::string>& dns_names,
                                      const std::vector<std::string>& ip_addresses) {
  const absl::Time now = RealClock()->WallNow();
  const Validity validity{now - absl::Hours(24), now + absl::Hours(24)};
  const KeyAndCertificate ca = OrDie(MakeCertificateAuthority("test CA", validity));
  LeafRequest request;
  request.common_name = "test server";
  request.dns_names = dns_names;
  request.ip_addresses = ip_addresses;
  request.server = true;
  request.validity = validity;
  const KeyAndCertificate leaf = OrDie(IssueCertificate(ca, request));
  return {ca.certificate_pem, leaf.certificate_pem, leaf.key_pem};
}

std::shared_ptr<TlsServerContext> TlsTestIdentity::ServerContext(const Clock* clock) const {
  return OrDie(TlsServerContext::Create({certificate_pem, private_key_pem, clock}));
}

std::shared_ptr<TlsClientContext> TlsTestIdentity::ClientContext() const {
  return OrDie(TlsClientContext::Create({.ca_pem = ca_pem}));
}

std::string TlsTestIdentity::Pin() const {
  BIO* const bio =
      BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size()));
  X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  std::string pin(SHA256_DIGEST_LENGTH, '\0');
  SHA256(der, static_cast<size_t>(size), reinterpret_cast<unsigned char*>(pin.data()));
  OPENSSL_free(der);
  X509_free(certificate);
  BIO_free(bio);
  return pin;
}

}  // namespace bellwire::net
