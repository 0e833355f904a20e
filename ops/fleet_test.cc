#include "ops/fleet.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "gtest/gtest.h"
#include "ops/init_data_dir.h"
#include "ops/repair_data_dir.h"
#include "rpc/credentials.h"

namespace bellwire {
namespace {

using Files = std::set<std::string>;

class FleetTest : public ::testing::Test {
 protected:
  FleetTest() : parent_(::testing::TempDir() + "/fleet_XXXXXX"), now_(RealClock()->WallNow()) {
    EXPECT_NE(mkdtemp(parent_.data()), nullptr);
  }
  ~FleetTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(parent_, ignored);
  }

  static FleetOptions Options(int gateways = 2, int connectors = 2) {
    return {.server_names = {"push.example.com"}, .gateways = gateways, .connectors = connectors};
  }
  std::string Path(const std::string& name = "") const {
    return absl::StrCat(parent_, "/fleet", name.empty() ? "" : "/", name);
  }
  Files In(const std::string& name) const {
    Files files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Path(name))) {
      if (entry.is_regular_file()) {
        files.insert(std::filesystem::relative(entry.path(), Path(name)).string());
        struct stat info {};
        EXPECT_EQ(stat(entry.path().c_str(), &info), 0);
        const bool is_public = entry.path().extension() == ".pem";
        EXPECT_EQ(info.st_mode & 0777, is_public ? 0644u : 0600u) << entry.path();
      }
    }
    return files;
  }
  std::string Text(const std::string& file) const { return ReadWholeFile(Path(file)).value(); }
  CertificateFacts Facts(const std::string& file) const {
    return ReadCertificateFacts(Text(file)).value();
  }

  std::string parent_;
  const absl::Time now_;
};

TEST_F(FleetTest, EachDaemonHasWhatItNeedsAndNoMore) {
  const auto daemons = InitFleet(Path(), Options(), now_);
  ASSERT_TRUE(daemons.ok()) << daemons.status();
  ASSERT_EQ(daemons->size(), 5u);
  const Files internal = {"internal/ca.pem", "internal/node.pem", "internal/node.key"};
  const auto with = [&internal](Files more) {
    more.insert(internal.begin(), internal.end());
    return more;
  };
  EXPECT_EQ(In("registry"), with({"token.keys"}));
  EXPECT_EQ(In("gateway-1"),
            with({"server.pem", "server.key", "token.keys", "admin.token", "ca.pem"}));
  EXPECT_EQ(In("gateway-2"), with({"server.pem", "server.key", "token.keys"}));
  for (const char* connector : {"connector-1", "connector-2"}) {
    EXPECT_EQ(In(connector), with({"server.pem", "server.key", "ticket.keys"}));
  }
  EXPECT_TRUE(CheckInitialised(DataDir(Path("registry")), Role::kRegistry).ok());
  // What a daemon lacks on purpose is not repaired.
  EXPECT_EQ(ErrorReason(RepairDataDir(DataDir(Path("registry")), {}, now_).status()),
            "FLEET_DIRECTORY");
  for (const char* name : {"gateway-1", "gateway-2"}) {
    const absl::Status status = CheckInitialised(DataDir(Path(name)), Role::kGateway);
    EXPECT_TRUE(status.ok()) << status;
  }
  for (const char* name : {"connector-1", "connector-2"}) {
    const absl::Status status = CheckInitialised(DataDir(Path(name)), Role::kConnector);
    EXPECT_TRUE(status.ok()) << status;
  }
  // And for another daemon it is of no use.
  EXPECT_FALSE(CheckInitialised(DataDir(Path("connector-1")), Role::kGateway).ok());
  EXPECT_EQ(ErrorReason(CheckInitialised(DataDir(Path("gateway-1")), Role::kConnector)),
            "WRONG_ROLE");
  EXPECT_FALSE(CheckInitialised(DataDir(Path("registry")), Role::kConnector).ok());
  EXPECT_FALSE(CheckInitialised(DataDir(Path("connector-1"))).ok()) << "serve wants it all";
}

TEST_F(FleetTest, KeysAreSharedOnlyWhereTheyMustBe) {
  ASSERT_TRUE(InitFleet(Path(), Options(), now_).ok());
  std::set<std::string> nodes;
  for (const char* name : {"registry", "gateway-1", "gateway-2", "connector-1", "connector-2"}) {
    nodes.insert(Text(absl::StrCat(name, "/internal/node.key")));
    EXPECT_TRUE(IsIssuedBy(Text(absl::StrCat(name, "/internal/node.pem")),
                           Text("authority/internal/ca.pem")));
  }
  EXPECT_EQ(nodes.size(), 5u);
  EXPECT_EQ(Text("connector-1/server.key"), Text("connector-2/server.key")) << "agents pin it";
  EXPECT_NE(Text("gateway-1/server.key"), Text("gateway-2/server.key"));
  EXPECT_NE(Text("gateway-1/server.key"), Text("connector-1/server.key"));
  EXPECT_EQ(Text("registry/token.keys"), Text("gateway-2/token.keys"));
  EXPECT_EQ(Facts("connector-1/internal/node.pem").uris,
            std::vector<std::string>{"bellwire:role:connector"});
  EXPECT_EQ(Facts("connector-1/server.pem").dns_names,
            std::vector<std::string>{"push.example.com"});
}

