#ifndef BELLWIRE_CLI_STATUS_STATUS_PAGE_H_
#define BELLWIRE_CLI_STATUS_STATUS_PAGE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"
#include "cli/terminal.h"
#include "nlohmann/json.hpp"

// One page for a person: what runs on this box, what is wrong, what to do next. From the facts and
// findings of `bellwire doctor`. docs/operate/doctor.md is the contract of the JSON.
namespace bellwire::cli {

// Findings that the page shows; the rest is counted. So it stays a page.
inline constexpr size_t kFindingsOnPage = 4;

// One part of Bellwire on this box.
struct StatusBlock {
  Part part = Part::kServer;
  bool good = false;
  // A word or two: "running", "not connected".
  std::string state;
  // Lines, each of a few short facts.
  std::vector<std::string> lines;
};

// Pure.
std::vector<StatusBlock> StatusBlocks(const Facts& facts);

// Within kPageColumns, but for names and paths that are longer.
void PrintStatus(const Facts& facts, const Findings& findings, Terminal& out);

// {"version","time","server","agent","companion","findings"}; parts that are not there are left
// out.
nlohmann::ordered_json StatusJson(const Facts& facts, const Findings& findings);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_STATUS_STATUS_PAGE_H_
