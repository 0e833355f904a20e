#include "device-agent/client/notification.h"

#include <limits>
#include <map>

#include "nlohmann/json.hpp"

namespace bellwire::agent {
namespace {

using Json = nlohmann::json;

// Objects and arrays within each other. The door of APNs takes no more; the data of FCM are flat.
constexpr int kMaxDepth = 32;

// Members by name; nothing that is no object has any.
const Json& Member(const Json& object, const char* name) {
  static const Json& none = *new Json();
  if (!object.is_object()) return none;
  const auto it = object.find(name);
  return it == object.end() ? none : *it;
}

// FCM takes both spellings of a name.
const Json& Member(const Json& object, const char* camel, const char* snake) {
  const Json& member = Member(object, camel);
  return member.is_null() ? Member(object, snake) : member;
}

void Take(const Json& value, std::string* out) {
  if (value.is_string()) *out = value.get_ref<const std::string&>();
}

void Take(const Json& value, std::optional<int64_t>* out) {
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      *out = static_cast<int64_t>(number);
    }
  } else if (value.is_number_integer()) {
    *out = value.get<int64_t>();
  }
}

void Take(const Json& key, const Json& args, LocalizedText* out) {
  if (!key.is_string()) return;
  *out = {.key = key.get<std::string>()};
  if (!args.is_array()) return;
  for (const Json& arg : args) {
    if (arg.is_string()) out->args.push_back(arg.get<std::string>());
  }
}

std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Notification OfApns(const Json& message) {
  Notification n;
  const Json& aps = Member(message, "aps");
  const Json& alert = Member(aps, "alert");
  Take(alert, &n.body);
  Take(Member(alert, "title"), &n.title);
  Take(Member(alert, "subtitle"), &n.subtitle);
  Take(Member(alert, "body"), &n.body);
  Take(Member(alert, "title-loc-key"), Member(alert, "title-loc-args"), &n.localized_title);
  Take(Member(alert, "loc-key"), Member(alert, "loc-args"), &n.localized_body);
  Take(Member(Member(message, "fcm_options"), "image"), &n.image);
  // Of a critical alert it is an object.
  Take(Member(aps, "sound"), &n.sound);
  Take(Member(Member(aps, "sound"), "name"), &n.sound);
  Take(Member(aps, "badge"), &n.badge);
  Take(Member(aps, "category"), &n.category);
  Take(Member(aps, "thread-id"), &n.thread);
  n.content_available = Member(aps, "content-available") == 1;
  for (const auto& [name, value] : message.items()) {
    if (name != "aps") n.data.emplace_back(name, TextOf(value));
  }
  return n;
}

Notification OfFcm(const Json& message) {
  Notification n;
  const Json& common = Member(message, "notification");
  const Json& android = Member(message, "android");
  // The phone's own block beats what is for every platform.
  const Json& own = Member(android, "notification");
  for (const Json* block : {&common, &own}) {
    Take(Member(*block, "title"), &n.title);
    Take(Member(*block, "body"), &n.body);
    Take(Member(*block, "image"), &n.image);
  }
  Take(Member(own, "titleLocKey", "title_loc_key"), Member(own, "titleLocArgs", "title_loc_args"),
       &n.localized_title);
  Take(Member(own, "bodyLocKey", "body_loc_key"), Member(own, "bodyLocArgs", "body_loc_args"),
       &n.localized_body);
  if (Member(own, "defaultSound", "default_sound") == true) n.sound = "default";
  Take(Member(own, "sound"), &n.sound);
  Take(Member(own, "notificationCount", "notification_count"), &n.badge);
  Take(Member(own, "clickAction", "click_action"), &n.category);
  Take(Member(own, "tag"), &n.thread);
  std::map<std::string, std::string> data;
  for (const Json* block : {&Member(message, "data"), &Member(android, "data")}) {
    if (!block->is_object()) continue;
    for (const auto& [name, value] : block->items()) {
      if (value.is_string()) data[name] = value.get<std::string>();
    }
  }
  n.data.assign(data.begin(), data.end());
  n.content_available = !n.data.empty();
  return n;
}

}  // namespace

bool Notification::silent() const {
  return title.empty() && subtitle.empty() && body.empty() && localized_title.key.empty() &&
         localized_body.key.empty() && image.empty() && sound.empty() && !badge.has_value();
}

std::optional<Notification> ParseNotification(const v1::Content& content,
                                              absl::string_view payload) {
  if (content.door() != v1::Content::APNS && content.door() != v1::Content::FCM) {
    return std::nullopt;
  }
  bool too_deep = false;
  const Json message = Json::parse(
      payload.begin(), payload.end(),
      [&too_deep](int depth, Json::parse_event_t, const Json&) {
        too_deep = too_deep || depth > kMaxDepth;
        // What is discarded is not kept, so that nothing deep is ever built.
        return !too_deep;
      },
      /*allow_exceptions=*/false);
  if (too_deep || !message.is_object()) return std::nullopt;
  return content.door() == v1::Content::APNS ? OfApns(message) : OfFcm(message);
}

}  // namespace bellwire::agent
