#include "registry/engine/postgres/pg_status.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

struct Hint {
  // Beginning of the SQLSTATE.
  absl::string_view sqlstate;
  absl::string_view to_do;
};
// The first that fits.
constexpr Hint kHints[] = {
    {"40P01", "deadlock; nothing was written, and a repetition helps"},
    {"40001", "serialization failure; nothing was written, and a repetition helps"},
    {"55P03", "another transaction holds the lease; it is tried again"},
    {"25006",
     "the database is read-only: name the primary too, or end default_transaction_read_only"},
    {"53100", "the database's disk is full: make room there"},
    {"53300", "the database has too many connections: raise its max_connections"},
    {"53", "the database lacks resources"},
    {"28",
     "the database refuses the user: see user, password and passfile of --database, and "
     "pg_hba.conf"},
    {"3D000", "there is no such database: create it, or correct dbname of --database"},
    {"3F000", "there is no store in the database: `bellwire fleet init` makes one"},
    {"42P01",
     "there is no store in the database, or not all of it: `bellwire fleet init` makes one"},
    {"42703", "the tables are not those of this version"},
    {"42501", "the user may not use the tables: let him own the schema bellwire"},
    {"57", "the server is shutting down, or somebody ended the connection"},
};

// For texts of libpq, which come without SQLSTATE.
constexpr Hint kConnectionHints[] = {
    {"password authentication failed", "see user, password and passfile of --database"},
    {"no password supplied", "give passfile or password in --database"},
    {"certificate has expired", "renew the certificate"},
    {"alert certificate expired", "renew the certificate that sslcert of --database names"},
    {"alert unknown ca", "see sslcert of --database, and ssl_ca_file of the server"},
    {"certificate verify failed",
     "the server's certificate has expired, or is not of sslrootcert of --database"},
    {"does not match host name",
     "see sslmode and host of --database, and the server's certificate"},
    {"no pg_hba.conf entry", "let the user in by pg_hba.conf"},
    {"too many clients", "raise max_connections of the database"},
    {"too many connections for", "raise CONNECTION LIMIT of the user or the database"},
    {"remaining connection slots", "raise max_connections of the database"},
    {"session is read-only", "none of the hosts of --database is the primary"},
    {"server is in hot standby mode", "none of the hosts of --database is the primary"},
};

}  // namespace

std::string PgOneLine(absl::string_view text) {
  std::string line;
  bool space = false;
  for (const char c : text) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c)) ||
        absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      space = !line.empty();
      continue;
    }
    if (line.size() >= kMaxDatabaseTextBytes) {
      line += "...";
      break;
    }
    if (space) line += ' ';
    space = false;
    line += c;
  }
  return line;
}

absl::Status FromPgError(absl::string_view sqlstate, absl::string_view message,
                         absl::string_view doing) {
  std::string what = absl::StrCat(doing, ": ", PgOneLine(message), " (SQLSTATE ", sqlstate, ")");
  if (absl::StartsWith(sqlstate, "XX")) return StoreCorruptError(what);
  for (const Hint& hint : kHints) {
    if (absl::StartsWith(sqlstate, hint.sqlstate)) {
      return StoreUnavailableError(absl::StrCat(what, ": ", hint.to_do));
    }
  }
  return StoreUnavailableError(what);
}

bool IsPgSetupError(absl::string_view sqlstate) {
  // Who may log in, what there is, and what of it he may use.
  return absl::StartsWith(sqlstate, "28") || absl::StartsWith(sqlstate, "3D") ||
         absl::StartsWith(sqlstate, "3F") || absl::StartsWith(sqlstate, "42");
}

bool EndsPgConnection(absl::string_view sqlstate) {
  return sqlstate == "25006" || absl::StartsWith(sqlstate, "57P") ||
         absl::StartsWith(sqlstate, "08");
}

absl::Status FromPgConnection(absl::string_view text, absl::string_view doing) {
  const std::string what = absl::StrCat(doing, ": ", PgOneLine(text));
  for (const Hint& hint : kConnectionHints) {
    if (absl::StrContains(text, hint.sqlstate)) {
      return StoreUnavailableError(absl::StrCat(what, ": ", hint.to_do));
    }
  }
  return StoreUnavailableError(what);
}

absl::Status DatabaseSetupError(absl::string_view what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "DATABASE_SETUP",
                   absl::StrCat("the registry can't use this database: ", what));
}

absl::Status DatabaseFormatError(absl::string_view what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT",
                   absl::StrCat("the registry's store in the database ", what));
}

absl::Status NotOwnerError(absl::string_view what) {
  return MakeError(absl::StatusCode::kUnavailable, "NOT_OWNER", what);
}

}  // namespace bellwire::registry
