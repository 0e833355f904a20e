#include "ops/repair_data_dir.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "common/clock.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/tls/ticket_keys.h"
#include "ops/init_data_dir.h"
#include "ops/main_support.h"
#include "rpc/credentials.h"

namespace bellwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Certificates are checked against the real time when they are read.
const absl::Time kMade =
    absl::FromUnixSeconds(absl::ToUnixSeconds(RealClock()->WallNow())) - absl::Hours(24 * 366);
const absl::Time kLater = kMade + absl::Hours(24 * 365);

class RepairDataDirTest : public testing::Test {
 protected:
  RepairDataDirTest() {
    EXPECT_TRUE(InitDataDir(dir_, {"push.example.com", "203.0.113.7"}, kMade).ok());
  }

  static std::string NewParent() {
    std::string path = testing::TempDir() + "/repair_XXXXXX";
    return mkdtemp(path.data());
  }
  std::string Path(const std::string& file) const { return dir_.path() + "/" + file; }
  std::string Read(const std::string& file) const { return ReadWholeFile(Path(file)).value_or(""); }
  void Lose(const std::string& file) { ASSERT_EQ(unlink(Path(file).c_str()), 0) << file; }
  CertificateFacts Server() const { return *ReadCertificateFacts(Read("server.pem")); }
  // Every file and what is in it.
  std::map<std::string, std::string> All() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (entry.is_regular_file()) all[entry.path()] = *ReadWholeFile(entry.path());
    }
    return all;
  }
  // The files that the repair speaks of.
  absl::StatusOr<std::vector<std::string>> Repair(RepairOptions options = {}) {
    const auto repaired = RepairDataDir(dir_, options, kLater);
    if (!repaired.ok()) return repaired.status();
    std::vector<std::string> files;
    for (const Repaired& r : *repaired) files.push_back(r.file);
    return files;
  }
  // Whether everything is there that a server reads, and fits together.
  void ExpectWhole() {
    EXPECT_TRUE(CheckInitialised(dir_).ok()) << CheckInitialised(dir_);
    EXPECT_TRUE(ServerTlsCredentials(dir_.server_certificate(), dir_.server_key()).ok());
    EXPECT_TRUE(InternalServerCredentials(dir_.internal()).ok());
    EXPECT_TRUE(TokenSealer::FromFile(dir_.token_keys()).ok());
    EXPECT_EQ(TicketKeyFile(dir_, ""), dir_.ticket_keys());
    EXPECT_TRUE(ReadPrivateFile(dir_.admin_token()).ok());
    EXPECT_TRUE(IsIssuedBy(Read("server.pem"), Read("ca.pem")));
    EXPECT_TRUE(IsPair(Read("server.pem"), Read("server.key")));
    EXPECT_TRUE(IsIssuedBy(Read("internal/node.pem"), Read("internal/ca.pem")));
    const auto again = Repair();
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_THAT(*again, ElementsAre());
  }

  const DataDir dir_{NewParent() + "/data"};
};

TEST_F(RepairDataDirTest, ChangesNothingWhereNothingIsMissing) {
  const auto before = All();
  ASSERT_THAT(Repair().value(), ElementsAre());
  EXPECT_EQ(All(), before);
}

TEST_F(RepairDataDirTest, ALostServerCertificateIsIssuedAgainForItsKey) {
  const CertificateFacts before = Server();
  Lose("server.pem");
  ASSERT_THAT(Repair({.server_names = {"push.example.com"}}).value(), ElementsAre("server.pem"));
  EXPECT_EQ(Server().pin, before.pin);
  EXPECT_THAT(Server().dns_names, ElementsAre("push.example.com"));
  ExpectWhole();
}

TEST_F(RepairDataDirTest, ALostServerKeyCostsThePinButNoName) {
  const CertificateFacts before = Server();
  Lose("server.key");
  ASSERT_THAT(Repair({.server_names = {"unused"}}).value(), ElementsAre("server.pem, server.key"));
  EXPECT_NE(Server().pin, before.pin);
  EXPECT_EQ(Server().dns_names, before.dns_names);
  EXPECT_EQ(Server().ip_addresses, before.ip_addresses);
  ExpectWhole();
}

