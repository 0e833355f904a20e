#include "connector/shard/connection_log.h"

#include "absl/strings/str_cat.h"
#include "common/limits.h"

namespace bellwire::connector {

bool ConnectionLog::MayTellOfStranger(absl::string_view kind) {
  return MayTell(kind, &stranger_lines_, kMaxStrangerLogLines);
}

bool ConnectionLog::MayTellOfSession(absl::string_view kind) {
  return MayTell(kind, &session_lines_, kMaxSessionLogLines);
}

bool ConnectionLog::MayTell(absl::string_view kind, int* lines, int max_lines) {
  if (*lines < max_lines) {
    ++*lines;
    return true;
  }
  Count(kind);
  return false;
}

std::optional<std::string> ConnectionLog::Summary() {
  const MonotonicTime now = clock_->Monotonic();
  if (now - began_ < kConnectionLogInterval) return std::nullopt;
  std::string text;
  const bool only_probes = untold_.size() == 1 && untold_.contains(kProbe);
  if (!only_probes) {
    for (const auto& [kind, count] : untold_) {
      absl::StrAppend(&text, text.empty() ? "" : " ", kind, "=", count);
    }
  }
  began_ = now;
  stranger_lines_ = session_lines_ = 0;
  untold_.clear();
  return text;
}

}  // namespace bellwire::connector
