#include "crypto/provider_key.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/error.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "openssl/bn.h"
#include "openssl/rsa.h"

namespace bellwire {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ProviderKeyTest, APairBelongsTogether) {
  const ProviderKeyPair pair = GenerateProviderKeyPair().value();
  EXPECT_THAT(pair.private_key_pem, StartsWith("-----BEGIN PRIVATE KEY-----\n"));
  EXPECT_THAT(pair.public_key_pem, StartsWith("-----BEGIN PUBLIC KEY-----\n"));
  EXPECT_EQ(PublicKeyPem(ParsePrivateKeyPem(pair.private_key_pem).get()), pair.public_key_pem);
  EXPECT_NE(GenerateProviderKeyPair().value().public_key_pem, pair.public_key_pem);
}

TEST(ProviderKeyTest, APublicKeyIsStoredInOneForm) {
  const std::string pem = GenerateProviderKeyPair().value().public_key_pem;
  EXPECT_EQ(CheckProviderPublicKey(pem).value(), pem);
  EXPECT_EQ(CheckProviderPublicKey(absl::StrReplaceAll(pem, {{"\n", "\r\n"}})).value(), pem);
  EXPECT_EQ(CheckProviderPublicKey(absl::StrCat("\n ", pem, "\n\n")).value(), pem);
}

std::string WhyNot(absl::string_view pem) {
  const absl::Status status = CheckProviderPublicKey(pem).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(status), "BAD_PUBLIC_KEY");
  EXPECT_EQ(ErrorField(status), "public_key_pem");
  return std::string(status.message());
}

TEST(ProviderKeyTest, WhatIsNoP256PublicKeyIsRefused) {
  const ProviderKeyPair pair = GenerateProviderKeyPair().value();
  EXPECT_THAT(WhyNot(""), HasSubstr("isn't one PEM block"));
  EXPECT_THAT(WhyNot("hello"), HasSubstr("isn't one PEM block"));
  EXPECT_THAT(WhyNot(pair.private_key_pem), HasSubstr("private key"));
  EXPECT_THAT(WhyNot(pair.public_key_pem + pair.private_key_pem), HasSubstr("private key"));
  EXPECT_THAT(WhyNot(pair.public_key_pem + pair.public_key_pem), HasSubstr("isn't one PEM block"));
  EXPECT_THAT(WhyNot("note\n" + pair.public_key_pem), HasSubstr("isn't one PEM block"));
  EXPECT_THAT(WhyNot(absl::StrReplaceAll(pair.public_key_pem, {{"MFkw", "MFkx"}})),
              HasSubstr("malformed"));
  for (const char* curve : {"P-384", "P-521", "secp256k1"}) {
    const EvpPkeyPtr other(EVP_EC_gen(curve));
    EXPECT_THAT(WhyNot(PublicKeyPem(other.get())), HasSubstr("isn't a P-256 key")) << curve;
  }
  const EvpPkeyPtr ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_THAT(WhyNot(PublicKeyPem(ed25519.get())), HasSubstr("isn't a P-256 key"));
}

// OpenSSL by itself would ask on the terminal.
TEST(ProviderKeyTest, AnEncryptedBlockIsRefusedWithoutAsking) {
  EXPECT_THAT(WhyNot("-----BEGIN PUBLIC KEY-----\n"
                     "Proc-Type: 4,ENCRYPTED\n"
                     "DEK-Info: AES-256-CBC,000102030405060708090A0B0C0D0E0F\n\n"
                     "AAAAAAAAAAAAAAAAAAAAAA==\n"
                     "-----END PUBLIC KEY-----\n"),
              HasSubstr("malformed"));
}

TEST(ProviderKeyTest, AServiceAccountsPairIsRsa) {
  const ProviderKeyPair pair = GenerateServiceAccountKeyPair().value();
  EXPECT_EQ(PublicKeyPem(ParsePrivateKeyPem(pair.private_key_pem).get()), pair.public_key_pem);
  EXPECT_EQ(CheckServiceAccountPublicKey(pair.public_key_pem).value(), pair.public_key_pem);
  EXPECT_THAT(WhyNot(pair.public_key_pem), HasSubstr("isn't a P-256 key"));
}

TEST(ProviderKeyTest, WeakAndCostlyKeysOfServiceAccountsAreRefused) {
  const auto rsa = [](int bits, unsigned long exponent) {  // NOLINT(runtime/int): OpenSSL's type.
    const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    BIGNUM* e = BN_new();
    BN_set_word(e, exponent);
    EVP_PKEY* key = nullptr;
    EXPECT_EQ(EVP_PKEY_keygen_init(context.get()), 1);
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), bits), 1);
    EXPECT_EQ(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), e), 1);
    EXPECT_EQ(EVP_PKEY_generate(context.get(), &key), 1);
    BN_free(e);
    return PublicKeyPem(EvpPkeyPtr(key).get());
  };
  EXPECT_TRUE(CheckServiceAccountPublicKey(rsa(2048, 65537)).ok());
  for (const std::string& pem : {rsa(1024, 65537), rsa(2048, 3), std::string("not a key"),
                                 GenerateProviderKeyPair().value().public_key_pem,
                                 GenerateServiceAccountKeyPair().value().private_key_pem}) {
    const absl::Status status = CheckServiceAccountPublicKey(pem).status();
    EXPECT_EQ(ErrorReason(status), "BAD_PUBLIC_KEY") << pem;
    EXPECT_EQ(ErrorField(status), "public_key_pem");
  }
}

}  // namespace
}  // namespace bellwire