TEST_F(RepairDataDirTest, AKeyOfAnotherCertificateIsRepaired) {
  // As a crash between the two would leave it.
  const DataDir other(NewParent() + "/other");
  ASSERT_TRUE(InitDataDir(other, {"localhost"}, kMade).ok());
  ASSERT_TRUE(ReplaceFileAtomically(dir_.server_key(), *ReadPrivateFile(other.server_key()),
                                    FileAccess::kPrivate)
                  .ok());
  ASSERT_THAT(Repair().value(), ElementsAre("server.pem"));
  ExpectWhole();
}

TEST_F(RepairDataDirTest, ALostCaCertificateIsMadeAgainFromItsKey) {
  const std::string old_ca = Read("ca.pem");
  const std::string server = Read("server.pem");
  Lose("ca.pem");
  ASSERT_THAT(Repair().value(), ElementsAre("ca.pem"));
  EXPECT_EQ(Read("server.pem"), server);
  EXPECT_TRUE(IsIssuedBy(server, old_ca)) << "clients that have the old one go on";
  ExpectWhole();
}

TEST_F(RepairDataDirTest, ALostCaIsMadeAnewAndTheServerGetsACertificateOfIt) {
  const CertificateFacts before = Server();
  Lose("ca.pem");
  Lose("ca.key");
  ASSERT_THAT(Repair().value(), ElementsAre("ca.pem, ca.key", "server.pem"));
  EXPECT_EQ(Server().pin, before.pin);
  EXPECT_EQ(Server().dns_names, before.dns_names);
  ExpectWhole();
}

TEST_F(RepairDataDirTest, ALostCaKeyIsToldOfAndStopsOnlyWhatNeedsIt) {
  Lose("ca.key");
  ASSERT_THAT(Repair().value(), ElementsAre("ca.key"));
  EXPECT_TRUE(CheckInitialised(dir_).ok());
  EXPECT_EQ(ErrorReason(RenewCertificates(dir_, {}, kLater).status()), "CA_KEY_LOST");
  Lose("server.pem");
  const absl::Status refused = Repair().status();
  EXPECT_EQ(ErrorReason(refused), "CA_KEY_LOST");
  EXPECT_THAT(RenderFailure(refused), HasSubstr("init --repair"));
  // What the hint says works.
  Lose("ca.pem");
  ASSERT_TRUE(Repair({.server_names = {"push.example.com"}}).ok());
  ExpectWhole();
}

TEST_F(RepairDataDirTest, LostInternalFilesAreMadeAgain) {
  Lose("internal/node.pem");
  const std::string ca = Read("internal/ca.pem");
  ASSERT_THAT(Repair().value(), ElementsAre("internal/"));
  EXPECT_EQ(Read("internal/ca.pem"), ca) << "other daemons go on";
  std::filesystem::remove_all(dir_.internal());
  ASSERT_THAT(Repair().value(), ElementsAre("internal/"));
  ExpectWhole();
}

