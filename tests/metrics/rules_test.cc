// The alert rules as promtool sees them, and the page that says what to do about each.

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

constexpr char kRules[] = "deploy/prometheus/alerts.yml";
constexpr char kRulesTest[] = "deploy/prometheus/alerts_test.yml";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Of lines such as "- alert: NAME".
std::set<std::string> NamesAfter(absl::string_view key, const std::string& text) {
  std::set<std::string> names;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    absl::ConsumePrefix(&line, "- ");
    if (absl::ConsumePrefix(&line, key)) names.emplace(absl::StripAsciiWhitespace(line));
  }
  return names;
}

void Promtool(const std::vector<std::string>& arguments) {
  auto promtool = Process::Start("promtool", "/usr/bin/promtool", arguments);
  ASSERT_TRUE(promtool.ok()) << promtool.status();
  const auto code = (*promtool)->Wait();
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 0) << (*promtool)->Log();
}

TEST(RulesTest, PromtoolAcceptsThem) { Promtool({"check", "rules", "--lint-fatal", kRules}); }

TEST(RulesTest, PromtoolAcceptsTheExampleConfiguration) {
  Promtool({"check", "config", "deploy/prometheus/prometheus.yml"});
}

TEST(RulesTest, EachFiresForWhatItIsAbout) { Promtool({"test", "rules", kRulesTest}); }

TEST(RulesTest, EachHasATestAndASectionOfThePage) {
  const std::set<std::string> alerts = NamesAfter("alert:", ReadFile(kRules));
  EXPECT_GT(alerts.size(), 5u);
  EXPECT_EQ(NamesAfter("alertname:", ReadFile(kRulesTest)), alerts);
  EXPECT_EQ(NamesAfter("### Bellwire", ReadFile("docs/operate/metrics.md")).size(), alerts.size());
  for (const std::string& alert : alerts) {
    EXPECT_NE(ReadFile("docs/operate/metrics.md").find(absl::StrCat("\n### ", alert, "\n")),
              std::string::npos)
        << alert;
    EXPECT_NE(ReadFile(kRules).find(absl::StrCat("runbook: docs/operate/metrics.md#",
                                                 absl::AsciiStrToLower(alert), "\n")),
              std::string::npos)
        << alert;
  }
}

}  // namespace
}  // namespace bellwire::tests
