#include "crypto/certificates.h"

#include "common/error.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "openssl/bn.h"
#include "openssl/x509_vfy.h"

namespace bellwire {
namespace {

using ::testing::HasSubstr;
using X509StoreCtxPtr = OpenSslPtr<X509_STORE_CTX, X509_STORE_CTX_free>;
using X509StorePtr = OpenSslPtr<X509_STORE, X509_STORE_free>;

const absl::Time kStart = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01
const Validity kYear{kStart, kStart + absl::Hours(365 * 24)};
const Validity kDecade{kStart, kStart + absl::Hours(10 * 365 * 24)};

KeyAndCertificate NewCa() { return MakeCertificateAuthority("Test CA", kDecade).value(); }

LeafRequest ServerRequest() {
  return {.common_name = "a server",
          .dns_names = {"localhost", "*.push.example.com"},
          .ip_addresses = {"127.0.0.1", "::1"},
          .server = true,
          .validity = kYear};
}

// What a TLS peer would check; X509_V_OK or why not.
int Verify(const std::string& ca_pem, const std::string& leaf_pem, int purpose, absl::Time at) {
  const X509Ptr ca = ParseCertificatePem(ca_pem);
  const X509Ptr leaf = ParseCertificatePem(leaf_pem);
  const X509StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), ca.get());
  const X509StoreCtxPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr);
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  X509_STORE_CTX_set_time(context.get(), 0, absl::ToTimeT(at));
  X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_X509_STRICT);
  X509_verify_cert(context.get());
  return X509_STORE_CTX_get_error(context.get());
}

TEST(CertificatesTest, ALeafIsRenewedForItsKey) {
  const KeyAndCertificate ca = NewCa();
  const KeyAndCertificate leaf = IssueCertificate(ca, ServerRequest()).value();
  LeafRequest later = ServerRequest();
  later.dns_names.push_back("new.example.com");
  later.validity = {kStart + absl::Hours(24), kStart + absl::Hours(48)};
  const KeyAndCertificate renewed = IssueCertificate(ca, later, leaf.key_pem).value();
  EXPECT_EQ(renewed.key_pem, leaf.key_pem);
  EXPECT_TRUE(IsPair(renewed.certificate_pem, leaf.key_pem));
  EXPECT_TRUE(IsIssuedBy(renewed.certificate_pem, ca.certificate_pem));
  const CertificateFacts before = ReadCertificateFacts(leaf.certificate_pem).value();
  const CertificateFacts after = ReadCertificateFacts(renewed.certificate_pem).value();
  EXPECT_EQ(after.pin, before.pin);
  EXPECT_EQ(before.dns_names, ServerRequest().dns_names);
  EXPECT_EQ(before.ip_addresses, ServerRequest().ip_addresses);
  EXPECT_EQ(after.dns_names, later.dns_names);
  EXPECT_EQ(after.not_after, later.validity.not_after);
  EXPECT_EQ(ErrorReason(IssueCertificate(ca, later, "no key").status()), "BAD_PRIVATE_KEY");
}

TEST(CertificatesTest, ACaIsMadeAgainFromItsKey) {
  const KeyAndCertificate ca = NewCa();
  const KeyAndCertificate leaf = IssueCertificate(ca, ServerRequest()).value();
  const KeyAndCertificate again = MakeCertificateAuthority("Test CA", kDecade, ca.key_pem).value();
  EXPECT_NE(again.certificate_pem, ca.certificate_pem);
  // Whoever trusts either takes what the other one issued.
  const KeyAndCertificate later = IssueCertificate(again, ServerRequest()).value();
  for (const std::string& trusted : {ca.certificate_pem, again.certificate_pem}) {
    for (const std::string& shown : {leaf.certificate_pem, later.certificate_pem}) {
      EXPECT_EQ(Verify(trusted, shown, X509_PURPOSE_SSL_SERVER, kStart + absl::Hours(1)),
                X509_V_OK);
    }
  }
}