TEST_F(RepairDataDirTest, LostAndEmptySecretsAreMadeAgain) {
  for (const char* file : {"ticket.keys", "admin.token"}) {
    const std::string before = Read(file);
    Lose(file);
    ASSERT_THAT(Repair().value(), ElementsAre(file));
    EXPECT_NE(Read(file), before);
    std::ofstream(Path(file), std::ios::trunc);
    ASSERT_THAT(Repair().value(), ElementsAre(file));
    EXPECT_NE(Read(file), "");
    struct stat info {};
    ASSERT_EQ(stat(Path(file).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
  }
  ExpectWhole();
}

TEST_F(RepairDataDirTest, LostTokenKeysAreNotReplacedUnasked) {
  Lose("token.keys");
  Lose("admin.token");
  const auto before = All();
  const absl::Status refused = Repair().status();
  EXPECT_EQ(ErrorReason(refused), "TOKEN_KEYS_LOST");
  EXPECT_THAT(RenderFailure(refused), HasSubstr("--new_token_keys"));
  EXPECT_EQ(All(), before);
  EXPECT_THAT(Repair({.new_token_keys = true}).value(), ElementsAre("token.keys", "admin.token"));
  ExpectWhole();
}

TEST_F(RepairDataDirTest, ADirectoryThatNeverWasOneIsNotMade) {
  const DataDir none(NewParent() + "/none");
  const absl::Status refused = RepairDataDir(none, {}, kLater).status();
  EXPECT_EQ(ErrorReason(refused), "NOT_INITIALISED");
  EXPECT_FALSE(std::filesystem::exists(none.path()));
}

TEST_F(RepairDataDirTest, WhatIsLostIsNamedAtTheStartWithTheWayOut) {
  for (const char* file : {"server.pem", "admin.token", "internal/node.key"}) {
    std::ofstream(Path(file), std::ios::trunc);
    const absl::Status refused = CheckInitialised(dir_);
    EXPECT_EQ(ErrorReason(refused), "NOT_INITIALISED") << file;
    EXPECT_THAT(RenderFailure(refused), HasSubstr(Path(file)));
    EXPECT_THAT(RenderFailure(refused), HasSubstr("bellwire init --repair --data_dir"));
    ASSERT_TRUE(Repair({.server_names = {"localhost"}}).ok());
  }
  const absl::Status in_use = InitDataDir(dir_, {"localhost"}, kLater);
  EXPECT_THAT(RenderFailure(in_use), HasSubstr("bellwire init --repair"));
}

TEST_F(RepairDataDirTest, TicketKeysThatAreOfNoUseStopNothing) {
  for (const char* contents : {"", "not hex\n"}) {
    std::ofstream(Path("ticket.keys"), std::ios::trunc) << contents;
    EXPECT_EQ(TicketKeyFile(dir_, ""), "");
  }
  EXPECT_EQ(TicketKeyFile(dir_, Path("ticket.keys")), Path("ticket.keys"))
      << "a file that was named is not passed over in silence";
}

TEST_F(RepairDataDirTest, ARenewedCertificateKeepsNamesAndKey) {
  const CertificateFacts before = Server();
  const std::string node = Read("internal/node.pem");
  const auto renewed = RenewCertificates(dir_, {}, kLater);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->pin, before.pin);
  EXPECT_EQ(Server().dns_names, before.dns_names);
  EXPECT_EQ(Server().ip_addresses, before.ip_addresses);
  // Not beyond its CA.
  EXPECT_EQ(Server().not_after, kMade + kCertificateLifetime);
  EXPECT_NE(Read("internal/node.pem"), node);
  ExpectWhole();
}

TEST_F(RepairDataDirTest, NamesAreAdded) {
  const auto renewed =
      RenewCertificates(dir_, {"new.example.com", "::1", "push.example.com"}, kLater);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_THAT(Server().dns_names, ElementsAre("push.example.com", "new.example.com"));
  EXPECT_THAT(Server().ip_addresses, ElementsAre("203.0.113.7", "::1"));
  ExpectWhole();
  const std::string good = Read("server.pem");
  EXPECT_FALSE(RenewCertificates(dir_, {"no spaces allowed"}, kLater).ok());
  EXPECT_EQ(Read("server.pem"), good);
}

TEST_F(RepairDataDirTest, ACertificateOfAnotherAuthorityIsLeftAlone) {
  const DataDir other(NewParent() + "/other");
  ASSERT_TRUE(InitDataDir(other, {"localhost"}, kMade).ok());
  ASSERT_TRUE(ReplaceFileAtomically(dir_.server_key(), *ReadPrivateFile(other.server_key()),
                                    FileAccess::kPrivate)
                  .ok());
  ASSERT_TRUE(ReplaceFileAtomically(dir_.server_certificate(),
                                    *ReadWholeFile(other.server_certificate()), FileAccess::kPublic)
                  .ok());
  EXPECT_EQ(ErrorReason(RenewCertificates(dir_, {}, kLater).status()), "NOT_OUR_CERTIFICATE");
  EXPECT_THAT(Repair().value(), ElementsAre());
}

TEST_F(RepairDataDirTest, AnExpiredAuthorityIsMadeAgain) {
  const absl::Time after = kMade + kCertificateLifetime + absl::Hours(1);
  const absl::Status expired = RenewCertificates(dir_, {}, after).status();
  EXPECT_EQ(ErrorReason(expired), "CA_EXPIRED");
  EXPECT_THAT(RenderFailure(expired), HasSubstr("init --repair"));
  Lose("ca.pem");
  ASSERT_TRUE(RepairDataDir(dir_, {}, after).ok());
  EXPECT_TRUE(RenewCertificates(dir_, {}, after).ok());
  EXPECT_GT(Server().not_after, after);
}

}  // namespace
}  // namespace bellwire
