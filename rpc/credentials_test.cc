#include "rpc/credentials.h"

#include <sys/stat.h>

#include "common/error.h"
#include "crypto/file_util.h"
#include "crypto/provider_key.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/test_pki.h"

namespace bellwire {
namespace {

using ::testing::HasSubstr;

class CredentialsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return pki_.dir() + "/" + name; }
  void Overwrite(const std::string& name, absl::string_view contents) {
    EXPECT_TRUE(ReplaceFileAtomically(Path(name), contents, FileAccess::kPrivate).ok());
  }
  absl::Status ServerTls() const {
    return ServerTlsCredentials(Path("server.pem"), Path("server.key")).status();
  }

  TestPki pki_;
};

TEST_F(CredentialsTest, ADataDirectoryServesAllFour) {
  EXPECT_TRUE(ServerTls().ok()) << ServerTls();
  EXPECT_TRUE(ClientTlsCredentials(Path("ca.pem")).ok());
  EXPECT_TRUE(InternalServerCredentials(pki_.internal_dir()).ok());
  EXPECT_TRUE(InternalChannelCredentials(pki_.internal_dir()).ok());
}

TEST_F(CredentialsTest, AMissingFileIsNamed) {
  for (const absl::Status& status :
       {ServerTlsCredentials(Path("none.pem"), Path("server.key")).status(),
        ServerTlsCredentials(Path("server.pem"), Path("none.pem")).status(),
        ClientTlsCredentials(Path("none.pem")).status()}) {
    EXPECT_EQ(ErrorReason(status), "FILE_NOT_FOUND");
    EXPECT_THAT(std::string(status.message()), HasSubstr(Path("none.pem")));
  }
  EXPECT_EQ(ErrorReason(InternalServerCredentials(Path("none")).status()), "FILE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(InternalChannelCredentials(Path("none")).status()), "FILE_NOT_FOUND");
}

TEST_F(CredentialsTest, AKeyThatOthersCanReadIsRefused) {
  ASSERT_EQ(chmod(Path("server.key").c_str(), 0644), 0);
  EXPECT_EQ(ErrorReason(ServerTls()), "FILE_NOT_PRIVATE");
  ASSERT_EQ(chmod(Path("internal/node.key").c_str(), 0640), 0);
  EXPECT_EQ(ErrorReason(InternalServerCredentials(pki_.internal_dir()).status()),
            "FILE_NOT_PRIVATE");
  EXPECT_EQ(ErrorReason(InternalChannelCredentials(pki_.internal_dir()).status()),
            "FILE_NOT_PRIVATE");
}

TEST_F(CredentialsTest, FilesOfTheWrongKindAreRefused) {
  Overwrite("server.key", GenerateProviderKeyPair().value().private_key_pem);
  EXPECT_EQ(ErrorReason(ServerTls()), "KEY_MISMATCH");
  EXPECT_THAT(std::string(ServerTls().message()), HasSubstr(Path("server.key")));
  Overwrite("server.key", "hello");
  EXPECT_EQ(ErrorReason(ServerTls()), "BAD_PRIVATE_KEY");
  Overwrite("server.pem", "hello");
  EXPECT_EQ(ErrorReason(ServerTls()), "BAD_CERTIFICATE");
  Overwrite("internal/ca.pem", "hello");
  EXPECT_EQ(ErrorReason(InternalServerCredentials(pki_.internal_dir()).status()),
            "BAD_CERTIFICATE");
}

}  // namespace
}  // namespace bellwire
