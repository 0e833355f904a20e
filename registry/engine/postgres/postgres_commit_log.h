#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_COMMIT_LOG_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_COMMIT_LOG_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "registry/engine/commit_log.h"
#include "registry/engine/postgres/commit_statement.h"
#include "registry/engine/postgres/pg_connection.h"

namespace bellwire::registry {

// The CommitLog of PostgresEngine: a row an entry in the table bellwire.commit_log, under a
// partition that the owner of the log has.
class PostgresCommitLog final : public CommitLog {
 public:
  // Of ReadFrom, how many entries it asks for at a time: 256 operations take some 100 KiB each.
  static constexpr int kPageEntries = 32;

  // Entries and their removals go into `statement`, which is the commit. None is owned; all outlive
  // this.
  PostgresCommitLog(PgConnection* connection, int partition, CommitStatement* statement)
      : connection_(*connection), partition_(partition), statement_(*statement) {}

  void Append(uint64_t commit, absl::string_view entry) override;
  void TrimTo(uint64_t commit) override;
  absl::Status ReadFrom(
      uint64_t commit,
      absl::FunctionRef<absl::Status(uint64_t commit, absl::string_view entry)> visit)
      const override;

 private:
  PgConnection& connection_;
  const int partition_;
  CommitStatement& statement_;
  // No entry before it exists. ReadFrom(0) finds it, Append and TrimTo go on from there.
  mutable uint64_t first_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_COMMIT_LOG_H_
