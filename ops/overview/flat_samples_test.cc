#include "ops/overview/flat_samples.h"

#include <limits>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "ops/metrics/samples.h"
#include "prometheus/text_serializer.h"

namespace bellwire::metrics {
namespace {

constexpr uint64_t kBounds[] = {1'000, 10'000};

// What a gateway would say.
std::vector<prometheus::MetricFamily> Families() {
  Histogram histogram(kBounds, Histogram::Unit::kMicroseconds);
  histogram.Observe(500);
  histogram.Observe(500);
  histogram.Observe(5'000);
  histogram.Observe(50'000);
  Samples samples;
  samples.Add(kMessages, {"grpc", "team", "accepted"}, 3);
  samples.Add(kMessages, {"json", "team", "accepted"}, 4);
  samples.Add(kMessages, {"json", "team", "invalid"}, 1);
  samples.Add(kSendSeconds, {"grpc"}, histogram);
  samples.Add(kSessions, 7);
  return samples.Take();
}

TEST(FlatSamples, AreTheSameFromTheProcessAndFromItsText) {
  const FlatSamples flat = Flatten(Families());
  const absl::StatusOr<FlatSamples> parsed =
      ParseMetricsText(prometheus::TextSerializer().Serialize(Families()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  for (const FlatSamples& samples : {flat, *parsed}) {
    EXPECT_EQ(SumOf(samples, kMessages.name), 8);
    EXPECT_EQ(SumOf(samples, kMessages.name, {{"outcome", "accepted"}}), 7);
    EXPECT_EQ(SumOf(samples, kMessages.name, {{"outcome", "accepted"}, {"door", "json"}}), 4);
    EXPECT_EQ(SumOf(samples, kSessions.name), 7);
    EXPECT_EQ(SumOf(samples, "nothing"), std::nullopt);
    EXPECT_EQ(SumOf(samples, kSessions.name, {{"door", "json"}}), std::nullopt);
    const Buckets buckets = BucketsOf(samples, kSendSeconds.name);
    ASSERT_EQ(buckets.size(), 3u);
    EXPECT_EQ(buckets.at(0.001), 2);
    EXPECT_EQ(buckets.at(0.01), 3);
    EXPECT_EQ(CountOf(buckets), 4);
  }
}

TEST(FlatSamples, QuantilesLieWithinTheirBuckets) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Buckets buckets = {{1, 10}, {2, 30}, {4, 30}, {infinity, 40}};
  EXPECT_DOUBLE_EQ(Quantile(buckets, 0.125), 0.5);
  EXPECT_DOUBLE_EQ(Quantile(buckets, 0.5), 1.5);
  EXPECT_DOUBLE_EQ(Quantile(buckets, 0.99), 4) << "beyond the last bound nothing is known";
}

TEST(FlatSamples, ARestartCountsFromZero) {
  const Buckets before = {{1, 10}, {2, 30}};
  EXPECT_EQ(Since(before, {{1, 12}, {2, 33}}), (Buckets{{1, 2}, {2, 3}}));
  EXPECT_EQ(Since(before, {{1, 1}, {2, 2}}), (Buckets{{1, 1}, {2, 2}}));
  EXPECT_EQ(Since({}, before), before);
}

TEST(FlatSamples, ReadWhatPrometheusMayWrite) {
  const auto samples = ParseMetricsText(
      "# HELP a b\n"
      "\n"
      "a{x=\"q\\\"uote\\\\ \\n\",y=\"\",} 1.5e3 1700000000000\r\n"
      "b +Inf\n"
      "c{} NaN\n");
  ASSERT_TRUE(samples.ok()) << samples.status();
  ASSERT_EQ(samples->size(), 3u);
  EXPECT_EQ(*(*samples)[0].Label("x"), "q\"uote\\ \n");
  EXPECT_EQ((*samples)[0].value, 1500);
  EXPECT_EQ((*samples)[1].value, std::numeric_limits<double>::infinity());
}

TEST(FlatSamples, RefuseWhatIsNone) {
  for (const char* line : {"{a=\"b\"} 1", "a", "a{b} 1", "a{b=\"c} 1", "a{b=\"c\"d=\"e\"} 1",
                           "a one", "a 1 2 3", "<html>"}) {
    EXPECT_EQ(ErrorReason(ParseMetricsText(line).status()), "BAD_METRICS") << line;
  }
  std::string many;
  for (size_t i = 0; i <= kMaxFlatSamples; ++i) many += "a 1\n";
  EXPECT_EQ(ErrorReason(ParseMetricsText(many).status()), "METRICS_TOO_LONG");
  EXPECT_EQ(ErrorReason(ParseMetricsText(std::string(kMaxMetricsTextBytes + 1, ' ')).status()),
            "METRICS_TOO_LONG");
}

}  // namespace
}  // namespace bellwire::metrics
