#include "ops/metrics/metrics.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "crypto/certificates.h"
#include "gtest/gtest.h"

namespace bellwire::metrics {
namespace {

std::map<std::string, prometheus::MetricFamily> ByName(const Metrics& metrics) {
  std::map<std::string, prometheus::MetricFamily> families;
  for (prometheus::MetricFamily& family : metrics.Collect()) {
    const std::string name = family.name;
    families.emplace(name, std::move(family));
  }
  return families;
}

TEST(MetricsTest, SaysWhichProgramItIsAndWhatItsSourcesSay) {
  Readiness readiness;
  Metrics metrics("bellwire-test", &readiness);
  int asked = 0;
  metrics.AddSource([&](Samples* samples) { samples->Add(kSessions, ++asked); });
  EXPECT_EQ(ByName(metrics).at("bellwire_connector_sessions").metric.at(0).gauge.value, 1);
  const auto families = ByName(metrics);
  EXPECT_EQ(families.at("bellwire_connector_sessions").metric.at(0).gauge.value, 2);
  EXPECT_EQ(families.at("bellwire_build_info").metric.at(0).label.at(0).value, "bellwire-test");
  EXPECT_TRUE(families.contains("process_resident_memory_bytes"));
}

TEST(MetricsTest, ShowsWhetherItIsReady) {
  Readiness readiness;
  absl::Status store;
  readiness.AddCheck([&] { return store; });
  Metrics metrics("bellwire-test", &readiness);
  const auto ready = [&] { return ByName(metrics).at("bellwire_ready").metric.at(0).gauge.value; };
  EXPECT_EQ(ready(), 1);
  store = absl::UnavailableError("the disk is full");
  EXPECT_EQ(ready(), 0);
  EXPECT_EQ(readiness.Get().message(), "the disk is full");
  store = absl::OkStatus();
  EXPECT_EQ(ready(), 1);
  readiness.SetDraining();
  EXPECT_EQ(ready(), 0);
}

TEST(MetricsTest, ACertificateIsReadAgainAtEachScrape) {
  const absl::Time end = absl::FromUnixSeconds(1'900'000'000);
  const auto ca = MakeCertificateAuthority(
      "test", {.not_before = end - absl::Hours(1), .not_after = end});
  ASSERT_TRUE(ca.ok()) << ca.status();
  const std::string path = absl::StrCat(std::getenv("TEST_TMPDIR"), "/server.pem");
  Readiness readiness;
  Metrics metrics("bellwire-test", &readiness);
  metrics.AddCertificate("server", path);
  const auto expiry = [&] {
    return ByName(metrics)
        .at("bellwire_certificate_expiry_timestamp_seconds")
        .metric.at(0)
        .gauge.value;
  };
  EXPECT_EQ(expiry(), 0);
  std::ofstream(path) << ca->certificate_pem;
  EXPECT_EQ(expiry(), 1'900'000'000);
}

}  // namespace
}  // namespace bellwire::metrics
