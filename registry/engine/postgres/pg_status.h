#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_STATUS_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// What PostgreSQL and libpq say, as absl::Status: here and nowhere else.
namespace bellwire::registry {

// Longest that a text of the database may be in an error of ours, in bytes.
inline constexpr size_t kMaxDatabaseTextBytes = 400;

// A text of the server or of libpq, which may have several lines, as one line of printable
// characters.
std::string PgOneLine(absl::string_view text);

// An error that the server has answered to a statement. `sqlstate` has five characters; `doing`
// says what was tried.
//   DATA_LOSS STORE_CORRUPT: the server has found damage (class XX).
//   UNAVAILABLE REGISTRY_UNAVAILABLE: all else. Nothing of the statement was done; the message says
//   what the operator does about it, where something is to be done.
absl::Status FromPgError(absl::string_view sqlstate, absl::string_view message,
                         absl::string_view doing);

// Whether no repetition helps: somebody has to change the setup of the database, or ours.
bool IsPgSetupError(absl::string_view sqlstate);
// Whether another server, or the same one later, may do what this connection can't.
bool EndsPgConnection(absl::string_view sqlstate);

// A connection that was not made, or broke; `text` is libpq's.
//   UNAVAILABLE REGISTRY_UNAVAILABLE
absl::Status FromPgConnection(absl::string_view text, absl::string_view doing);

// FAILED_PRECONDITION DATABASE_SETUP: the database can't be used as it is set up. `what` says what
// is wrong and what to do.
absl::Status DatabaseSetupError(absl::string_view what);

// FAILED_PRECONDITION STORE_FORMAT: there is no store in the database, or one of another version.
absl::Status DatabaseFormatError(absl::string_view what);

// UNAVAILABLE NOT_OWNER: another registry owns the partitions now. Final for the engine that says
// so.
absl::Status NotOwnerError(absl::string_view what);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_STATUS_H_