TEST(CertificatesTest, StrangersAreNoIssuersAndNoPairs) {
  const KeyAndCertificate ca = NewCa();
  const KeyAndCertificate leaf = IssueCertificate(ca, ServerRequest()).value();
  EXPECT_FALSE(IsIssuedBy(leaf.certificate_pem, NewCa().certificate_pem));
  EXPECT_FALSE(IsIssuedBy("no certificate", ca.certificate_pem));
  EXPECT_FALSE(IsPair(leaf.certificate_pem, ca.key_pem));
  EXPECT_FALSE(IsPair(leaf.certificate_pem, ""));
  EXPECT_EQ(ErrorReason(ReadCertificateFacts("no certificate").status()), "BAD_CERTIFICATE");
}

TEST(CertificatesTest, ALeafVerifiesAgainstItsCa) {
  const KeyAndCertificate ca = NewCa();
  const KeyAndCertificate leaf = IssueCertificate(ca, ServerRequest()).value();
  const auto verify = [&](int purpose, absl::Time at) {
    return Verify(ca.certificate_pem, leaf.certificate_pem, purpose, at);
  };
  EXPECT_EQ(verify(X509_PURPOSE_SSL_SERVER, kStart + absl::Hours(1)), X509_V_OK);
  EXPECT_EQ(verify(X509_PURPOSE_SSL_CLIENT, kStart + absl::Hours(1)), X509_V_ERR_INVALID_PURPOSE);
  EXPECT_EQ(verify(X509_PURPOSE_SSL_SERVER, kStart - absl::Hours(1)),
            X509_V_ERR_CERT_NOT_YET_VALID);
  EXPECT_EQ(verify(X509_PURPOSE_SSL_SERVER, kYear.not_after + absl::Hours(1)),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_NE(Verify(NewCa().certificate_pem, leaf.certificate_pem, X509_PURPOSE_SSL_SERVER,
                   kStart + absl::Hours(1)),
            X509_V_OK);
}

TEST(CertificatesTest, ALeafIsForTheNamesAskedFor) {
  const KeyAndCertificate leaf = IssueCertificate(NewCa(), ServerRequest()).value();
  const X509Ptr x509 = ParseCertificatePem(leaf.certificate_pem);
  const auto host = [&](const char* name) {
    return X509_check_host(x509.get(), name, 0, 0, nullptr) == 1;
  };
  const auto ip = [&](const char* address) {
    return X509_check_ip_asc(x509.get(), address, 0) == 1;
  };
  EXPECT_TRUE(host("localhost"));
  EXPECT_TRUE(host("eu.push.example.com"));
  EXPECT_FALSE(host("push.example.com"));
  EXPECT_FALSE(host("a server"));
  EXPECT_TRUE(ip("127.0.0.1"));
  EXPECT_TRUE(ip("::1"));
  EXPECT_FALSE(ip("127.0.0.2"));
}

TEST(CertificatesTest, AKeyMayServeBothEnds) {
  const KeyAndCertificate ca = NewCa();
  LeafRequest request = ServerRequest();
  request.client = true;
  const KeyAndCertificate leaf = IssueCertificate(ca, request).value();
  for (const int purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
    EXPECT_EQ(Verify(ca.certificate_pem, leaf.certificate_pem, purpose, kStart), X509_V_OK);
  }
}

TEST(CertificatesTest, KeysMatchAndAreP256) {
  const KeyAndCertificate ca = NewCa();
  const KeyAndCertificate leaf = IssueCertificate(ca, ServerRequest()).value();
  for (const KeyAndCertificate& each : {ca, leaf}) {
    const EvpPkeyPtr key = ParsePrivateKeyPem(each.key_pem);
    ASSERT_TRUE(key);
    EXPECT_TRUE(IsP256(key.get()));
    EXPECT_EQ(X509_check_private_key(ParseCertificatePem(each.certificate_pem).get(), key.get()),
              1);
  }
}

TEST(CertificatesTest, ALeafIsNoCa) {
  const KeyAndCertificate leaf = IssueCertificate(NewCa(), ServerRequest()).value();
  EXPECT_EQ(ErrorReason(IssueCertificate(leaf, ServerRequest()).status()), "BAD_CA");
}

TEST(CertificatesTest, SerialNumbersAreLargeAndNeverRepeat) {
  const KeyAndCertificate ca = NewCa();
  const auto serial = [&] {
    const auto leaf = IssueCertificate(ca, ServerRequest()).value();
    const X509Ptr x509 = ParseCertificatePem(leaf.certificate_pem);
    const OpenSslPtr<BIGNUM, BN_free> number(
        ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509.get()), nullptr));
    EXPECT_FALSE(BN_is_negative(number.get()));
    EXPECT_GT(BN_num_bits(number.get()), 64);
    std::string bytes(static_cast<size_t>(BN_num_bytes(number.get())), '\0');
    BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
    return bytes;
  };
  EXPECT_NE(serial(), serial());
}

