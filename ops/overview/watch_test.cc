#include "ops/overview/watch.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "ops/metrics/exposer.h"
#include "ops/metrics/metrics.h"
#include "ops/metrics/readiness.h"

namespace bellwire::metrics {
namespace {

// A program that shows its metrics.
struct Program {
  explicit Program(const std::string& name) : metrics(name, &readiness) {
    auto started =
        Exposer::Start({.listen = "127.0.0.1:0", .metrics = &metrics, .readiness = &readiness});
    EXPECT_TRUE(started.ok()) << started.status();
    exposer = *std::move(started);
  }

  Readiness readiness;
  const Metrics metrics;
  std::unique_ptr<Exposer> exposer;
};

FlatSamples Own(double sends) {
  return *ParseMetricsText(
      absl::StrCat("bellwire_build_info{program=\"bellwire-own\",version=\"1\"} 1\n",
                   "bellwire_gateway_messages_total{outcome=\"accepted\"} ", sends, "\n"));
}

TEST(WatchTest, LooksAtItselfAndAtOthersAtOnce) {
  SimulatedClock clock;
  std::vector<std::unique_ptr<Program>> programs;
  std::vector<std::string> addresses;
  // More than are asked at a time.
  for (size_t i = 0; i < kAskedAtOnce + 3; ++i) {
    programs.push_back(std::make_unique<Program>(absl::StrCat("program-", i)));
    addresses.push_back(programs.back()->exposer->address());
  }
  addresses.push_back("127.0.0.1:1");
  double sends = 0;
  Watch watch(addresses, &clock, [&sends] { return Own(sends); });
  Look look = watch.Next();
  ASSERT_EQ(look.programs.size(), addresses.size() + 1);
  EXPECT_EQ(look.programs[0].address, "");
  EXPECT_EQ(look.programs[0].program, "bellwire-own");
  for (size_t i = 0; i < programs.size(); ++i) {
    EXPECT_EQ(look.programs[i + 1].address, addresses[i]);
    EXPECT_EQ(look.programs[i + 1].program, absl::StrCat("program-", i));
    EXPECT_EQ(look.programs[i + 1].error, "");
  }
  EXPECT_EQ(look.programs.back().program, "");
  EXPECT_NE(look.programs.back().error, "");
  EXPECT_FALSE(look.all.rates.has_value()) << "rates take two looks";

  sends = 30;
  clock.Advance(absl::Seconds(10));
  look = watch.Next();
  ASSERT_TRUE(look.all.rates.has_value());
  EXPECT_DOUBLE_EQ(look.programs[0].overview.rates->sends, 3);
  EXPECT_DOUBLE_EQ(look.all.rates->sends, 3);

  // One less: a sum over fewer is no rate.
  programs[0]->exposer.reset();
  clock.Advance(absl::Seconds(10));
  look = watch.Next();
  EXPECT_NE(look.programs[1].error, "");
  EXPECT_FALSE(look.all.rates.has_value());
}

TEST(WatchTest, TheJsonHasTheDocumentedShape) {
  SimulatedClock clock;
  Watch watch({"127.0.0.1:1"}, &clock, [] { return Own(0); });
  const nlohmann::ordered_json json = ToJson(watch.Next());
  EXPECT_TRUE(json["all"].is_object());
  ASSERT_EQ(json["programs"].size(), 2u);
  EXPECT_EQ(json["programs"][0]["program"], "bellwire-own");
  EXPECT_TRUE(json["programs"][0]["overview"].is_object());
  EXPECT_EQ(json["programs"][1]["address"], "127.0.0.1:1");
  EXPECT_FALSE(json["programs"][1].contains("overview"));
  EXPECT_TRUE(json["programs"][1].contains("error"));
}

}  // namespace
}  // namespace bellwire::metrics
