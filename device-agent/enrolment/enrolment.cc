#include "device-agent/enrolment/enrolment.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "crypto/device_certificate.h"
#include "crypto/enrolment_token.h"
#include "crypto/file_util.h"

namespace bellwire::agent {
namespace {

constexpr absl::string_view kToken = "token ";
constexpr absl::string_view kUsed = "used ";

bool IsLine(absl::string_view text) {
  return IdOfEnrolmentToken(text).has_value() ||
         (LooksLikeDeviceCertificate(text) && text.size() <= kMaxDeviceCertificateChars &&
          text.find_first_of(" \n") == absl::string_view::npos);
}

// The line to show, of what somebody gave.
absl::StatusOr<std::string> LineOf(absl::string_view given) {
  given = absl::StripAsciiWhitespace(given);
  if (absl::StrContains(given, "-----BEGIN ")) return DeviceCertificateLine(given);
  if (IsLine(given)) return std::string(given);
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ENROLMENT",
                   "an enrolment token is \"bwe_\" and 42 characters of [a-z2-7], which `bellwire "
                   "device enroll` prints; a device certificate comes in PEM");
}

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
  } else if (absl::ConsumePrefix(&line, kToken) && IsLine(line)) {
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
  BELLWIRE_ASSIGN_OR_RETURN(std::string line, LineOf(token));
  BELLWIRE_RETURN_IF_ERROR(Write(kToken, line));
  token_ = std::move(line);
  return absl::OkStatus();
}

absl::Status Enrolment::TakeUnlessUsed(absl::string_view token) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string line, LineOf(token));
  if (line == token_ || HexHash(line) == used_hash_) return absl::OkStatus();
  return Take(line);
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
