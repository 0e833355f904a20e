#ifndef BELLWIRE_COMMON_ERROR_H_
#define BELLWIRE_COMMON_ERROR_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// What an error says to a program, beside its canonical code: carried as payloads of absl::Status
// through all of Bellwire and turned into google.rpc details at the gRPC edge (rpc/grpc_status.h).
namespace bellwire {

// Reasons are UPPER_SNAKE_CASE and listed with the method in protos/; `message` says what is wrong,
// where, and what to do.
absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message);

// The reason, or "" if the status has none.
std::string ErrorReason(const absl::Status& status);

// When to try again (google.rpc.RetryInfo).
absl::Status WithRetryAfter(absl::Status status, absl::Duration retry_after);
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

// Which request field is wrong (google.rpc.BadRequest).
absl::Status WithField(absl::Status status, absl::string_view field);
std::optional<std::string> ErrorField(const absl::Status& status);
// INVALID_ARGUMENT with a field: what every check of a request answers.
absl::Status InvalidField(absl::string_view reason, absl::string_view field,
                          absl::string_view message);

// A particular of the error (ErrorInfo.metadata). Keys are lower_snake_case.
absl::Status WithMetadata(absl::Status status, absl::string_view key, absl::string_view value);
std::optional<std::string> ErrorMetadata(const absl::Status& status, absl::string_view key);
// Every (key, value), in no particular order.
std::vector<std::pair<std::string, std::string>> AllErrorMetadata(const absl::Status& status);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_ERROR_H_
