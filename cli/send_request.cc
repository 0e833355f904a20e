#include "cli/send_request.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

std::optional<absl::Duration> ParsePositive(absl::string_view text) {
  absl::Duration duration;
  int64_t days = 0;
  absl::string_view number = text;
  if (absl::ConsumeSuffix(&number, "d") && absl::SimpleAtoi(number, &days)) {
    duration = days * absl::Hours(24);
  } else if (!absl::ParseDuration(text, &duration)) {
    return std::nullopt;
  }
  if (duration < absl::ZeroDuration()) return std::nullopt;
  return duration;
}

absl::Status CantRead(const std::string& what, int error) {
  const std::string message =
      absl::StrCat("can't read the payload from ", what, ": ", strerror(error));
  return error == ENOENT ? absl::NotFoundError(message) : absl::UnavailableError(message);
}

// One byte more than the server takes, so that it can say that it is too much; no endless pipe is
// read to its end.
absl::StatusOr<std::string> ReadPayload(int fd, const std::string& what) {
  std::string payload(kMaxPayloadBytes + 1, '\0');
  size_t size = 0;
  while (size < payload.size()) {
    const ssize_t n = read(fd, payload.data() + size, payload.size() - size);
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return CantRead(what, errno);
    size += static_cast<size_t>(n);
  }
  payload.resize(size);
  return payload;
}

absl::StatusOr<std::string> ReadPayloadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return CantRead(path, errno);
  auto payload = ReadPayload(fd, path);
  close(fd);
  return payload;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseTtl(absl::string_view text) {
  if (const auto ttl = ParsePositive(text)) return *ttl;
  return absl::InvalidArgumentError(
      absl::StrCat("ttl \"", text, "\" is no duration; such as 90s, 15m, 1h30m, 28d, or 0"));
}

absl::StatusOr<absl::Time> ParseDeliverAt(absl::string_view text, absl::Time now) {
  absl::string_view ahead = text;
  if (absl::ConsumePrefix(&ahead, "+")) {
    if (const auto duration = ParsePositive(ahead)) return now + *duration;
  }
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return time;
  return absl::InvalidArgumentError(
      absl::StrCat("deliver_at \"", text, "\" is no time; such as 2026-12-24T18:00:00Z or +10m"));
}

absl::StatusOr<bellwire::push::v1::SendRequest> MakeSendRequest(const SendFlags& flags,
                                                                absl::Time now,
                                                                int standard_input) {
  if (!flags.message_id.empty() && absl::StartsWith(flags.deliver_at, "+")) {
    return WithHint(absl::InvalidArgumentError(absl::StrCat(
                        "--deliver_at ", flags.deliver_at,
                        " is another time whenever it is said, so a retry under --message_id ",
                        flags.message_id, " would be another message")),
                    "say the time itself, such as --deliver_at 2026-12-24T18:00:00Z");
  }
  bellwire::push::v1::SendRequest request;
  request.set_token(flags.token);
  if (flags.has_text) {
    request.set_payload(flags.text);
  } else if (!flags.payload_file.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(*request.mutable_payload(), ReadPayloadFile(flags.payload_file));
  } else {
    BELLWIRE_ASSIGN_OR_RETURN(*request.mutable_payload(),
                              ReadPayload(standard_input, "standard input"));
  }
  request.set_message_id(flags.message_id);
  request.set_collapse_key(flags.collapse_key);
  request.set_priority(flags.priority);
  request.set_validate_only(flags.validate_only);
  if (!flags.ttl.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(absl::Duration ttl, ParseTtl(flags.ttl));
    request.mutable_ttl()->set_seconds(absl::IDivDuration(ttl, absl::Seconds(1), &ttl));
    request.mutable_ttl()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(ttl)));
  }
  if (!flags.deliver_at.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(absl::Time time, ParseDeliverAt(flags.deliver_at, now));
    request.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(time));
    request.mutable_deliver_at()->set_nanos(static_cast<int32_t>(
        absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(absl::ToUnixSeconds(time)))));
  }
  return request;
}

}  // namespace bellwire::cli
