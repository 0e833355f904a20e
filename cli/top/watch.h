#ifndef BELLWIRE_CLI_TOP_WATCH_H_
#define BELLWIRE_CLI_TOP_WATCH_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"
#include "ops/overview/overview.h"

namespace bellwire::cli {

// A fleet has fewer.
inline constexpr size_t kMaxWatchedPrograms = 64;

// One program at one look.
struct ProgramLook {
  std::string address;
  // "bellwire-serve"; empty if it did not answer.
  std::string program;
  metrics::Overview overview;
  // Why it did not answer.
  std::string error;
};

// All of them.
struct Look {
  absl::Time time;
  std::vector<ProgramLook> programs;
  // Of those that answered, together.
  metrics::Overview all;
};

// Looks at programs again and again, and remembers the look before, for the rates. Not thread-safe.
class Watch {
 public:
  // `addresses`: as FetchMetrics. At most kMaxWatchedPrograms. `clock` outlives it.
  Watch(std::vector<std::string> addresses, const Clock* clock);

  // Asks each, one after the other. Blocks as FetchMetrics.
  Look Next();

 private:
  struct Program {
    std::string address;
    std::optional<metrics::Snapshot> before;
  };

  const Clock* const clock_;
  std::vector<Program> programs_;
  std::optional<metrics::Snapshot> all_before_;
  // How many of them it is of.
  size_t all_before_programs_ = 0;
};

// {"time","programs":[{"address","program","overview","error"}],"all"}; docs/operate/console.md is
// the contract.
nlohmann::ordered_json ToJson(const Look& look);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_TOP_WATCH_H_
