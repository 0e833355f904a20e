#include "gateway/doors/fcm/fcm_message.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "gateway/doors/fcm/fcm_schema.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/util/time_util.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

using google::protobuf::util::TimeUtil;
using nlohmann::json;

// Takes a text out of an object; "": there is none.
std::string TakeText(json* object, const char* name) {
  const auto it = object->find(name);
  if (it == object->end()) return "";
  std::string text = it->get<std::string>();
  object->erase(it);
  return text;
}

bool IsReserved(absl::string_view key) {
  return key == "from" || key == "gcm" || key == "message_type" ||
         absl::StartsWith(key, "google") || absl::StartsWith(key, "gcm.");
}

// REQUIRES: `data` is an object of texts.
absl::Status CheckData(const json& data, absl::string_view path) {
  for (auto it = data.begin(); it != data.end(); ++it) {
    if (!IsReserved(it.key())) continue;
    const std::string key = absl::CHexEscape(absl::string_view(it.key()).substr(0, 64));
    return InvalidField("RESERVED_DATA_KEY", path,
                        absl::StrCat("Invalid data payload key: ", key,
                                     ". Reserved are from, gcm, message_type and what begins with "
                                     "google or gcm."));
  }
  return absl::OkStatus();
}

// The value of a header of the block `name`, whatever the case of its letters; "": there is none.
std::string HeaderOf(const json& message, const char* block, absl::string_view name) {
  const auto it = message.find(block);
  if (it == message.end() || !it->contains("headers")) return "";
  const json& headers = (*it)["headers"];
  for (auto header = headers.begin(); header != headers.end(); ++header) {
    if (absl::EqualsIgnoreCase(header.key(), name)) {
      return std::string(absl::StripAsciiWhitespace(header->get<std::string>()));
    }
  }
  return "";
}

std::string WebpushHeader(const json& message, absl::string_view name) {
  return HeaderOf(message, "webpush", name);
}
std::string ApnsHeader(const json& message, absl::string_view name) {
  return HeaderOf(message, "apns", name);
}

bool HasNotification(const json& message) {
  if (message.contains("notification")) return true;
  const auto android = message.find("android");
  return android != message.end() && android->contains("notification");
}

push::v1::Priority PriorityOf(absl::string_view android, const json& message) {
  if (android == "HIGH") return push::v1::PRIORITY_HIGH;
  if (android == "NORMAL") return push::v1::PRIORITY_NORMAL;
  const std::string urgency = absl::AsciiStrToLower(WebpushHeader(message, "urgency"));
  if (urgency == "high") return push::v1::PRIORITY_HIGH;
  if (urgency == "normal") return push::v1::PRIORITY_NORMAL;
  if (urgency == "low" || urgency == "very-low") return push::v1::PRIORITY_LOW;
  const std::string apns = ApnsHeader(message, "apns-priority");
  if (apns == "10") return push::v1::PRIORITY_HIGH;
  if (apns == "5") return push::v1::PRIORITY_NORMAL;
  if (apns == "1") return push::v1::PRIORITY_LOW;
  return HasNotification(message) ? push::v1::PRIORITY_HIGH : push::v1::PRIORITY_NORMAL;
}

// Seconds of the ttl that the other blocks ask for, within its bounds.
std::optional<int64_t> OtherTtl(const json& message, absl::Time now) {
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(WebpushHeader(message, "ttl"), &seconds) || seconds < 0) {
    if (!absl::SimpleAtoi(ApnsHeader(message, "apns-expiration"), &seconds) || seconds < 0) {
      return std::nullopt;
    }
    // What has passed, as 0: now or never.
    if (seconds > 0) seconds = std::max<int64_t>(0, seconds - absl::ToUnixSeconds(now));
  }
  return std::min<int64_t>(seconds, absl::ToInt64Seconds(kMaxTtl));
}

std::string OtherCollapseKey(const json& message) {
  for (std::string key :
       {WebpushHeader(message, "topic"), ApnsHeader(message, "apns-collapse-id")}) {
    if (!key.empty() && key.size() <= kMaxCollapseKeyBytes) return key;
  }
  return "";
}

// Takes the target out of the message.
absl::Status TakeTarget(json* message, FcmMessage* into) {
  std::string token = TakeText(message, "token");
  const std::string fid = TakeText(message, "fid");
  into->topic = TakeText(message, "topic");
  into->condition = TakeText(message, "condition");
  const std::initializer_list<const std::string*> targets = {&token, &fid, &into->topic,
                                                             &into->condition};
  const auto given = std::count_if(targets.begin(), targets.end(),
                                   [](const std::string* target) { return !target->empty(); });
  if (given != 1) {
    return InvalidField("BAD_TARGET", "message.token",
                        given == 0
                            ? "Recipient of the message is not set: give one of token, topic and "
                              "condition."
                            : "Recipient of the message is set more than once: give one of token, "
                              "topic and condition.");
  }
  // Not asked for, but seen.
  into->topic = std::string(absl::StripPrefix(into->topic, "/topics/"));
  into->send.set_token(token.empty() ? fid : std::move(token));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FcmMessage> ReadFcmMessage(absl::string_view body, absl::Time now) {
  BELLWIRE_ASSIGN_OR_RETURN(json request, ReadSendMessageRequest(body));
  const auto found = request.find("message");
  if (found == request.end()) {
    return InvalidField("BAD_TARGET", "message", "The request has no message.");
  }
  json message = std::move(*found);
  FcmMessage read;
  push::v1::SendRequest& send = read.send;
  send.set_validate_only(request.value("validateOnly", false));
  message.erase("name");
  BELLWIRE_RETURN_IF_ERROR(TakeTarget(&message, &read));

  if (message.contains("data"))
    BELLWIRE_RETURN_IF_ERROR(CheckData(message["data"], "message.data"));
  json android = message.value("android", json::object());
  if (android.contains("data")) {
    BELLWIRE_RETURN_IF_ERROR(CheckData(android["data"], "message.android.data"));
  }

  std::string collapse_key = TakeText(&android, "collapseKey");
  send.set_collapse_key(collapse_key.empty() ? OtherCollapseKey(message) : std::move(collapse_key));
  send.set_priority(PriorityOf(TakeText(&android, "priority"), message));
  if (const std::string ttl = TakeText(&android, "ttl"); !ttl.empty()) {
    TimeUtil::FromString(ttl, send.mutable_ttl());
  } else if (const std::optional<int64_t> seconds = OtherTtl(message, now)) {
    send.mutable_ttl()->set_seconds(*seconds);
  }
  read.app_id = TakeText(&android, "restrictedPackageName");
  if (android.empty()) {
    message.erase("android");
  } else {
    message["android"] = std::move(android);
  }

  send.set_payload(message.dump(-1, ' ', false, json::error_handler_t::replace));
  if (send.payload().size() > kMaxPayloadBytes) {
    return InvalidField(
        "PAYLOAD_TOO_LARGE", "message",
        absl::StrCat("Message is too big: the app would get ", send.payload().size(),
                     " bytes of JSON; at most ", kMaxPayloadBytes, " are allowed."));
  }
  return read;
}

}  // namespace bellwire::gateway::fcm
