#include "ops/metrics/process_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <string>

#include "common/clock.h"
#include "gtest/gtest.h"

namespace bellwire::metrics {
namespace {

std::map<std::string, double> Collect() {
  Samples samples;
  CollectProcess(&samples);
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : samples.Take()) {
    const prometheus::ClientMetric& metric = family.metric.at(0);
    values[family.name] = family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                                         : metric.gauge.value;
  }
  return values;
}

TEST(ProcessSourceTest, SaysWhatThisProcessUses) {
  const std::map<std::string, double> before = Collect();
  EXPECT_GT(before.at("process_resident_memory_bytes"), 1'000'000);
  EXPECT_GE(before.at("process_threads"), 1);
  EXPECT_GE(before.at("process_max_fds"), before.at("process_open_fds"));
  const double now = absl::ToDoubleSeconds(RealClock()->WallNow() - absl::UnixEpoch());
  EXPECT_NEAR(before.at("process_start_time_seconds"), now, 600);

  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(Collect().at("process_open_fds"), before.at("process_open_fds") + 1);
  close(fd);
  EXPECT_EQ(Collect().at("process_open_fds"), before.at("process_open_fds"));
}

TEST(ProcessSourceTest, CpuTimeGrowsWithWork) {
  const double before = Collect().at("process_cpu_seconds_total");
  volatile uint64_t work = 0;
  // A tick is 10 ms.
  while (Collect().at("process_cpu_seconds_total") <= before) {
    for (int i = 0; i < 100'000; ++i) work = work + 1;
  }
}

}  // namespace
}  // namespace bellwire::metrics
