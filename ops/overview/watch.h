#ifndef BELLWIRE_OPS_OVERVIEW_WATCH_H_
#define BELLWIRE_OPS_OVERVIEW_WATCH_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"
#include "ops/overview/flat_samples.h"
#include "ops/overview/overview.h"

namespace bellwire::metrics {

// A fleet has fewer.
inline constexpr size_t kMaxWatchedPrograms = 64;
// Programs that are asked at a time, each on a thread: one that is silent holds up its thread only.
inline constexpr size_t kAskedAtOnce = 8;

// One program at one look.
struct ProgramLook {
  // Empty: the process that looks.
  std::string address;
  // "bellwire-serve"; empty if it did not answer.
  std::string program;
  Overview overview;
  // Why it did not answer.
  std::string error;
};

// All of them.
struct Look {
  absl::Time time;
  std::vector<ProgramLook> programs;
  // Of those that answered, together.
  Overview all;
};

// Looks at programs again and again, and remembers the look before, for the rates. Not thread-safe.
class Watch {
 public:
  // `addresses`: as FetchMetrics. At most kMaxWatchedPrograms. `own`: of this process, which comes
  // first; null: it isn't looked at. `clock` outlives the watch.
  Watch(std::vector<std::string> addresses, const Clock* clock,
        std::function<FlatSamples()> own = nullptr);

  // Asks each. Blocks until all have answered or been given up: for a few times kScrapePatience,
  // once for every kAskedAtOnce programs.
  Look Next();

 private:
  struct Program {
    std::string address;
    std::optional<Snapshot> before;
  };
  struct Answer;

  Answer Ask(const Program& program) const;
  // In the order of the programs.
  std::vector<Answer> AskAll() const;

  const Clock* const clock_;
  const std::function<FlatSamples()> own_;
  std::vector<Program> programs_;
  std::optional<Snapshot> all_before_;
  // How many of them it is of.
  size_t all_before_programs_ = 0;
};

// {"time","programs":[{"address","program","overview","error"}],"all"}; docs/operate/console.md is
// the contract.
nlohmann::ordered_json ToJson(const Look& look);

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_OVERVIEW_WATCH_H_
