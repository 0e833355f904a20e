#ifndef BELLWIRE_REGISTRY_TESTING_MEMORY_COMMIT_LOG_H_
#define BELLWIRE_REGISTRY_TESTING_MEMORY_COMMIT_LOG_H_

#include <cstdint>
#include <map>
#include <string>

#include "registry/engine/commit_log.h"

namespace bellwire::registry {

// A CommitLog of tests. What it is told becomes true with Commit().
class MemoryCommitLog final : public CommitLog {
 public:
  void Append(uint64_t commit, absl::string_view entry) override {
    staged_[commit] = std::string(entry);
  }
  void TrimTo(uint64_t commit) override { trim_to_ = commit; }
  absl::Status ReadFrom(
      uint64_t commit,
      absl::FunctionRef<absl::Status(uint64_t commit, absl::string_view entry)> visit)
      const override {
    for (auto it = entries_.lower_bound(commit); it != entries_.end(); ++it) {
      if (const absl::Status status = visit(it->first, it->second); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  void Commit() {
    entries_.merge(staged_);
    entries_.erase(entries_.begin(), entries_.lower_bound(trim_to_));
    Crash();
  }
  // Forgets what was not committed.
  void Crash() {
    staged_.clear();
    trim_to_ = 0;
  }

 private:
  std::map<uint64_t, std::string> entries_;
  std::map<uint64_t, std::string> staged_;
  uint64_t trim_to_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_MEMORY_COMMIT_LOG_H_
