#ifndef BELLWIRE_GATEWAY_ADMIN_AUDIT_LOG_H_
#define BELLWIRE_GATEWAY_ADMIN_AUDIT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

// Who did what to a server, with which outcome: DATA_DIR/audit.log, a JSON object a line, only ever
// appended to. Each line holds the hash of the line before it and its own, so that a line that was
// changed, taken out or put in shows. What was cut off at the end shows only to whoever knows the
// last hash from elsewhere: every line's number and hash are in the server's log as well.
// docs/operate/security.md describes the file.
namespace bellwire::gateway {

// Administrators change things by hand; a script that waits for no answer is told to.
inline constexpr size_t kMaxQueuedAuditRecords = 1024;
// Names and ids only; longer ones are cut.
inline constexpr size_t kMaxAuditValueBytes = 256;
// Of a line that is read. One that is written has less.
inline constexpr size_t kMaxAuditLineBytes = 16 * 1024;

struct AuditRecord {
  // An administrator's name; empty: nobody that the server knows.
  std::string who;
  // "owner"
  std::string role;
  // "address:port", or what a person used on the server's machine.
  std::string peer;
  // "CreateTeam"
  std::string what;
  // Such as {"team_id", "abcdefghij"}.
  std::vector<std::pair<std::string, std::string>> about;
  // "asked" before it is done; then "OK", or the reason of the error.
  std::string outcome;
  // The number of the record that asked. 0: none.
  uint64_t of = 0;
};

struct AuditEntry {
  uint64_t number = 0;
  // RFC 3339.
  std::string time;
  // SHA-256, hex.
  std::string hash;
  AuditRecord record;
};

// Appends a record and syncs it; several processes may do so. A file that root makes belongs to
// whom its directory belongs to. Blocking; thread-safe.
//   UNAVAILABLE AUDIT_NOT_WRITTEN: it is not in the file, or maybe half of it, which the next one
//   marks DATA_LOSS AUDIT_DAMAGED: the last line is none of ours
absl::StatusOr<AuditEntry> AppendToAuditLog(const std::string& path, const AuditRecord& record,
                                            absl::Time now);

// Reads the file and checks it; `each` gets the entries in order. Blocking; thread-safe.
//   NOT_FOUND: there is none · UNAVAILABLE: it can't be read
//   DATA_LOSS AUDIT_DAMAGED: names the line and what is wrong with it; `each` had those before
absl::Status ReadAuditLog(const std::string& path,
                          absl::FunctionRef<void(const AuditEntry& entry)> each);
// The same of its text.
absl::Status CheckAuditText(absl::string_view text,
                            absl::FunctionRef<void(const AuditEntry& entry)> each);

// Appends on a thread of its own. Thread-safe.
class AuditLog {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<uint64_t> number) &&>;

  // `path`: empty keeps none, and every record is taken. `clock` outlives it.
  AuditLog(std::string path, const Clock* clock);
  // Writes what is queued.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // `done` gets the record's number once it is on disk, on the log's thread; or at once
  //   RESOURCE_EXHAUSTED OVERLOADED: kMaxQueuedAuditRecords wait
  //   and the errors of AppendToAuditLog
  void Append(AuditRecord record, Done done);

 private:
  struct Job {
    AuditRecord record;
    Done done;
  };
  void Run();

  const std::string path_;
  const Clock* const clock_;
  absl::Mutex mu_;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  // Last: it uses the rest.
  std::thread thread_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_AUDIT_LOG_H_