TEST(CertificatesTest, TheEndIsReadable) {
  EXPECT_EQ(CertificateNotAfter(NewCa().certificate_pem).value(), kDecade.not_after);
  // Beyond 2050 the encoding changes.
  const Validity far{kStart, kStart + absl::Hours(50 * 365 * 24)};
  EXPECT_EQ(
      CertificateNotAfter(MakeCertificateAuthority("CA", far).value().certificate_pem).value(),
      far.not_after);
  EXPECT_EQ(ErrorReason(CertificateNotAfter("nonsense").status()), "BAD_CERTIFICATE");
}

TEST(CertificatesTest, BadRequestsSayWhatIsWrong) {
  const KeyAndCertificate ca = NewCa();
  const auto why = [&](auto change) {
    LeafRequest request = ServerRequest();
    change(request);
    const absl::Status status = IssueCertificate(ca, request).status();
    EXPECT_EQ(ErrorReason(status), "BAD_CERTIFICATE_REQUEST");
    return std::string(status.message());
  };
  EXPECT_THAT(why([](LeafRequest& r) { r.common_name = ""; }), HasSubstr("1 to 64"));
  EXPECT_THAT(why([](LeafRequest& r) { r.common_name = std::string(65, 'x'); }),
              HasSubstr("1 to 64"));
  EXPECT_THAT(why([](LeafRequest& r) { r.server = false; }), HasSubstr("server, a client or both"));
  EXPECT_THAT(why([](LeafRequest& r) { r.dns_names = {}, r.ip_addresses = {}; }),
              HasSubstr("host name or an address"));
  EXPECT_THAT(why([](LeafRequest& r) { r.validity.not_after = r.validity.not_before; }),
              HasSubstr("end after"));
  EXPECT_THAT(
      why([](LeafRequest& r) { r.validity.not_after = kDecade.not_after + absl::Hours(1); }),
      HasSubstr("outlive"));
  for (const std::string& name :
       {std::string(), std::string("a..b"), std::string("a b"), std::string("a,DNS:b"),
        std::string("x.*"), std::string("a\0b", 3), std::string(64, 'x'), std::string("a.")}) {
    EXPECT_THAT(why([&](LeafRequest& r) { r.dns_names = {name}; }), HasSubstr("host name")) << name;
  }
  for (const char* address : {"", "localhost", "1.2.3", "1.2.3.4:5", "256.0.0.1"}) {
    EXPECT_THAT(why([&](LeafRequest& r) { r.ip_addresses = {address}; }), HasSubstr("IP address"))
        << address;
  }
}

TEST(CertificatesTest, AMismatchedCaIsRefused) {
  KeyAndCertificate mixed = NewCa();
  mixed.key_pem = NewCa().key_pem;
  EXPECT_EQ(ErrorReason(IssueCertificate(mixed, ServerRequest()).status()), "BAD_CA");
  EXPECT_EQ(ErrorReason(IssueCertificate({}, ServerRequest()).status()), "BAD_CA");
}

}  // namespace
}  // namespace bellwire
