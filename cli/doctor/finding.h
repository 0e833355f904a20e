#ifndef BELLWIRE_CLI_DOCTOR_FINDING_H_
#define BELLWIRE_CLI_DOCTOR_FINDING_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace bellwire::cli {

// What of Bellwire may run on a box.
enum class Part { kServer, kAgent, kCompanion };

// "server", "agent", "companion".
absl::string_view PartName(Part part);

enum class Severity {
  kWarning,  // It works, and will not for long, or not for all.
  kProblem,  // Something does not work.
};

// "warning", "problem".
absl::string_view SeverityName(Severity severity);

// One thing that is wrong on this box.
struct Finding {
  Part part = Part::kServer;
  Severity severity = Severity::kProblem;
  // UPPER_SNAKE_CASE, for programs; docs/operate/doctor.md lists all.
  std::string cause;
  // What it is about: a path, an address, an app.
  std::string subject;
  // For a person: what is wrong, and what to do about it. A sentence or two each.
  std::string what;
  std::string to_do;
};

using Findings = std::vector<Finding>;

// Problems first, and then as they were found.
void SortFindings(Findings* findings);

// Whether there is a finding of this part and cause.
bool Has(const Findings& findings, Part part, absl::string_view cause);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FINDING_H_
