#include "crypto/device_key.h"

#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/escaping.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

// Private key 0x1234567890abcdef1234567890abcdef.
constexpr char kGoldenPublicKey[] =
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004f9ebe464147cc102d92324d099"
    "d927c1a50e42d57a08a116ffec0a29819d8c6570baf7d12888902a6a0c1d67add103123c859ab69b"
    "f8e9431c9384930d4b7eee";

const std::string kExporter(kTlsExporterBytes, 'e');

std::unique_ptr<DeviceKey> NewKey() {
  auto key = DeviceKey::Generate();
  EXPECT_TRUE(key.ok()) << key.status();
  return *std::move(key);
}

TEST(DeviceKeyTest, APublicKeyHasOneSizeAndNamesTheDevice) {
  const auto key = NewKey();
  EXPECT_EQ(key->public_key_der().size(), kDevicePublicKeyBytes);
  EXPECT_EQ(DeviceIdOf(key->public_key_der()).value(), key->device_id());
  EXPECT_NE(NewKey()->device_id(), key->device_id());
}

TEST(DeviceKeyTest, TheIdIsTheHeadOfTheHash) {
  // From: openssl ec -pubout -outform DER | sha256sum
  const std::string der = absl::HexStringToBytes(kGoldenPublicKey);
  EXPECT_EQ(ToHex(DeviceIdOf(der).value()), "d3949091b17809e3c090eb70c3592b2c");
}

TEST(DeviceKeyTest, ADerivedSecretIsOfItsKeyAndPurpose) {
  const auto key = NewKey();
  const std::string secret = key->DeriveSecret("a").value();
  EXPECT_EQ(secret.size(), 32u);
  EXPECT_EQ(key->DeriveSecret("a").value(), secret);
  EXPECT_NE(key->DeriveSecret("b").value(), secret);
  EXPECT_NE(NewKey()->DeriveSecret("a").value(), secret);
}

// The key outlives its process in a file, and so does what is derived from it. Private key as
// above; from: printf names | openssl dgst -sha256 -mac HMAC -macopt
// hexkey:0…01234567890abcdef1234567890abcdef
TEST(DeviceKeyTest, ADerivedSecretStaysTheSame) {
  const std::string path = testing::TempDir() + "/derive.key";
  std::filesystem::remove(path);
  constexpr char kPem[] =
      "-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"
      "AAAAABI0VniQq83vEjRWeJCrze+hRANCAAT56+RkFHzBAtkjJNCZ2SfBpQ5C1XoI\n"
      "oRb/7AopgZ2MZXC699EoiJAqagwdZ63RAxI8hZq2m/jpQxyThJMNS37u\n"
      "-----END PRIVATE KEY-----\n";
  ASSERT_TRUE(CreateFileAtomically(path, kPem, FileAccess::kPrivate).ok());
  const auto key = DeviceKey::LoadOrCreate(path);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(absl::BytesToHexString((*key)->public_key_der()), kGoldenPublicKey);
  EXPECT_EQ(absl::BytesToHexString((*key)->DeriveSecret("names").value()),
            "8120c9082969a73ba1020b69b2287ff04dd60ac2efe0f605fff7bec51e5b59e0");
}

TEST(DeviceKeyTest, ALoginVerifies) {
  const auto key = NewKey();
  const std::string signature = key->SignLogin(kExporter, 42).value();
  EXPECT_TRUE(VerifyLogin(key->public_key_der(), kExporter, 42, signature).ok());
}

TEST(DeviceKeyTest, ALoginIsBoundToConnectionNumberAndKey) {
  const auto key = NewKey();
  const std::string signature = key->SignLogin(kExporter, 42).value();
  std::string other_exporter = kExporter;
  other_exporter.back() ^= 1;

  const auto reason = [&](absl::string_view der, absl::string_view exporter, uint64_t number) {
    const absl::Status status = VerifyLogin(der, exporter, number, signature);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    return ErrorReason(status);
  };
  EXPECT_EQ(reason(key->public_key_der(), other_exporter, 42), "BAD_SIGNATURE");
  EXPECT_EQ(reason(key->public_key_der(), kExporter, 43), "BAD_SIGNATURE");
  EXPECT_EQ(reason(key->public_key_der(), kExporter, uint64_t{42} << 56), "BAD_SIGNATURE");
  EXPECT_EQ(reason(NewKey()->public_key_der(), kExporter, 42), "BAD_SIGNATURE");
}

// Made with an independent implementation (Python cryptography) over the bytes that device.proto
// names: agents out there must be understood by every later version.
TEST(DeviceKeyTest, WhatIsSignedStaysAsItIs) {
  EXPECT_TRUE(
      VerifyLogin(
          absl::HexStringToBytes(kGoldenPublicKey), kExporter, 0x0102030405060708,
          absl::HexStringToBytes(
              "3045022100c10555a1ae297c2157488d1997b2e59df52f7888027196d8c4154652b8a7f58102206d"
              "3f1fbfec7f3cf5087706f326f7d0c8620df16833da675b8a9de06086451ede"))
          .ok());
}

