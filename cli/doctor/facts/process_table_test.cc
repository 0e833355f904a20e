#include "cli/doctor/facts/process_table.h"

#include <unistd.h>

#include "cli/doctor/facts/settings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(ProcessTableTest, ReadsTheKernelsLines) {
  const auto v4 = ParseListeningSocket(
      "   1: 0100007F:1D13 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
      "4711 1 0000000000000000 100 0 0 10 0");
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 7443);
  EXPECT_EQ(v4->uid, 1000u);
  EXPECT_EQ(v4->inode, "4711");
  const auto any = ParseListeningSocket(
      "   0: 00000000000000000000000000000000:1D14 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 12 1 0000000000000000 100 0 0 10 0");
  ASSERT_TRUE(any.has_value());
  EXPECT_EQ(any->host, "127.0.0.1");
  EXPECT_EQ(any->port, 7444);
  const auto v6 = ParseListeningSocket(
      "   0: 00000000000000000000000001000000:0001 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 12 1 0000000000000000 100 0 0 10 0");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->host, "::1");
}

TEST(ProcessTableTest, PassesOverWhatDoesNotListen) {
  for (const char* line :
       {"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
        "   1: 0100007F:1D13 0100007F:0016 01 00000000:00000000 00:00000000 00000000 0 0 4711 1",
        "   1: 0100007F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1",
        "   1: 0100007F:XX 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1"}) {
    EXPECT_FALSE(ParseListeningSocket(line).has_value()) << line;
  }
}

TEST(ProcessTableTest, ReadsThisProcess) {
  const auto self = ReadProcess(getpid(), *RealClock());
  ASSERT_TRUE(self.has_value());
  EXPECT_EQ(self->state, 'R');
  EXPECT_EQ(self->name, "process_table_t");
  EXPECT_FALSE(self->program_replaced);
  EXPECT_GT(self->open_descriptors, 2u);
  EXPECT_GE(self->max_descriptors, self->open_descriptors);
  const absl::Duration age = RealClock()->WallNow() - self->started;
  EXPECT_GE(age, -absl::Seconds(1));
  EXPECT_LT(age, absl::Hours(1));
  EXPECT_FALSE(ReadProcess(1 << 30, *RealClock()).has_value());
}

TEST(ProcessTableTest, ReadsCommandLines) {
  EXPECT_THAT(ParseArguments({"bellwire", "serve", "--data_dir", "/d", "--log_json",
                              "--device_listen=:1", "--server", "a:1", "b:2"}),
              ElementsAre(Pair("data_dir", "/d"), Pair("log_json", ""), Pair("device_listen", ":1"),
                          Pair("server", "a:1"), Pair("server", "b:2")));
}

TEST(SettingsTest, ReadsConfigurationFiles) {
  const Settings settings = Settings::FromText(
      "# A comment.\n[serve]\n server = \"push.example.com:7444\" \nca=/etc/ca.pem # Of the "
      "server.\nserver = other:1\nnothing\n");
  EXPECT_EQ(settings.Get("server"), "push.example.com:7444");
  EXPECT_THAT(settings.All("server"), ElementsAre("push.example.com:7444", "other:1"));
  EXPECT_EQ(settings.Get("ca"), "/etc/ca.pem");
  EXPECT_EQ(settings.Get("pin", "none"), "none");
  EXPECT_TRUE(Settings::FromText("").empty());
  EXPECT_TRUE(Settings::FromFile("/nonexistent").empty());
}

}  // namespace
}  // namespace bellwire::cli
