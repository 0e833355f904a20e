#include "crypto/device_certificate.h"

#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "crypto/certificates.h"
#include "crypto/device_key.h"
#include "crypto/p256.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const Validity kYear = {kNow - absl::Hours(24), kNow + absl::Hours(24 * 365)};

class DeviceCertificateTest : public ::testing::Test {
 protected:
  // A certificate of this authority for the test's device, or for the key `key_pem`.
  std::string Issue(const KeyAndCertificate& ca, const Validity& validity = kYear,
                    const std::string& key_pem = "") const {
    const auto leaf = IssueCertificate(
        ca,
        {.common_name = "a phone", .dns_names = {"phone"}, .client = true, .validity = validity},
        key_pem.empty() ? key_pem_ : key_pem);
    EXPECT_TRUE(leaf.ok()) << leaf.status();
    return leaf->certificate_pem;
  }
  std::string Line(const std::string& pem) const {
    const auto line = DeviceCertificateLine(pem);
    EXPECT_TRUE(line.ok()) << line.status();
    return line.value_or("");
  }
  // "OK", or the message; the reason is BAD_ENROLMENT always.
  std::string Check(const std::string& shown, absl::Time now = kNow) const {
    const auto authority = DeviceAuthority::FromPem(ca_.certificate_pem, "ca.pem");
    EXPECT_TRUE(authority.ok()) << authority.status();
    const auto serial = (*authority)->Check(shown, device_, now);
    if (serial.ok()) {
      EXPECT_FALSE(serial->empty());
      return "OK";
    }
    EXPECT_EQ(ErrorReason(serial.status()), "BAD_ENROLMENT") << serial.status();
    EXPECT_TRUE(absl::IsUnauthenticated(serial.status())) << serial.status();
    return std::string(serial.status().message());
  }
  static bool Says(const std::string& message, absl::string_view what) {
    return absl::StrContains(message, what);
  }

  const KeyAndCertificate ca_ = *MakeCertificateAuthority("the device CA", kYear);
  const EvpPkeyPtr key_ = *GenerateP256Key();
  const std::string key_pem_ = PrivateKeyPem(key_.get());
  const DeviceId device_ = *DeviceIdOf(PublicKeyDer(key_.get()));
};

TEST_F(DeviceCertificateTest, OneOfTheAuthorityForThisDeviceIsGood) {
  const std::string line = Line(Issue(ca_));
  EXPECT_TRUE(LooksLikeDeviceCertificate(line));
  EXPECT_LT(line.size(), 1024u);
  EXPECT_EQ(Check(line), "OK");
}

TEST_F(DeviceCertificateTest, AnotherAuthoritysIsRefused) {
  EXPECT_TRUE(Says(Check(Line(Issue(*MakeCertificateAuthority("another CA", kYear)))),
                   "of another authority"));
  // One of the same name that has another key.
  EXPECT_NE(Check(Line(Issue(*MakeCertificateAuthority("the device CA", kYear)))), "OK");
}

TEST_F(DeviceCertificateTest, AnyByteThatIsChangedShows) {
  const std::string line = Line(Issue(ca_));
  std::string der;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(line.substr(4), &der));
  for (size_t i = 0; i < der.size(); ++i) {
    std::string changed = der;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    std::string encoded;
    absl::WebSafeBase64Escape(changed, &encoded);
    const std::string answer = Check(absl::StrCat("bwc_", encoded));
    EXPECT_NE(answer, "OK") << "byte " << i;
    // The last one belongs to the signature.
    if (i + 1 == der.size()) {
      EXPECT_TRUE(Says(answer, "is forged")) << answer;
    }
  }
  std::string longer;
  absl::WebSafeBase64Escape(der + '\0', &longer);
  EXPECT_TRUE(Says(Check(absl::StrCat("bwc_", longer)), "malformed"));
}

TEST_F(DeviceCertificateTest, AnotherDevicesIsRefused) {
  const EvpPkeyPtr other = *GenerateP256Key();
  EXPECT_TRUE(
      Says(Check(Line(Issue(ca_, kYear, PrivateKeyPem(other.get())))), "key of another device"));
}

TEST_F(DeviceCertificateTest, ItIsGoodInItsTimeOnly) {
  const std::string line = Line(Issue(ca_, {kNow, kNow + absl::Hours(1)}));
  EXPECT_EQ(Check(line, kNow), "OK");
  EXPECT_TRUE(Says(Check(line, kNow - absl::Seconds(1)), "not valid yet"));
  EXPECT_TRUE(Says(Check(line, kNow + absl::Hours(1) + absl::Seconds(1)), "has expired"));
  // That of the authority counts too.
  EXPECT_TRUE(Says(Check(Line(Issue(ca_)), kYear.not_after + absl::Hours(1)), "has expired"));
}

TEST_F(DeviceCertificateTest, NonsenseIsMalformed) {
  for (const std::string& shown :
       {std::string("bwc_"), std::string("bwc_AAAA"), std::string("bwc_!"),
        absl::StrCat("bwc_", std::string(kMaxDeviceCertificateChars, 'A'))}) {
    EXPECT_TRUE(Says(Check(shown), "malformed")) << shown.substr(0, 20);
  }
  EXPECT_FALSE(LooksLikeDeviceCertificate("bwe_abcdefghij"));
  EXPECT_FALSE(LooksLikeDeviceCertificate(""));
}

TEST_F(DeviceCertificateTest, TheLineIsOfAP256CertificateInPem) {
  EXPECT_EQ(ErrorReason(DeviceCertificateLine("hello").status()), "BAD_DEVICE_CERTIFICATE");
  EXPECT_EQ(ErrorReason(DeviceCertificateLine("").status()), "BAD_DEVICE_CERTIFICATE");
}

TEST_F(DeviceCertificateTest, AnAuthorityIsOneAndItsFileIsNamed) {
  for (const std::string& pem : {std::string(), std::string("hello"), Issue(ca_)}) {
    const absl::Status status = DeviceAuthority::FromPem(pem, "/etc/device-ca.pem").status();
    EXPECT_EQ(ErrorReason(status), "BAD_DEVICE_CA") << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "/etc/device-ca.pem")) << status;
  }
  // Several: either's is good.
  const KeyAndCertificate second = *MakeCertificateAuthority("the second CA", kYear);
  const auto both =
      DeviceAuthority::FromPem(ca_.certificate_pem + second.certificate_pem, "both.pem");
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_TRUE((*both)->Check(Line(Issue(ca_)), device_, kNow).ok());
  EXPECT_TRUE((*both)->Check(Line(Issue(second)), device_, kNow).ok());
}

}  // namespace
}  // namespace bellwire