TEST(DeviceKeyTest, EveryFlippedBitOfASignatureIsRefused) {
  const auto key = NewKey();
  const std::string signature = key->SignLogin(kExporter, 1).value();
  for (size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    std::string forged = signature;
    forged[bit / 8] = static_cast<char>(forged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(VerifyLogin(key->public_key_der(), kExporter, 1, forged).ok()) << "bit " << bit;
  }
  EXPECT_FALSE(VerifyLogin(key->public_key_der(), kExporter, 1, "").ok());
  EXPECT_FALSE(VerifyLogin(key->public_key_der(), kExporter, 1, signature + "x").ok());
  EXPECT_FALSE(VerifyLogin(key->public_key_der(), kExporter, 1, std::string(1 << 16, 'x')).ok());
}

// A key with two encodings would be two devices.
TEST(DeviceKeyTest, EveryOtherEncodingOfAPublicKeyIsRefused) {
  const auto key = NewKey();
  const std::string signature = key->SignLogin(kExporter, 1).value();
  const auto reason = [&](absl::string_view der) {
    const absl::Status status = VerifyLogin(der, kExporter, 1, signature);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return ErrorReason(status);
  };
  const std::string& der = key->public_key_der();
  EXPECT_EQ(reason(""), "BAD_PUBLIC_KEY");
  EXPECT_EQ(reason(der.substr(0, der.size() - 1)), "BAD_PUBLIC_KEY");
  EXPECT_EQ(reason(der + std::string(1, '\0')), "BAD_PUBLIC_KEY");
  for (size_t bit = 0; bit < 8 * 27; ++bit) {  // All but the coordinates.
    std::string odd = der;
    odd[bit / 8] = static_cast<char>(odd[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(reason(odd), "BAD_PUBLIC_KEY") << "bit " << bit;
  }
  std::string off_curve = der;
  off_curve.back() ^= 1;
  EXPECT_EQ(reason(off_curve), "BAD_PUBLIC_KEY");
  // x = p + …: the same point, were it not for the range check.
  EXPECT_EQ(reason(der.substr(0, 27) + std::string(64, '\xff')), "BAD_PUBLIC_KEY");

  const EvpPkeyPtr p384(EVP_EC_gen("P-384"));
  EXPECT_EQ(reason(PublicKeyDer(p384.get())), "BAD_PUBLIC_KEY");
  EXPECT_EQ(ErrorReason(DeviceIdOf(PublicKeyDer(p384.get())).status()), "BAD_PUBLIC_KEY");
}

TEST(DeviceKeyTest, ATruncatedExporterIsAnError) {
  const auto key = NewKey();
  EXPECT_EQ(key->SignLogin("", 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(VerifyLogin(key->public_key_der(), kExporter.substr(1), 1, "x").code(),
            absl::StatusCode::kInvalidArgument);
}

class DeviceKeyFileTest : public ::testing::Test {
 protected:
  DeviceKeyFileTest() : path_(::testing::TempDir() + "/device.key") {
    std::filesystem::remove(path_);
  }
  const std::string path_;
};

TEST_F(DeviceKeyFileTest, TheFirstStartMakesTheKeyAndLaterOnesFindIt) {
  const auto made = DeviceKey::LoadOrCreate(path_);
  ASSERT_TRUE(made.ok()) << made.status();
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);

  const auto found = DeviceKey::LoadOrCreate(path_);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->device_id(), (*made)->device_id());
  const std::string signature = (*found)->SignLogin(kExporter, 5).value();
  EXPECT_TRUE(VerifyLogin((*made)->public_key_der(), kExporter, 5, signature).ok());
}

TEST_F(DeviceKeyFileTest, ABrokenOrOpenFileIsRefusedAndKept) {
  const EvpPkeyPtr p384(EVP_EC_gen("P-384"));
  for (const std::string& text :
       {std::string(), std::string("no key"), PublicKeyPem(GenerateP256Key().value().get()),
        PrivateKeyPem(p384.get())}) {
    ASSERT_TRUE(ReplaceFileAtomically(path_, text, FileAccess::kPrivate).ok());
    const auto key = DeviceKey::LoadOrCreate(path_);
    EXPECT_EQ(key.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ErrorReason(key.status()), "BAD_DEVICE_KEY");
    EXPECT_EQ(ReadPrivateFile(path_).value(), text);
  }
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  EXPECT_EQ(ErrorReason(DeviceKey::LoadOrCreate(path_).status()), "FILE_NOT_PRIVATE");
}

}  // namespace
}  // namespace bellwire
