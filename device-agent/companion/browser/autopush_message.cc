#include "device-agent/companion/browser/autopush_message.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base64.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace bellwire::companion {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// UAIDs and versions are ours: hex digits and UUIDs.
constexpr size_t kMaxOwnIdBytes = 128;

absl::Status Bad(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("autopush: ", field, " ", what));
}

// A missing field and null are "".
absl::StatusOr<std::string> TextOf(const Json& object, const char* field, size_t most) {
  const auto it = object.find(field);
  if (it == object.end() || it->is_null()) return std::string();
  if (!it->is_string()) return Bad(field, "is no string");
  const std::string& text = it->get_ref<const std::string&>();
  if (text.size() > most) return Bad(field, absl::StrCat("has more than ", most, " bytes"));
  return text;
}

absl::StatusOr<std::string> ChannelIdOf(const Json& object) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string id, TextOf(object, "channelID", kMaxChannelIdBytes));
  if (id.empty()) return Bad("channelID", "is missing");
  for (char c : id) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_') return Bad("channelID", "is no UUID");
  }
  return id;
}

// What is no small number counts as not said.
int CodeOf(const Json& object) {
  const auto it = object.find("code");
  if (it == object.end() || !it->is_number_integer()) return 0;
  const int64_t code = it->get<int64_t>();
  return code >= 0 && code < 1000 ? static_cast<int>(code) : 0;
}

absl::StatusOr<AutopushRequest> ParseRegister(const Json& object) {
  AutopushRegister request;
  BELLWIRE_ASSIGN_OR_RETURN(request.channel_id, ChannelIdOf(object));
  // 65 bytes are 87 or 88 characters.
  BELLWIRE_ASSIGN_OR_RETURN(const std::string key, TextOf(object, "key", 88));
  std::optional<std::string> vapid_key = DecodeAnyBase64(key);
  if (!vapid_key.has_value()) return Bad("key", "is no base64url");
  request.vapid_key = *std::move(vapid_key);
  if (!request.vapid_key.empty() &&
      (request.vapid_key.size() != kVapidKeyBytes || request.vapid_key[0] != '\x04')) {
    return Bad("key", "is no uncompressed P-256 point");
  }
  return request;
}

absl::StatusOr<AutopushRequest> ParseAck(const Json& object) {
  AutopushAck ack;
  const auto updates = object.find("updates");
  if (updates == object.end() || !updates->is_array()) return Bad("updates", "is no array");
  if (updates->size() > kMaxAutopushUpdates) {
    return Bad("updates", absl::StrCat("has more than ", kMaxAutopushUpdates, " items"));
  }
  for (const Json& item : *updates) {
    if (!item.is_object()) return Bad("updates", "has something else than objects");
    AutopushAck::Update update;
    BELLWIRE_ASSIGN_OR_RETURN(update.channel_id, ChannelIdOf(item));
    BELLWIRE_ASSIGN_OR_RETURN(update.version, TextOf(item, "version", kMaxOwnIdBytes));
    update.code = CodeOf(item);
    ack.updates.push_back(std::move(update));
  }
  return ack;
}

std::string Render(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<AutopushRequest> ParseAutopushRequest(absl::string_view text) {
  if (text.size() > kMaxAutopushMessageBytes) return Bad("message", "is too large");
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Bad("message", "is no JSON object");
  if (object.empty()) return AutopushPing();
  BELLWIRE_ASSIGN_OR_RETURN(const std::string type,
                            TextOf(object, "messageType", kMaxAutopushMessageBytes));
  if (type == "hello") {
    AutopushHello hello;
    BELLWIRE_ASSIGN_OR_RETURN(hello.uaid, TextOf(object, "uaid", kMaxOwnIdBytes));
    return hello;
  }
  if (type == "register") return ParseRegister(object);
  if (type == "unregister") {
    AutopushUnregister request;
    BELLWIRE_ASSIGN_OR_RETURN(request.channel_id, ChannelIdOf(object));
    return request;
  }
  if (type == "ack") return ParseAck(object);
  if (type == "nack") {
    AutopushNack nack;
    BELLWIRE_ASSIGN_OR_RETURN(nack.version, TextOf(object, "version", kMaxOwnIdBytes));
    nack.code = CodeOf(object);
    return nack;
  }
  if (type == "ping") return AutopushPing();
  return AutopushOther();
}

std::string RenderHello(absl::string_view uaid) {
  return Render({{"messageType", "hello"},
                 {"uaid", std::string(uaid)},
                 {"status", 200},
                 {"use_webpush", true},
                 {"broadcasts", OrderedJson::object()}});
}

std::string RenderRegistered(absl::string_view channel_id, absl::string_view endpoint) {
  return Render({{"messageType", "register"},
                 {"channelID", std::string(channel_id)},
                 {"status", 200},
                 {"pushEndpoint", std::string(endpoint)}});
}

std::string RenderNotRegistered(absl::string_view channel_id, int status,
                                absl::string_view reason) {
  return Render({{"messageType", "register"},
                 {"channelID", std::string(channel_id)},
                 {"status", status},
                 {"reason", std::string(reason)}});
}

std::string RenderUnregistered(absl::string_view channel_id, int status) {
  return Render(
      {{"messageType", "unregister"}, {"channelID", std::string(channel_id)}, {"status", status}});
}

std::string RenderNotification(absl::string_view channel_id, absl::string_view version,
                               const Message& message) {
  OrderedJson json = {{"messageType", "notification"},
                      {"channelID", std::string(channel_id)},
                      {"version", std::string(version)}};
  // A push without payload has neither.
  if (!message.payload.empty()) {
    json["data"] = absl::WebSafeBase64Escape(message.payload);
    OrderedJson headers = OrderedJson::object();
    if (!message.encoding.empty()) headers["encoding"] = message.encoding;
    if (!message.encryption.empty()) headers["encryption"] = message.encryption;
    if (!message.crypto_key.empty()) headers["crypto_key"] = message.crypto_key;
    json["headers"] = std::move(headers);
  }
  return Render(json);
}

std::string RenderPong() { return "{}"; }

}  // namespace bellwire::companion
