#include "gateway/doors/matrix/matrix_notify.h"

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "gateway/doors/json/json_text.h"
#include "nlohmann/json.hpp"
#include "openssl/sha.h"

namespace bellwire::gateway {
namespace {

using nlohmann::json;

constexpr absl::string_view kEndpointPath = "/wpush/";

// An event's content may nest deeply, and is passed on untouched. In 512 KiB there can be far more
// values: no event has.
constexpr JsonBounds kBounds = {.depth = 64, .values = 20'000};

// Of notifications without an event: the unread counts, of which the last one counts.
constexpr char kCountsKey[] = "matrix-counts";

absl::Status Bad(absl::string_view errcode, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, errcode, message);
}

// "": there is none.
std::string TextOf(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A UUID that follows from what it names (RFC 9562, version 8).
std::string MessageIdOf(absl::string_view token, absl::string_view room_id,
                        absl::string_view event_id) {
  const std::string name = absl::StrCat("matrix", std::string(1, '\0'), token, std::string(1, '\0'),
                                        room_id, std::string(1, '\0'), event_id);
  std::array<uint8_t, SHA256_DIGEST_LENGTH> hash;
  SHA256(reinterpret_cast<const unsigned char*>(name.data()), name.size(), hash.data());
  std::array<uint8_t, MessageId::kSize> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = hash[i];
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x80);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  return FormatUuid(MessageId(bytes));
}

// Whole, or as much of it as fits.
absl::StatusOr<std::string> PayloadFor(const json& notification, const json& device) {
  json own = notification;
  own["devices"] = json::array({device});
  std::string payload = Dump(json{{"notification", own}});
  if (payload.size() <= kMaxPayloadBytes) return payload;
  json brief = json::object();
  for (const char* name : {"event_id", "room_id", "counts", "prio"}) {
    if (notification.contains(name)) brief[name] = notification[name];
  }
  payload = Dump(json{{"notification", brief}});
  if (payload.size() <= kMaxPayloadBytes) return payload;
  return Bad("M_BAD_JSON", "The ids of the event and its room are longer than Matrix allows.");
}

absl::StatusOr<MatrixPush> PushTo(const json& device, const json& notification,
                                  const PublicUrls& public_urls) {
  MatrixPush push;
  if (!device.is_object()) return Bad("M_BAD_JSON", "A device is not an object.");
  push.pushkey = TextOf(device, "pushkey");
  if (push.pushkey.empty()) return Bad("M_MISSING_PARAM", "A device has no `pushkey`.");
  std::optional<std::string> token = TokenOfEndpoint(push.pushkey, public_urls);
  if (!token.has_value()) return push;

  push::v1::SendRequest send;
  BELLWIRE_ASSIGN_OR_RETURN(*send.mutable_payload(), PayloadFor(notification, device));
  send.set_priority(TextOf(notification, "prio") == "low" ? push::v1::PRIORITY_NORMAL
                                                          : push::v1::PRIORITY_HIGH);
  const std::string event_id = TextOf(notification, "event_id");
  if (event_id.empty()) {
    send.set_collapse_key(kCountsKey);
  } else {
    send.set_message_id(MessageIdOf(*token, TextOf(notification, "room_id"), event_id));
  }
  send.set_token(*std::move(token));
  push.send = std::move(send);
  return push;
}

}  // namespace

std::optional<std::string> TokenOfEndpoint(absl::string_view url, const PublicUrls& public_urls) {
  const size_t scheme_end = url.find("://");
  if (scheme_end == absl::string_view::npos) return std::nullopt;
  const size_t path = url.find('/', scheme_end + 3);
  if (path == absl::string_view::npos || !public_urls.Contains(url.substr(0, path))) {
    return std::nullopt;
  }
  absl::string_view token = url.substr(path);
  if (token.substr(0, kEndpointPath.size()) != kEndpointPath) return std::nullopt;
  token.remove_prefix(kEndpointPath.size());
  if (token.empty() || token.size() > kMaxTokenChars ||
      token.find_first_not_of("0123456789abcdef") != absl::string_view::npos) {
    return std::nullopt;
  }
  return std::string(token);
}

absl::StatusOr<std::vector<MatrixPush>> ReadMatrixNotify(absl::string_view body,
                                                         const PublicUrls& public_urls) {
  absl::StatusOr<json> value = ParseJsonValue(body, kBounds);
  if (!value.ok()) return Bad("M_NOT_JSON", value.status().message());
  if (!value->is_object() || !value->contains("notification")) {
    return Bad("M_MISSING_PARAM", "The body has no `notification`.");
  }
  json notification = std::move((*value)["notification"]);
  if (!notification.is_object()) return Bad("M_BAD_JSON", "`notification` is not an object.");
  const auto found = notification.find("devices");
  if (found == notification.end() || !found->is_array() || found->empty()) {
    return Bad("M_MISSING_PARAM", "The notification has no `devices`.");
  }
  if (found->size() > kMaxMatrixDevices) {
    return Bad("M_BAD_JSON",
               absl::StrCat("The notification has more than ", kMaxMatrixDevices, " devices."));
  }
  const json devices = std::move(*found);
  notification.erase("devices");
  std::vector<MatrixPush> pushes;
  for (const json& device : devices) {
    BELLWIRE_ASSIGN_OR_RETURN(MatrixPush push, PushTo(device, notification, public_urls));
    pushes.push_back(std::move(push));
  }
  return pushes;
}

MatrixVerdict JudgeMatrixSend(const absl::Status& sent) {
  if (sent.ok()) return MatrixVerdict::kAccepted;
  const std::string reason = ErrorReason(sent);
  // The homeserver asked again, and meanwhile more was unread.
  if (reason == "MESSAGE_ID_REUSED") return MatrixVerdict::kAccepted;
  if (reason == "UNREGISTERED" || reason == "BAD_DEVICE_TOKEN" || reason == "TOKEN_NOT_FOR_TEAM" ||
      reason == "VAPID_KEY_MISMATCH") {
    return MatrixVerdict::kRejected;
  }
  return MatrixVerdict::kRetry;
}

}  // namespace bellwire::gateway
