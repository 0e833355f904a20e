#include "ops/metrics/samples.h"

#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"

namespace bellwire::metrics {
namespace {

std::string Text(Samples* samples) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, samples->Take());
  return text.str();
}

TEST(SamplesTest, SamplesOfOneMetricAreOneFamily) {
  Samples samples;
  samples.AddQueue("a", 3, 10);
  samples.AddQueue("b", 4, 20);
  const std::string text = Text(&samples);
  EXPECT_NE(text.find("bellwire_queue_length{queue=\"a\"} 3\n"
                      "bellwire_queue_length{queue=\"b\"} 4\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("bellwire_queue_bound{queue=\"b\"} 20\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("# TYPE bellwire_queue_length"), text.rfind("# TYPE bellwire_queue_length"));
  EXPECT_EQ(Text(&samples), "");
}

TEST(SamplesTest, ADurationIsInSecondsAndBucketsAddUp) {
  static constexpr uint64_t kBounds[] = {1'000, 2'000'000};
  Histogram histogram(kBounds, Histogram::Unit::kMicroseconds);
  histogram.Observe(absl::Microseconds(500));
  histogram.Observe(absl::Seconds(1));
  histogram.Observe(absl::Seconds(3));
  Samples samples;
  samples.Add(kCommitSeconds, histogram);
  const std::string text = Text(&samples);
  for (const char* line : {
           "bellwire_registry_commit_seconds_count 3\n",
           "bellwire_registry_commit_seconds_sum 4.0005\n",
           "bellwire_registry_commit_seconds_bucket{le=\"0.001\"} 1\n",
           "bellwire_registry_commit_seconds_bucket{le=\"2\"} 2\n",
           "bellwire_registry_commit_seconds_bucket{le=\"+Inf\"} 3\n",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(SamplesTest, ACounterShowsWhatItCounted) {
  Counter counter;
  counter.Add(7);
  Samples samples;
  samples.Add(kCommits, {"ok"}, counter);
  EXPECT_NE(Text(&samples).find("bellwire_registry_commits_total{result=\"ok\"} 7\n"),
            std::string::npos);
}

}  // namespace
}  // namespace bellwire::metrics
