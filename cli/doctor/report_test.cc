#include "cli/doctor/report.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::ElementsAre;

TEST(ReportTest, WrapsAtSpaces) {
  EXPECT_THAT(Wrap("one two three", 8), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("  a  longer_than_that b", 6), ElementsAre("a", "longer_than_that", "b"));
  EXPECT_THAT(Wrap("", 6), ElementsAre());
}

Findings Two() {
  Findings findings = {
      {Part::kAgent, Severity::kWarning, "VERSION_DIFFERS", "/run/bellwire/agent.sock",
       "the agent is version 1, this program 2, which is a thing that takes more than one line to "
       "say",
       "install the same version of both, and restart the agent, and then look whether it is so"},
      {Part::kServer, Severity::kProblem, "DISK_FULL", "/data", "the disk is full", "make room"}};
  SortFindings(&findings);
  return findings;
}

TEST(ReportTest, FitsATerminalAndBeginsWithProblems) {
  std::ostringstream page;
  Terminal out(&page, /*colour=*/false);
  PrintFindings(Two(), out);
  EXPECT_THAT(page.str(), testing::StartsWith("problem  server  DISK_FULL\n  the disk is full\n"
                                              "  to do: make room\nwarning  agent  VERSION"));
  std::istringstream lines(page.str());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), kPageColumns) << line;
}

TEST(ReportTest, TheJsonHasTheDocumentedShape) {
  Facts facts;
  facts.agent.emplace();
  EXPECT_EQ(DoctorJson(facts, {}).dump(), R"({"ok":true,"parts":["agent"],"findings":[]})");
  const nlohmann::ordered_json json = DoctorJson(facts, Two());
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["findings"][0].dump(),
            R"({"part":"server","severity":"problem","cause":"DISK_FULL","subject":"/data",)"
            R"("what":"the disk is full","to_do":"make room"})");
}

}  // namespace
}  // namespace bellwire::cli
