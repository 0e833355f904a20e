#include "crypto/xaes_gcm.h"

#include <array>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

std::array<uint8_t, XaesGcm::kKeyBytes> KeyOf(uint8_t byte) {
  std::array<uint8_t, XaesGcm::kKeyBytes> key;
  key.fill(byte);
  return key;
}

constexpr char kNonce[] = "ABCDEFGHIJKLMNOPQRSTUVWX";

std::string Seal(XaesGcm& cipher, absl::string_view nonce, std::vector<absl::string_view> data,
                 absl::string_view plain) {
  std::string sealed;
  cipher.Seal(nonce, data, plain, &sealed);
  return sealed;
}

// The test vectors of the specification: one for each value of L's first bit.
TEST(XaesGcm, IsWhatTheSpecificationSays) {
  XaesGcm ones(KeyOf(1));
  EXPECT_EQ(absl::BytesToHexString(Seal(ones, kNonce, {}, "XAES-256-GCM")),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  XaesGcm threes(KeyOf(3));
  EXPECT_EQ(absl::BytesToHexString(
                Seal(threes, kNonce, {"c2sp.org/XAES", "-256-GCM"}, "XAES-256-GCM")),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

TEST(XaesGcm, OpensWhatItSealedAndNothingElse) {
  XaesGcm cipher(KeyOf(7));
  std::string plain;
  for (const size_t size : {0, 1, 15, 16, 17, 4096}) {
    const std::string text(size, 'x');
    const std::string sealed = Seal(cipher, kNonce, {"about"}, text);
    EXPECT_EQ(sealed.size(), size + XaesGcm::kTagBytes);
    ASSERT_TRUE(cipher.Open(kNonce, {"about"}, sealed, &plain));
    EXPECT_EQ(plain, text);
    for (const size_t at : {size_t{0}, sealed.size() - 1}) {
      std::string changed = sealed;
      changed[at] ^= 1;
      EXPECT_FALSE(cipher.Open(kNonce, {"about"}, changed, &plain));
      EXPECT_EQ(plain, "");
    }
    EXPECT_FALSE(cipher.Open(kNonce, {"another"}, sealed, &plain));
    EXPECT_FALSE(cipher.Open("abcDEFGHIJKLMNOPQRSTUVWX", {"about"}, sealed, &plain));
    EXPECT_FALSE(cipher.Open("ABCDEFGHIJKLMNOPQRSTUVW?", {"about"}, sealed, &plain));
    EXPECT_FALSE(XaesGcm(KeyOf(8)).Open(kNonce, {"about"}, sealed, &plain));
  }
  EXPECT_FALSE(cipher.Open(kNonce, {}, "too short", &plain));
}

TEST(XaesGcm, ForgetsDerivedKeysAndDerivesThemAgain) {
  XaesGcm cipher(KeyOf(7));
  std::string plain;
  std::vector<std::string> sealed;
  const auto nonce = [](size_t i) {
    return absl::StrCat(absl::Dec(i, absl::kZeroPad12), "at the end..");
  };
  for (size_t i = 0; i < 2 * XaesGcm::kMaxDerivedKeys + 1; ++i) {
    sealed.push_back(Seal(cipher, nonce(i), {}, "text"));
  }
  for (size_t i = 0; i < sealed.size(); ++i) {
    ASSERT_TRUE(cipher.Open(nonce(i), {}, sealed[i], &plain)) << i;
    EXPECT_EQ(plain, "text");
    ASSERT_FALSE(cipher.Open(nonce(i + 1), {}, sealed[i], &plain)) << i;
  }
}

}  // namespace
}  // namespace bellwire