TEST_F(FleetTest, GrowsAndLeavesTheRestAsItIs) {
  ASSERT_TRUE(InitFleet(Path(), Options(1, 1), now_).ok());
  const std::string before = Text("connector-1/internal/node.pem");
  const auto grown = InitFleet(Path(), Options(1, 3), now_);
  ASSERT_TRUE(grown.ok()) << grown.status();
  for (const FleetDaemon& daemon : *grown) {
    EXPECT_EQ(daemon.made, daemon.name == "connector-2" || daemon.name == "connector-3")
        << daemon.name;
  }
  EXPECT_EQ(Text("connector-1/internal/node.pem"), before);
  EXPECT_EQ(Text("connector-3/server.key"), Text("connector-1/server.key"));
  EXPECT_EQ(Text("connector-3/internal/ca.pem"), Text("registry/internal/ca.pem"));
}

TEST_F(FleetTest, TakesOverTheKeysOfADataDirectory) {
  const DataDir old(parent_ + "/old");
  ASSERT_TRUE(InitDataDir(old, {"push.example.com"}, now_).ok());
  FleetOptions options = Options();
  options.from = old.path();
  const auto daemons = InitFleet(Path(), options, now_);
  ASSERT_TRUE(daemons.ok()) << daemons.status();
  EXPECT_EQ(Text("registry/token.keys"), *ReadWholeFile(old.token_keys()));
  EXPECT_EQ(Text("connector-2/server.key"), *ReadWholeFile(old.server_key()));
  EXPECT_EQ(Text("gateway-1/admin.token"), *ReadWholeFile(old.admin_token()));
  EXPECT_TRUE(IsIssuedBy(Text("gateway-1/server.pem"), *ReadWholeFile(old.ca_certificate())));
  EXPECT_FALSE(
      IsIssuedBy(*ReadWholeFile(old.internal_node_certificate()), Text("registry/internal/ca.pem")))
      << "who has the old certificate for all is nobody in the fleet";
  EXPECT_FALSE(InitFleet(Path(), options, now_).ok()) << "it is one already";
}

TEST_F(FleetTest, RenewsAll) {
  ASSERT_TRUE(InitFleet(Path(), Options(1, 1), now_ - absl::Hours(1000)).ok());
  const std::string key = Text("gateway-1/server.key");
  const std::string pin = Facts("gateway-1/server.pem").pin;
  const absl::Time before = Facts("registry/internal/node.pem").not_before;
  const auto renewed = RenewFleet(Path(), {"new.example.com"}, now_);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->size(), 5u) << "two for clients and three among daemons";
  EXPECT_EQ(Facts("gateway-1/server.pem").pin, pin);
  EXPECT_EQ(Text("gateway-1/server.key"), key);
  EXPECT_EQ(Facts("connector-1/server.pem").dns_names,
            (std::vector<std::string>{"push.example.com", "new.example.com"}));
  for (const char* name : {"registry", "gateway-1", "connector-1"}) {
    EXPECT_GT(Facts(absl::StrCat(name, "/internal/node.pem")).not_before, before) << name;
  }
  EXPECT_TRUE(CheckInitialised(DataDir(Path("connector-1")), Role::kConnector).ok());
  EXPECT_EQ(Facts("connector-1/internal/node.pem").uris,
            std::vector<std::string>{"bellwire:role:connector"});
}

TEST_F(FleetTest, RefusesWhatMakesNoSense) {
  EXPECT_FALSE(IsFleet(Path()));
  FleetOptions options = Options();
  options.server_names.clear();
  EXPECT_FALSE(InitFleet(Path(), options, now_).ok());
  EXPECT_FALSE(InitFleet(Path(), Options(-1, 1), now_).ok());
  EXPECT_FALSE(InitFleet(Path(), Options(1, kMaxFleetDaemons + 1), now_).ok());
  options = Options();
  options.from = parent_ + "/none";
  EXPECT_EQ(ErrorReason(InitFleet(Path(), options, now_).status()), "NOT_INITIALISED");
  EXPECT_NE(access(Path().c_str(), F_OK), 0) << "nothing was made";
  const DataDir data(Path());
  ASSERT_TRUE(InitDataDir(data, {"localhost"}, now_).ok());
  EXPECT_EQ(ErrorReason(InitFleet(Path(), Options(), now_).status()), "ALREADY_INITIALISED");
}

}  // namespace
}  // namespace bellwire
