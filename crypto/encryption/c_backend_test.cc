#include "crypto/encryption/c_backend.h"

#include <string>

#include "crypto/encryption/app_keys.h"
#include "crypto/encryption/encrypted_token.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(CBackendTest, TheAppReadsWhatABackendInCEncrypts) {
  const auto keys = AppKeys::Generate();
  ASSERT_TRUE(keys.ok()) << keys.status();
  const std::string encrypted_token = FormatEncryptedToken({"00c0ffee", (*keys)->recipient()});
  c_backend_message message = {};
  ASSERT_EQ(c_backend_make(encrypted_token.c_str(), "You have mail", &message), BELLWIRE_ENCRYPTED);
  EXPECT_STREQ(message.token, "00c0ffee");
  const std::string payload(reinterpret_cast<const char*>(message.payload), message.size);
  ASSERT_TRUE(IsEncryptedPayload(payload));
  EXPECT_EQ((*keys)->Decrypt(payload).value(), "You have mail");

  const std::string longest(BELLWIRE_ENCRYPTED_TEXT_SIZE, 'x');
  EXPECT_EQ(c_backend_make(encrypted_token.c_str(), longest.c_str(), &message), BELLWIRE_ENCRYPTED);
  EXPECT_EQ(message.size, size_t{BELLWIRE_PAYLOAD_SIZE});
  message.size = 7;
  EXPECT_EQ(c_backend_make(encrypted_token.c_str(), (longest + "x").c_str(), &message),
            BELLWIRE_TEXT_TOO_LONG);
  EXPECT_EQ(c_backend_make("00c0ffee", "text", &message), BELLWIRE_BAD_ENCRYPTED_TOKEN);
  EXPECT_EQ(message.size, 7u);
}

}  // namespace
}  // namespace bellwire
