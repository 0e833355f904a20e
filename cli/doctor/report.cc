#include "cli/doctor/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bellwire::cli {

std::vector<std::string> Wrap(absl::string_view text, size_t columns) {
  std::vector<std::string> lines;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (lines.empty() || lines.back().size() + 1 + word.size() > columns) {
      lines.emplace_back(word);
    } else {
      absl::StrAppend(&lines.back(), " ", word);
    }
  }
  return lines;
}

void PrintFindings(const Findings& findings, Terminal& out) {
  for (const Finding& finding : findings) {
    const std::string title = absl::StrCat(SeverityName(finding.severity), "  ");
    const std::string name = absl::StrCat(PartName(finding.part), "  ", finding.cause);
    out.Line(absl::StrCat(finding.severity == Severity::kProblem ? out.Bad(title) : out.Bold(title),
                          name));
    constexpr size_t kIndent = 2;
    for (const std::string& line : Wrap(finding.what, kPageColumns - kIndent)) {
      out.Line(absl::StrCat(std::string(kIndent, ' '), line));
    }
    constexpr absl::string_view kToDo = "to do: ";
    bool first = true;
    for (const std::string& line : Wrap(finding.to_do, kPageColumns - kIndent - kToDo.size())) {
      out.Line(absl::StrCat(std::string(kIndent, ' '),
                            first ? out.Good(kToDo) : std::string(kToDo.size(), ' '), line));
      first = false;
    }
  }
}

nlohmann::ordered_json ToJson(const Finding& finding) {
  return {{"part", std::string(PartName(finding.part))},
          {"severity", std::string(SeverityName(finding.severity))},
          {"cause", finding.cause},
          {"subject", finding.subject},
          {"what", finding.what},
          {"to_do", finding.to_do}};
}

std::vector<std::string> PartsOf(const Facts& facts) {
  std::vector<std::string> parts;
  if (facts.server.has_value()) parts.emplace_back(PartName(Part::kServer));
  if (facts.agent.has_value()) parts.emplace_back(PartName(Part::kAgent));
  if (facts.companion.has_value()) parts.emplace_back(PartName(Part::kCompanion));
  return parts;
}

nlohmann::ordered_json DoctorJson(const Facts& facts, const Findings& findings) {
  nlohmann::ordered_json json = {{"ok", findings.empty()},
                                 {"parts", PartsOf(facts)},
                                 {"findings", nlohmann::ordered_json::array()}};
  for (const Finding& finding : findings) json["findings"].push_back(ToJson(finding));
  return json;
}

}  // namespace bellwire::cli
