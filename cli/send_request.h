#ifndef BELLWIRE_CLI_SEND_REQUEST_H_
#define BELLWIRE_CLI_SEND_REQUEST_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"

// What `bellwire send` was told, as a request. Pure, but for reading the payload.
namespace bellwire::cli {

struct SendFlags {
  std::string token;
  std::string text;
  bool has_text = false;
  std::string payload_file;
  // "": the server's default.
  std::string ttl;
  bellwire::push::v1::Priority priority = bellwire::push::v1::PRIORITY_NORMAL;
  std::string collapse_key;
  std::string message_id;
  std::string deliver_at;
  bool validate_only = false;
};

// "90s", "15m", "1h30m", "28d", or "0". INVALID_ARGUMENT: anything else.
absl::StatusOr<absl::Duration> ParseTtl(absl::string_view text);

// "2026-12-24T18:00:00Z" or, from `now` on, "+10m". INVALID_ARGUMENT: anything else.
absl::StatusOr<absl::Time> ParseDeliverAt(absl::string_view text, absl::Time now);

// The payload is `text`, the file, or else all that descriptor `standard_input` has. Leaves it to
// the server to judge the values.
//   INVALID_ARGUMENT: a time is malformed; or it counts from now, and a message id promises that
//   the same command again is the same message · NOT_FOUND: no such file · UNAVAILABLE: the file or
//   standard input can't be read (a directory, closed)
absl::StatusOr<bellwire::push::v1::SendRequest> MakeSendRequest(const SendFlags& flags,
                                                                absl::Time now, int standard_input);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_SEND_REQUEST_H_
