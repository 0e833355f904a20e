#include "cli/provider_credentials.h"

#include <jwt.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "crypto/provider_key.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

std::string NewPath() {
  std::string directory = testing::TempDir() + "/credentials_XXXXXX";
  return std::string(mkdtemp(directory.data())) + "/cred.json";
}

TEST(ProviderCredentialsTest, AFileComesBackAsItWasWritten) {
  const std::string path = NewPath();
  ASSERT_TRUE(WriteProviderCredentials(path, {"team234567", "key2345672", "PEM\n"}).ok());
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  const auto read = ReadProviderCredentials(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->team_id, "team234567");
  EXPECT_EQ(read->key_id, "key2345672");
  EXPECT_EQ(read->private_key_pem, "PEM\n");

  EXPECT_EQ(WriteProviderCredentials(path, {}).code(), absl::StatusCode::kAlreadyExists);
}

TEST(ProviderCredentialsTest, OtherFilesAreRefusedByName) {
  for (const char* text : {"", "not json", "[]", "{\"team_id\":\"a\",\"key_id\":3}"}) {
    const std::string path = NewPath();
    std::ofstream(path) << text;
    ASSERT_EQ(chmod(path.c_str(), 0600), 0);
    const auto read = ReadProviderCredentials(path);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(read.status().message()).find(path), std::string::npos);
  }
}

TEST(ProviderCredentialsTest, AJwtVerifiesAndNamesTeamKeyAndTime) {
  const auto pair = GenerateProviderKeyPair();
  ASSERT_TRUE(pair.ok());
  const auto token = SignProviderJwt({"team234567", "key2345672", pair->private_key_pem},
                                     absl::FromUnixSeconds(1'800'000'000));
  ASSERT_TRUE(token.ok()) << token.status();

  jwt_t* jwt = nullptr;
  const auto* key = reinterpret_cast<const unsigned char*>(pair->public_key_pem.data());
  ASSERT_EQ(jwt_decode(&jwt, token->c_str(), key, static_cast<int>(pair->public_key_pem.size())),
            0);
  EXPECT_EQ(jwt_get_alg(jwt), JWT_ALG_ES256);
  EXPECT_STREQ(jwt_get_header(jwt, "kid"), "key2345672");
  EXPECT_STREQ(jwt_get_grant(jwt, "iss"), "team234567");
  EXPECT_EQ(jwt_get_grant_int(jwt, "iat"), 1'800'000'000);
  jwt_free(jwt);
}

TEST(ProviderCredentialsTest, SomethingElseDoesNotSign) {
  const auto token = SignProviderJwt({"team234567", "key2345672", "no key"}, absl::UnixEpoch());
  EXPECT_EQ(token.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bellwire::cli
