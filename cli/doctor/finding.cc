#include "cli/doctor/finding.h"

#include <algorithm>

namespace bellwire::cli {

absl::string_view PartName(Part part) {
  switch (part) {
    case Part::kServer:
      return "server";
    case Part::kAgent:
      return "agent";
    case Part::kCompanion:
      return "companion";
  }
  return "";
}

absl::string_view SeverityName(Severity severity) {
  return severity == Severity::kProblem ? "problem" : "warning";
}

void SortFindings(Findings* findings) {
  std::stable_sort(findings->begin(), findings->end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
}

bool Has(const Findings& findings, Part part, absl::string_view cause) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.part == part && finding.cause == cause;
  });
}

}  // namespace bellwire::cli
