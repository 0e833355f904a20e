#ifndef BELLWIRE_CLI_DOCTOR_REPORT_H_
#define BELLWIRE_CLI_DOCTOR_REPORT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"
#include "cli/terminal.h"
#include "nlohmann/json.hpp"

// How findings are shown. docs/operate/doctor.md is the contract of the JSON.
namespace bellwire::cli {

// What a person's terminal has at least.
inline constexpr size_t kPageColumns = 80;

// `text` in lines of at most `columns` characters, broken at spaces; a word that is longer stays
// whole. Pure.
std::vector<std::string> Wrap(absl::string_view text, size_t columns);

// Each with what to do, within kPageColumns but for words that are longer.
void PrintFindings(const Findings& findings, Terminal& out);

// {"part","severity","cause","subject","what","to_do"}.
nlohmann::ordered_json ToJson(const Finding& finding);
// Names of the parts that were looked at.
std::vector<std::string> PartsOf(const Facts& facts);
// {"ok","parts","findings"}.
nlohmann::ordered_json DoctorJson(const Facts& facts, const Findings& findings);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_REPORT_H_
