#ifndef BELLWIRE_REGISTRY_ENGINE_COMMIT_LOG_H_
#define BELLWIRE_REGISTRY_ENGINE_COMMIT_LOG_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::registry {

// What the commits since some point said about short-lived records, one entry a commit
// (registry/engine/logged_commit.h). RecentWrites holds these records in memory, and the engine's
// tables hear of them later or never; a start redoes the entries.
//
// An engine implements it in its own store, so that an entry is durable exactly when its commit is.
// Not thread-safe.
class CommitLog {
 public:
  virtual ~CommitLog() = default;

  // Adds an entry to the commit that is being made. Numbers grow. REQUIRES: `commit` is greater
  // than that of every entry before.
  virtual void Append(uint64_t commit, absl::string_view entry) = 0;

  // Removes all entries before `commit`, with the commit that is being made.
  virtual void TrimTo(uint64_t commit) = 0;

  // Visits the entries from `commit` on, in the order of their numbers, until `visit` fails. The
  // view is valid during the call only. Returns the error of `visit`, or why the log can't be read.
  virtual absl::Status ReadFrom(
      uint64_t commit,
      absl::FunctionRef<absl::Status(uint64_t commit, absl::string_view entry)> visit) const = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_COMMIT_LOG_H_
