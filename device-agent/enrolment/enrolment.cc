#include "device-agent/enrolment/enrolment.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "crypto/enrolment_token.h"
#include "crypto/file_util.h"

namespace bellwire::agent {
namespace {

constexpr absl::string_view kToken = "token ";
constexpr absl::string_view kUsed = "used ";

std::string HexHash(absl::string_view token) {
  return absl::BytesToHexString(HashEnrolmentToken(token));
}

}  // namespace

Enrolment::Enrolment(std::string path) : path_(std::move(path)) {
  const absl::StatusOr<std::string> text = ReadWholeFile(path_);
  if (!text.ok()) {
    if (!absl::IsNotFound(text.status())) {
      LogWarning("enrolment_not_read", {{"error", text.status().message()}});
    }
    return;
  }
  absl::string_view line = absl::StripAsciiWhitespace(*text);
  if (absl::ConsumePrefix(&line, kUsed)) {
    used_hash_ = std::string(line);
  } else if (absl::ConsumePrefix(&line, kToken) && IdOfEnrolmentToken(line).has_value()) {
    token_ = std::string(line);
  } else {
    LogWarning("enrolment_not_read",
               {{"error", absl::StrCat(path_, " has no enrolment token in it")}});
  }
}

absl::Status Enrolment::Write(absl::string_view word, absl::string_view value) {
  return ReplaceFileAtomically(path_, absl::StrCat(word, value, "\n"), FileAccess::kPrivate);
}

absl::Status Enrolment::Take(absl::string_view token) {
  token = absl::StripAsciiWhitespace(token);
  if (!IdOfEnrolmentToken(token).has_value()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ENROLMENT",
                     "an enrolment token is \"bwe_\" and 42 characters of [a-z2-7]: `bellwire "
                     "device enroll` prints it");
  }
  BELLWIRE_RETURN_IF_ERROR(Write(kToken, token));
  token_ = std::string(token);
  return absl::OkStatus();
}

absl::Status Enrolment::TakeUnlessUsed(absl::string_view token) {
  token = absl::StripAsciiWhitespace(token);
  if (token == token_ || HexHash(token) == used_hash_) return absl::OkStatus();
  return Take(token);
}

void Enrolment::OnLetIn() {
  if (token_.empty()) return;
  used_hash_ = HexHash(token_);
  token_.clear();
  if (const absl::Status s = Write(kUsed, used_hash_); !s.ok()) {
    LogWarning("enrolment_not_noted", {{"error", s.message()}});
  }
}

}  // namespace bellwire::agent
