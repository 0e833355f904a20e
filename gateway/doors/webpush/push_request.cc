#include "gateway/doors/webpush/push_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "gateway/doors/http/idempotency_key.h"
#include "gateway/doors/webpush/encrypted_body.h"
#include "openssl/evp.h"
#include "openssl/hmac.h"

namespace bellwire::webpush {
namespace {

using push::v1::SendRequest;

absl::Status Bad(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

// What `Prefer` (RFC 7240) says for this token, which may be nothing; nullopt: it doesn't name it.
std::optional<absl::string_view> FindPreference(const http::HeaderList& headers,
                                                absl::string_view preference) {
  for (const http::Header& header : headers) {
    if (header.name != "prefer") continue;
    for (const absl::string_view part : absl::StrSplit(header.value, ',')) {
      const absl::string_view item = part.substr(0, part.find(';'));
      const size_t name_end = std::min(item.find('='), item.size());
      if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(item.substr(0, name_end)),
                                  preference)) {
        continue;
      }
      return name_end == item.size() ? absl::string_view()
                                     : absl::StripAsciiWhitespace(item.substr(name_end + 1));
    }
  }
  return std::nullopt;
}

// Seconds, cut to kMaxTtl.
absl::StatusOr<int64_t> ParseTtl(const http::HeaderList& headers) {
  const std::string* field = http::FindHeader(headers, "ttl");
  if (field == nullptr) {
    return Bad("TTL_MISSING", "The field TTL is missing: how many seconds to keep the message.");
  }
  const absl::string_view digits = absl::StripAsciiWhitespace(*field);
  if (digits.empty() || digits.find_first_not_of("0123456789") != absl::string_view::npos) {
    return Bad("TTL_OUT_OF_RANGE", "The field TTL is not a number of seconds, such as 3600.");
  }
  int64_t seconds = 0;
  // Too many digits for a number are a long time.
  if (!absl::SimpleAtoi(digits, &seconds)) seconds = INT64_MAX;
  return std::min(seconds, absl::ToInt64Seconds(kMaxTtl));
}

// What is not known counts as normal, as if the field were not there.
push::v1::Priority PriorityOf(const http::HeaderList& headers) {
  const std::string* field = http::FindHeader(headers, "urgency");
  if (field == nullptr) return push::v1::PRIORITY_NORMAL;
  const absl::string_view urgency = absl::StripAsciiWhitespace(*field);
  if (absl::EqualsIgnoreCase(urgency, "very-low") || absl::EqualsIgnoreCase(urgency, "low")) {
    return push::v1::PRIORITY_LOW;
  }
  if (absl::EqualsIgnoreCase(urgency, "high")) return push::v1::PRIORITY_HIGH;
  return push::v1::PRIORITY_NORMAL;
}

// Which of two would count is a matter of taste: readers on the way may take another one.
absl::Status CheckNoneTwice(const http::HeaderList& headers) {
  for (absl::string_view name : {"authorization", "ttl", "urgency", "topic", "idempotency-key"}) {
    const auto count = std::count_if(headers.begin(), headers.end(),
                                     [&](const http::Header& each) { return each.name == name; });
    if (count > 1) {
      return Bad("DUPLICATE_FIELD",
                 absl::StrCat("The request has the field ", name, " more than once."));
    }
  }
  return absl::OkStatus();
}

bool IsTopic(absl::string_view topic) {
  return !topic.empty() && topic.size() <= kMaxTopicChars &&
         std::all_of(topic.begin(), topic.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

}  // namespace

absl::StatusOr<PushRequest> ParsePushRequest(const http::HeaderList& headers, std::string body,
                                             absl::string_view token) {
  BELLWIRE_RETURN_IF_ERROR(CheckNoneTwice(headers));
  PushRequest request;
  BELLWIRE_ASSIGN_OR_RETURN(request.ttl_seconds, ParseTtl(headers));
  request.send.mutable_ttl()->set_seconds(request.ttl_seconds);
  request.send.set_priority(PriorityOf(headers));
  if (const std::string* topic = http::FindHeader(headers, "topic"); topic != nullptr) {
    const absl::string_view name = absl::StripAsciiWhitespace(*topic);
    if (!IsTopic(name)) {
      return Bad("BAD_TOPIC", absl::StrCat("The field Topic is not 1 to ", kMaxTopicChars,
                                           " characters of [A-Za-z0-9_-]."));
    }
    request.send.set_collapse_key(std::string(name));
  }
  BELLWIRE_ASSIGN_OR_RETURN(request.content, ContentOf(headers, body));
  request.send.set_payload(std::move(body));
  if (const auto key = http::IdempotencyKey(headers); key.has_value()) {
    if (key->empty() || key->size() > kMaxIdempotencyKeyBytes) {
      return Bad("BAD_IDEMPOTENCY_KEY",
                 absl::StrCat("The field Idempotency-Key has no value, or more than ",
                              kMaxIdempotencyKeyBytes, " bytes."));
    }
    request.send.set_message_id(MessageIdOfKey(*key, token));
  }
  request.wants_receipt = Prefers(headers, "respond-async");
  return request;
}

std::string MessageIdOfKey(absl::string_view key, absl::string_view token) {
  const std::optional<MessageId> uuid = ParseUuid(key);
  if (uuid.has_value() && !uuid->is_zero()) return FormatUuid(*uuid);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const std::string text = absl::StrCat("bellwire idempotency key v1:", key);
  // Fails only without memory.
  if (HMAC(EVP_sha256(), token.data(), static_cast<int>(token.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest,
           &size) == nullptr) {
    abort();
  }
  return FormatUuid(*MessageId::FromBytes(
      absl::string_view(reinterpret_cast<const char*>(digest), MessageId::kSize)));
}

bool Prefers(const http::HeaderList& headers, absl::string_view preference) {
  return FindPreference(headers, preference).has_value();
}

std::optional<absl::Duration> PreferredWait(const http::HeaderList& headers) {
  const std::optional<absl::string_view> value = FindPreference(headers, "wait");
  uint32_t seconds = 0;
  if (!value.has_value() || !absl::SimpleAtoi(*value, &seconds)) return std::nullopt;
  return absl::Seconds(seconds);
}

}  // namespace bellwire::webpush
