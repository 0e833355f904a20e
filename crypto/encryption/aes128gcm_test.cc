#include "crypto/encryption/aes128gcm.h"

#include "absl/strings/str_cat.h"
#include "common/base64.h"
#include "common/error.h"
#include "crypto/p256.h"
#include "gtest/gtest.h"
#include "openssl/core_names.h"
#include "openssl/param_build.h"

namespace bellwire {
namespace {

// RFC 8291, section 5 and appendix A.
constexpr char kText[] = "When I grow up, I want to be a watermelon";
constexpr char kSenderPrivate[] = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
constexpr char kSenderPublic[] =
    "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
constexpr char kReceiverPrivate[] = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
constexpr char kReceiverPublic[] =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
constexpr char kSalt[] = "DGv6ra1nlYgDCS1FRnbzlw";
constexpr char kAuth[] = "BTBZMqHH6r4Tts7J_aSIgg";
constexpr char kBody[] =
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
    "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
    "lcy4a-fN";

std::string B64(absl::string_view text) { return *DecodeBase64Url(text); }

EvpPkeyPtr KeyPair(absl::string_view scalar, absl::string_view point) {
  const std::string d = B64(scalar);
  const std::string p = B64(point);
  OSSL_PARAM_BLD* const builder = OSSL_PARAM_BLD_new();
  BIGNUM* const number = BN_bin2bn(reinterpret_cast<const unsigned char*>(d.data()),
                                   static_cast<int>(d.size()), nullptr);
  OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number);
  OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, p.data(), p.size());
  OSSL_PARAM* const parameters = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY* key = nullptr;
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EXPECT_EQ(EVP_PKEY_fromdata_init(context.get()), 1);
  EXPECT_EQ(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters), 1);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(builder);
  BN_free(number);
  return EvpPkeyPtr(key);
}

class Aes128gcmTest : public testing::Test {
 protected:
  EvpPkeyPtr NewKey() { return *GenerateP256Key(); }
  std::string ReasonOf(const EvpPkeyPtr& key, absl::string_view body) {
    const auto text = DecryptAes128gcm(key.get(), auth_, body);
    EXPECT_TRUE(absl::IsInvalidArgument(text.status())) << text.status();
    return ErrorReason(text.status());
  }

  const std::string auth_ = std::string(kAuthSecretBytes, 'a');
  const EvpPkeyPtr key_ = NewKey();
  const Recipient recipient_{PointOf(key_.get()), auth_};
};

TEST_F(Aes128gcmTest, TheExampleOfTheRfc) {
  const EvpPkeyPtr sender = KeyPair(kSenderPrivate, kSenderPublic);
  const EvpPkeyPtr receiver = KeyPair(kReceiverPrivate, kReceiverPublic);
  ASSERT_EQ(PointOf(receiver.get()), B64(kReceiverPublic));
  const auto body =
      EncryptAes128gcmWith({B64(kReceiverPublic), B64(kAuth)}, kText, sender.get(), B64(kSalt));
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(*body, B64(kBody));
  const auto text = DecryptAes128gcm(receiver.get(), B64(kAuth), B64(kBody));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, kText);
}

TEST_F(Aes128gcmTest, AnyTextComesBack) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, kMaxRecordTextBytes}) {
    // Zeros at the end are text, not padding.
    const std::string text(size, '\0');
    const auto body = EncryptAes128gcm(recipient_, text);
    ASSERT_TRUE(body.ok()) << body.status();
    EXPECT_EQ(body->size(), size + kEncryptionOverheadBytes);
    const auto back = DecryptAes128gcm(key_.get(), auth_, *body);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, text);
  }
  const auto too_long = EncryptAes128gcm(recipient_, std::string(kMaxRecordTextBytes + 1, 'x'));
  EXPECT_EQ(ErrorReason(too_long.status()), "PAYLOAD_TOO_LARGE");
}

TEST_F(Aes128gcmTest, EachBodyHasAKeyAndASaltOfItsOwn) {
  const std::string a = *EncryptAes128gcm(recipient_, "same");
  const std::string b = *EncryptAes128gcm(recipient_, "same");
  EXPECT_NE(a.substr(0, kSaltBytes), b.substr(0, kSaltBytes));
  EXPECT_NE(a.substr(kSaltBytes + 5, kP256PointBytes), b.substr(kSaltBytes + 5, kP256PointBytes));
}

TEST_F(Aes128gcmTest, ASenderWithoutTheSecretIsNotBelieved) {
  Recipient guess = recipient_;
  guess.auth_secret[0] ^= 1;
  EXPECT_EQ(ReasonOf(key_, *EncryptAes128gcm(guess, "forged")), "BAD_ENCRYPTION");
  EXPECT_EQ(ReasonOf(NewKey(), *EncryptAes128gcm(recipient_, "for another")), "BAD_ENCRYPTION");
}

TEST_F(Aes128gcmTest, NoChangedByteGoesUnnoticed) {
  const std::string body = *EncryptAes128gcm(recipient_, "text");
  for (size_t i = 0; i < body.size(); ++i) {
    // The record size says nothing that matters while it is large enough.
    if (i >= kSaltBytes && i < kSaltBytes + 4) continue;
    std::string changed = body;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(ReasonOf(key_, changed), "BAD_ENCRYPTION") << i;
  }
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(ReasonOf(key_, body.substr(0, size)), "BAD_ENCRYPTION") << size;
  }
  EXPECT_EQ(ReasonOf(key_, absl::StrCat(body, "x")), "BAD_ENCRYPTION");
  // A record that is shorter than what there is: there would be two.
  std::string two = body;
  two[kSaltBytes + 2] = 0;
  two[kSaltBytes + 3] = 19;
  EXPECT_EQ(ReasonOf(key_, two), "BAD_ENCRYPTION");
}

TEST_F(Aes128gcmTest, MalformedRecipients) {
  const std::string point = recipient_.public_key;
  std::string off_the_curve = point;
  off_the_curve.back() = static_cast<char>(off_the_curve.back() ^ 1);
  std::string hybrid = point;
  hybrid[0] = 6;
  const Recipient malformed[] = {
      {"", auth_},     {point.substr(1), auth_}, {off_the_curve, auth_},
      {hybrid, auth_}, {point, auth_.substr(1)}, {point, auth_ + "a"},
  };
  for (const Recipient& recipient : malformed) {
    const auto body = EncryptAes128gcm(recipient, "text");
    EXPECT_EQ(ErrorReason(body.status()), "BAD_RECIPIENT") << body.status();
  }
}

}  // namespace
}  // namespace bellwire
