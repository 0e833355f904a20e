#include "ops/metrics/catalogue.h"

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "prometheus/check_names.h"

namespace bellwire::metrics {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(CatalogueTest, NamesFollowPrometheus) {
  std::set<std::string> names;
  for (const Metric* metric : AllMetrics()) {
    EXPECT_TRUE(names.insert(metric->name).second) << metric->name << " is there twice";
    EXPECT_TRUE(prometheus::CheckMetricName(metric->name)) << metric->name;
    EXPECT_TRUE(absl::StartsWith(metric->name, "bellwire_") ||
                absl::StartsWith(metric->name, "process_"))
        << metric->name;
    EXPECT_EQ(absl::EndsWith(metric->name, "_total"), metric->kind == Kind::kCounter)
        << metric->name;
    for (const std::string& label : LabelsOf(*metric)) {
      EXPECT_TRUE(prometheus::CheckLabelName(label)) << metric->name << " " << label;
    }
    EXPECT_TRUE(absl::EndsWith(metric->help, ".")) << metric->name;
  }
}

// Each constant of the header is in the list.
TEST(CatalogueTest, TheListIsComplete) {
  const std::string header = ReadFile("ops/metrics/catalogue.h");
  size_t constants = 0;
  for (size_t at = 0; (at = header.find("inline constexpr Metric k", at)) != std::string::npos;
       ++at) {
    ++constants;
  }
  EXPECT_GT(constants, 0u);
  EXPECT_EQ(constants, AllMetrics().size());
}

TEST(CatalogueTest, ThePageHasTheSameTables) {
  const std::string page = ReadFile("docs/operate/metrics.md");
  const std::string table = RenderTable();
  EXPECT_NE(page.find(table), std::string::npos)
      << "docs/operate/metrics.md should contain, between its first and its next heading of the "
         "second level:\n\n"
      << table;
}

}  // namespace
}  // namespace bellwire::metrics
