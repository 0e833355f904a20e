#include "cli/doctor/checks/server_checks.h"

#include <errno.h>
#include <sys/stat.h>

#include "cli/doctor/checks/file_checks.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Step = ConnectionFacts::Step;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// A server that runs, with one file and one certificate.
ServerFacts Healthy() {
  ServerFacts server;
  server.data_dir = "/data";
  server.directory = {.path = "/data", .mode = S_IFDIR | 0700};
  server.files = {{.path = "/data/token.keys", .mode = S_IFREG | 0600, .size = 64}};
  server.certificates = {{.path = "/data/server.pem",
                          .certificate = {.parsed = true,
                                          .not_before = kNow - absl::Hours(1),
                                          .not_after = kNow + kExpiresSoon,
                                          .fingerprint = "f1"}}};
  server.disk = {.path = "/data", .free_bytes = 1ull << 40, .total_bytes = 1ull << 40};
  server.newest_change = kNow;
  server.process = ProcessFacts{.pid = 7, .name = "bellwire", .state = 'S'};
  return server;
}

std::vector<std::string> CausesOf(const ServerFacts& server) {
  Findings findings;
  CheckServer(server, kNow, &findings);
  std::vector<std::string> causes;
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.what.empty() || finding.to_do.empty()) << finding.cause;
    causes.push_back(finding.cause);
  }
  return causes;
}

TEST(ServerChecksTest, AHealthyOneHasNoFinding) { EXPECT_THAT(CausesOf(Healthy()), IsEmpty()); }

TEST(ServerChecksTest, ADaemonOfAFleetLacksThingsOnPurpose) {
  ServerFacts server = Healthy();
  server.files = {{.path = "/data/ca.key", .error = ENOENT},
                  {.path = "/data/token.keys", .error = ENOENT},
                  {.path = "/data/internal/node.key", .mode = S_IFREG | 0600, .size = 64}};
  EXPECT_THAT(CausesOf(server), IsEmpty());
  server.files[1] = {.path = "/data/token.keys", .mode = S_IFREG | 0600};  // Empty.
  EXPECT_THAT(CausesOf(server), ElementsAre("TOKEN_KEYS_LOST"));
  server.files[1].size = 64;
  server.files[2] = {.path = "/data/internal/node.key", .error = ENOENT};
  EXPECT_THAT(CausesOf(server), ElementsAre("FILE_MISSING"));
  // With the keys of its authorities it is a whole one.
  server.files = {{.path = "/data/ca.key", .mode = S_IFREG | 0600, .size = 64},
                  {.path = "/data/token.keys", .error = ENOENT}};
  EXPECT_THAT(CausesOf(server), ElementsAre("TOKEN_KEYS_LOST"));
}

TEST(ServerChecksTest, ADirectoryOfAnotherUserCantBeJudged) {
  ServerFacts server = Healthy();
  server.files[0].error = EACCES;
  EXPECT_THAT(CausesOf(server), ElementsAre("NOT_PERMITTED"));
}

TEST(ServerChecksTest, AKeyOfAnotherUserCantBeReadByTheServer) {
  ServerFacts server = Healthy();
  server.files[0].uid = 65534;
  EXPECT_THAT(CausesOf(server), ElementsAre("KEY_OF_ANOTHER_USER"));
  server.directory.uid = 65534;
  EXPECT_THAT(CausesOf(server), IsEmpty());
}

TEST(ServerChecksTest, DescriptorsThatAreAboutToRunOut) {
  ServerFacts server = Healthy();
  server.process->max_descriptors = 1000;
  server.process->open_descriptors = 900;
  EXPECT_THAT(CausesOf(server), IsEmpty());
  server.process->open_descriptors = 901;
  EXPECT_THAT(CausesOf(server), ElementsAre("DESCRIPTORS_NEARLY_USED"));
}

TEST(ServerChecksTest, AGatewayHasNoStoreAndAnswers) {
  ServerFacts server = Healthy();
  server.process.reset();
  EXPECT_THAT(CausesOf(server), ElementsAre("SERVER_NOT_RUNNING"));
  server.connections.emplace_back();
  EXPECT_THAT(CausesOf(server), IsEmpty());
}

TEST(ServerChecksTest, APublicCertificateEndsOnAnotherSchedule) {
  ServerFacts server = Healthy();
  ConnectionFacts https;
  https.kind = ConnectionFacts::Kind::kProviderPort;
  https.address = "127.0.0.1:443";
  https.certificate =
      CertificateFacts{.parsed = true, .not_after = kNow + kPublicExpiresSoon, .fingerprint = "f2"};
  server.connections = {https};
  EXPECT_THAT(CausesOf(server), IsEmpty());
  server.connections[0].certificate->not_after = kNow + kPublicExpiresSoon - absl::Seconds(1);
  EXPECT_THAT(CausesOf(server), ElementsAre("CERTIFICATE_EXPIRES_SOON"));
  server.connections[0].certificate->not_after = kNow;
  EXPECT_THAT(CausesOf(server), ElementsAre("CERTIFICATE_EXPIRED"));
  // One that our own CA should vouch for is compared with the file.
  server.connections[0].ca_path = "/data/ca.pem";
  EXPECT_THAT(CausesOf(server), ElementsAre("CERTIFICATE_NOT_RELOADED"));
}

TEST(ServerChecksTest, BoundsOfTheDisk) {
  ServerFacts server = Healthy();
  server.disk.total_bytes = 1ull << 40;
  server.disk.free_bytes = kNearlyFullBelowBytes;
  EXPECT_THAT(CausesOf(server), IsEmpty());
  server.disk.free_bytes = kNearlyFullBelowBytes - 1;
  EXPECT_THAT(CausesOf(server), ElementsAre("DISK_NEARLY_FULL"));
  // Little, but of little.
  server.disk.total_bytes = 4 * kNearlyFullBelowBytes;
  EXPECT_THAT(CausesOf(server), IsEmpty());
  server.disk.free_bytes = kFullBelowBytes - 1;
  EXPECT_THAT(CausesOf(server), ElementsAre("DISK_FULL"));
}

}  // namespace
}  // namespace bellwire::cli
