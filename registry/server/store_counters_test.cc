#include "registry/server/store_counters.h"

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

using StepTaken = DeviceTransaction::StepTaken;

std::map<std::string, prometheus::MetricFamily> Report(const StoreCounters& counters) {
  metrics::Samples samples;
  counters.Report(&samples);
  std::map<std::string, prometheus::MetricFamily> families;
  for (prometheus::MetricFamily& family : samples.Take()) {
    const std::string name = family.name;
    families.emplace(name, std::move(family));
  }
  return families;
}

double StepsOf(const StoreCounters& counters, const std::string& step) {
  const auto families = Report(counters);
  for (const auto& metric : families.at("bellwire_registry_steps_total").metric) {
    if (metric.label.at(0).value == step) return metric.counter.value;
  }
  return -1;
}

TEST(StoreCountersTest, AStepCountsOnceItIsDurable) {
  StoreCounters counters;
  const std::vector<StepTaken> steps = {{push::v1::STORED, absl::ZeroDuration()},
                                        {push::v1::AGENT_ACKED, absl::Milliseconds(7)}};
  counters.Stage(steps);
  EXPECT_EQ(StepsOf(counters, "stored"), 0);
  counters.OnCommit(absl::UnavailableError("disk full"), absl::Seconds(1));
  EXPECT_EQ(StepsOf(counters, "stored"), 0);
  EXPECT_FALSE(counters.ok());

  counters.Stage(steps);
  counters.OnCommit(absl::OkStatus(), absl::Milliseconds(2));
  EXPECT_TRUE(counters.ok());
  EXPECT_EQ(StepsOf(counters, "stored"), 1);
  EXPECT_EQ(StepsOf(counters, "agent_acked"), 1);
  const auto families = Report(counters);
  const auto& to_agent =
      families.at("bellwire_registry_to_agent_seconds").metric.at(0).histogram;
  EXPECT_EQ(to_agent.sample_count, 1u);
  EXPECT_DOUBLE_EQ(to_agent.sample_sum, 0.007);
  EXPECT_EQ(families.at("bellwire_registry_to_app_seconds").metric.at(0).histogram.sample_count,
            0u);
  const auto& commits = families.at("bellwire_registry_commits_total").metric;
  EXPECT_EQ(commits.at(0).counter.value, 1);
  EXPECT_EQ(commits.at(1).counter.value, 1);
}

TEST(StoreCountersTest, AStoreThatFailedIsWellAgainWhenItCanBeRead) {
  StoreCounters counters;
  counters.OnCommit(absl::UnavailableError("disk full"), absl::ZeroDuration());
  counters.OnRead(absl::UnavailableError("still closed"));
  EXPECT_FALSE(counters.ok());
  // Damage of one record says nothing of the disk.
  counters.OnRead(absl::DataLossError("a record"));
  EXPECT_FALSE(counters.ok());
  std::vector<bool> told;
  counters.SetOnChange([&](bool ok) { told.push_back(ok); });
  counters.OnRead(absl::OkStatus());
  EXPECT_TRUE(counters.ok());
  counters.OnRead(absl::OkStatus());
  counters.OnRead(absl::UnavailableError("again"));
  EXPECT_EQ(told, (std::vector<bool>{true, false}));
  counters.SetOnChange(nullptr);
  counters.OnRead(absl::OkStatus());
  EXPECT_EQ(told.size(), 2u);
  counters.OnRead(absl::DataLossError("a record"));
  EXPECT_TRUE(counters.ok());
}

}  // namespace
}  // namespace bellwire::registry
