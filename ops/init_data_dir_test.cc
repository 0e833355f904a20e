#include "ops/init_data_dir.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "gtest/gtest.h"
#include "net/tls/ticket_keys.h"
#include "ops/main_support.h"
#include "rpc/credentials.h"

namespace bellwire {
namespace {

// Certificates are checked against the real time when they are read.
const absl::Time kNow = absl::FromUnixSeconds(absl::ToUnixSeconds(RealClock()->WallNow()));

std::string NewParent() {
  std::string path = testing::TempDir() + "/data_dir_XXXXXX";
  return mkdtemp(path.data());
}

mode_t Mode(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST(InitDataDirTest, MakesWhatTheDaemonsRead) {
  const DataDir dir(NewParent() + "/data");
  const absl::Status made = InitDataDir(dir, {"localhost", "127.0.0.1", "::1"}, kNow);
  ASSERT_TRUE(made.ok()) << made;
  EXPECT_TRUE(CheckInitialised(dir).ok());
  EXPECT_TRUE(ServerTlsCredentials(dir.server_certificate(), dir.server_key()).ok());
  EXPECT_TRUE(ClientTlsCredentials(dir.ca_certificate()).ok());
  EXPECT_TRUE(InternalServerCredentials(dir.internal()).ok());
  EXPECT_TRUE(InternalChannelCredentials(dir.internal()).ok());
  EXPECT_TRUE(TokenSealer::FromFile(dir.token_keys()).ok());
  EXPECT_TRUE(ReadPrivateFile(dir.admin_token()).ok());
  const auto ticket_keys = ReadPrivateFile(dir.ticket_keys());
  ASSERT_TRUE(ticket_keys.ok()) << ticket_keys.status();
  const auto secrets = net::ParseTicketSecrets(*ticket_keys);
  EXPECT_TRUE(secrets.ok()) << secrets.status();

  const auto certificate = ReadWholeFile(dir.server_certificate());
  ASSERT_TRUE(certificate.ok());
  const auto not_after = CertificateNotAfter(*certificate);
  ASSERT_TRUE(not_after.ok());
  EXPECT_EQ(*not_after, kNow + kCertificateLifetime);
}

TEST(TicketKeyFileTest, IsTheNamedOneOrTheDirectorys) {
  const DataDir dir(NewParent() + "/data"), other(NewParent() + "/data");
  for (const DataDir& d : {dir, other}) ASSERT_TRUE(InitDataDir(d, {"localhost"}, kNow).ok());
  EXPECT_EQ(TicketKeyFile(dir, ""), dir.ticket_keys());
  EXPECT_EQ(TicketKeyFile(dir, "/etc/named"), "/etc/named")
      << "the server says so if it is not there";
  EXPECT_NE(*ReadPrivateFile(dir.ticket_keys()), *ReadPrivateFile(other.ticket_keys()));
  ASSERT_EQ(unlink(dir.ticket_keys().c_str()), 0);
  EXPECT_EQ(TicketKeyFile(dir, ""), "");
}

TEST(InitDataDirTest, SecretsAreForTheOwnerOnly) {
  const DataDir dir(NewParent() + "/data");
  ASSERT_TRUE(InitDataDir(dir, {"localhost"}, kNow).ok());
  EXPECT_EQ(Mode(dir.path()), 0700);
  EXPECT_EQ(Mode(dir.internal()), 0700);
  for (const std::string& secret :
       {dir.ca_key(), dir.server_key(), dir.internal_ca_key(), dir.internal_node_key(),
        dir.token_keys(), dir.ticket_keys(), dir.admin_token()}) {
    EXPECT_EQ(Mode(secret), 0600) << secret;
  }
}

TEST(InitDataDirTest, TakesOverAnEmptyDirectory) {
  const DataDir dir(NewParent());
  EXPECT_TRUE(InitDataDir(dir, {"localhost"}, kNow).ok());
}

TEST(InitDataDirTest, ClosesNothingThatOthersUse) {
  const std::string parent = NewParent();
  const std::string shared = parent + "/shared";
  ASSERT_EQ(mkdir(shared.c_str(), 0755), 0);
  ASSERT_TRUE(CreateFileAtomically(shared + "/of_others", "x", FileAccess::kPublic).ok());
  EXPECT_EQ(InitDataDir(DataDir(shared), {"localhost"}, kNow).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Mode(shared), 0755);
  const std::string file = shared + "/of_others";
  EXPECT_FALSE(InitDataDir(DataDir(file), {"localhost"}, kNow).ok());
  EXPECT_EQ(Mode(file), 0644);
}

TEST(InitDataDirTest, NeverOverwrites) {
  const DataDir dir(NewParent() + "/data");
  ASSERT_TRUE(InitDataDir(dir, {"localhost"}, kNow).ok());
  const auto before = ReadWholeFile(dir.ca_certificate());
  const absl::Status again = InitDataDir(dir, {"localhost"}, kNow);
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrorReason(again), "ALREADY_INITIALISED");
  EXPECT_EQ(*ReadWholeFile(dir.ca_certificate()), *before);
}

TEST(InitDataDirTest, RefusesNoAndMalformedNames) {
  EXPECT_FALSE(InitDataDir(DataDir(NewParent() + "/a"), {}, kNow).ok());
  const DataDir dir(NewParent() + "/b");
  EXPECT_FALSE(InitDataDir(dir, {"no spaces allowed"}, kNow).ok());
  EXPECT_NE(access(dir.path().c_str(), F_OK), 0);
}

TEST(CheckInitialisedTest, SaysWhatToRun) {
  const absl::Status status = CheckInitialised(DataDir("/nonexistent"));
  EXPECT_EQ(ErrorReason(status), "NOT_INITIALISED");
  EXPECT_NE(RenderFailure(status).find("bellwire init --data_dir /nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace bellwire
