#include "cli/top/top_page.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ops/overview/flat_samples.h"

namespace bellwire::cli {
namespace {

constexpr char kBefore[] =
    "bellwire_ready 1\n"
    "bellwire_connector_sessions 1200\n"
    "bellwire_gateway_messages_total{outcome=\"accepted\"} 0\n"
    "process_resident_memory_bytes 104857600\n"
    "bellwire_queue_length{queue=\"sends\"} 90\n"
    "bellwire_queue_bound{queue=\"sends\"} 100\n";
constexpr char kAfter[] =
    "bellwire_ready 1\n"
    "bellwire_connector_sessions 1200\n"
    "bellwire_gateway_messages_total{outcome=\"accepted\"} 5000\n"
    "bellwire_gateway_send_seconds_bucket{le=\"0.01\"} 5000\n"
    "process_resident_memory_bytes 104857600\n"
    "bellwire_queue_length{queue=\"sends\"} 90\n"
    "bellwire_queue_bound{queue=\"sends\"} 100\n";

metrics::Look ALook() {
  const metrics::Snapshot before = {.samples = *metrics::ParseMetricsText(kBefore)};
  const metrics::Snapshot after = {.time = MonotonicTime() + absl::Seconds(10),
                                   .wall_time = absl::FromUnixSeconds(1'800'000'000),
                                   .samples = *metrics::ParseMetricsText(kAfter)};
  metrics::Look look = {.time = absl::FromUnixSeconds(1'800'000'000)};
  look.all = metrics::MakeOverview(&before, after);
  look.programs.push_back(
      {.address = "127.0.0.1:9464", .program = "bellwire-serve", .overview = look.all});
  look.programs.push_back(
      {.address = "127.0.0.1:9465",
       .error = "nobody shows metrics at 127.0.0.1:9465: \033[2JConnection refused"});
  return look;
}

std::string Text(const std::vector<TopLine>& lines) {
  std::string text;
  for (const TopLine& line : lines) absl::StrAppend(&text, line.text, "\n");
  return text;
}

TEST(TopPage, ShowsNumbersProgramsAndWhatIsWrong) {
  const std::string page = Text(RenderTop(ALook(), 80, absl::UTCTimeZone()));
  EXPECT_TRUE(absl::StrContains(page, "bellwire top  08:00:00  1 of 2 programs answer\n")) << page;
  EXPECT_TRUE(absl::StrContains(page, "phones 1200   sends 500/s (0 refused, 0 failed)")) << page;
  EXPECT_TRUE(absl::StrContains(page, "answer to a Send               5.0 ms")) << page;
  EXPECT_TRUE(absl::StrContains(page, "bellwire-serve     127.0.0.1:9464")) << page;
  EXPECT_TRUE(absl::StrContains(page, "100 MiB")) << page;
  EXPECT_TRUE(absl::StrContains(page, "does not answer    nobody shows metrics")) << page;
  EXPECT_TRUE(absl::StrContains(page, "BellwireQueueFull  \"sends\" is 90 % full")) << page;
  EXPECT_FALSE(absl::StrContains(page, "all is well"));
  EXPECT_FALSE(absl::StrContains(page, "\033"));
}

TEST(TopPage, NoLineIsWiderThanThePage) {
  for (const size_t columns : {40u, 80u, 200u}) {
    for (const TopLine& line : RenderTop(ALook(), columns, absl::UTCTimeZone())) {
      EXPECT_LE(line.text.size(), columns);
    }
  }
}

TEST(TopPage, SaysWhenAllIsWell) {
  metrics::Look look = ALook();
  look.programs.pop_back();
  look.all.problems.clear();
  const std::vector<TopLine> page = RenderTop(look, 80, absl::UTCTimeZone());
  EXPECT_EQ(page.back().text, "all is well");
  EXPECT_EQ(page.back().style, TopStyle::kGood);
}

}  // namespace
}  // namespace bellwire::cli
