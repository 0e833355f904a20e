#include "gateway/doors/fcm/fcm_schema.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/timestamp_text.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire::gateway::fcm {
namespace {

using google::protobuf::util::TimeUtil;
using nlohmann::json;

// An alert of APNs nests five deep; a message of kMaxPayloadBytes has no room for more values.
constexpr JsonBounds kBounds = {.depth = 32, .values = 4096};
constexpr size_t kMaxQuotedBytes = 64;

enum class Type {
  kString,
  kBool,
  kInt,
  kNumber,
  kDuration,
  kTime,
  kEnum,
  // Names and texts that the caller chooses.
  kStringMap,
  // Whatever the caller chooses.
  kStruct,
  kStrings,
  kDurations,
  kMessage,
};

struct Field {
  constexpr Field(absl::string_view name, Type type) : name(name), type(type) {}
  template <size_t kSize>
  constexpr Field(absl::string_view name, const Field (&fields)[kSize])
      : name(name), type(Type::kMessage), fields(fields), size(kSize) {}
  template <size_t kSize>
  constexpr Field(absl::string_view name, const absl::string_view (&values)[kSize])
      : name(name), type(Type::kEnum), values(values), size(kSize) {}

  // In lowerCamelCase.
  absl::string_view name;
  Type type;
  // Of a message; of an enum, whose numbers are those of their order.
  const Field* fields = nullptr;
  const absl::string_view* values = nullptr;
  size_t size = 0;
};

constexpr absl::string_view kPriorities[] = {"NORMAL", "HIGH"};
constexpr absl::string_view kNotificationPriorities[] = {"PRIORITY_UNSPECIFIED", "PRIORITY_MIN",
                                                         "PRIORITY_LOW",         "PRIORITY_DEFAULT",
                                                         "PRIORITY_HIGH",        "PRIORITY_MAX"};
constexpr absl::string_view kVisibilities[] = {"VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC",
                                               "SECRET"};
constexpr absl::string_view kProxies[] = {"PROXY_UNSPECIFIED", "ALLOW", "DENY",
                                          "IF_PRIORITY_LOWERED"};

constexpr Field kColor[] = {
    {"red", Type::kNumber},
    {"green", Type::kNumber},
    {"blue", Type::kNumber},
    {"alpha", Type::kNumber},
};
constexpr Field kLightSettings[] = {
    {"color", kColor},
    {"lightOnDuration", Type::kDuration},
    {"lightOffDuration", Type::kDuration},
};
constexpr Field kFcmOptions[] = {{"analyticsLabel", Type::kString}};
constexpr Field kNotification[] = {
    {"title", Type::kString},
    {"body", Type::kString},
    {"image", Type::kString},
};
constexpr Field kAndroidNotification[] = {
    {"title", Type::kString},
    {"body", Type::kString},
    {"icon", Type::kString},
    {"color", Type::kString},
    {"sound", Type::kString},
    {"tag", Type::kString},
    {"clickAction", Type::kString},
    {"bodyLocKey", Type::kString},
    {"bodyLocArgs", Type::kStrings},
    {"titleLocKey", Type::kString},
    {"titleLocArgs", Type::kStrings},
    {"channelId", Type::kString},
    {"ticker", Type::kString},
    {"sticky", Type::kBool},
    {"eventTime", Type::kTime},
    {"localOnly", Type::kBool},
    {"notificationPriority", kNotificationPriorities},
    {"defaultSound", Type::kBool},
    {"defaultVibrateTimings", Type::kBool},
    {"defaultLightSettings", Type::kBool},
    {"vibrateTimings", Type::kDurations},
    {"visibility", kVisibilities},
    {"notificationCount", Type::kInt},
    {"lightSettings", kLightSettings},
    {"image", Type::kString},
    {"bypassProxyNotification", Type::kBool},
    {"proxy", kProxies},
};
constexpr Field kAndroid[] = {
    {"collapseKey", Type::kString},
    {"priority", kPriorities},
    {"ttl", Type::kDuration},
    {"restrictedPackageName", Type::kString},
    {"data", Type::kStringMap},
    {"notification", kAndroidNotification},
    {"fcmOptions", kFcmOptions},
    {"directBootOk", Type::kBool},
    {"bandwidthConstrainedOk", Type::kBool},
    {"restrictedSatelliteOk", Type::kBool},
};
constexpr Field kWebpushFcmOptions[] = {
    {"link", Type::kString},
    {"analyticsLabel", Type::kString},
};
constexpr Field kWebpush[] = {
    {"headers", Type::kStringMap},
    {"data", Type::kStringMap},
    {"notification", Type::kStruct},
    {"fcmOptions", kWebpushFcmOptions},
};
constexpr Field kApnsFcmOptions[] = {
    {"analyticsLabel", Type::kString},
    {"image", Type::kString},
};
constexpr Field kApns[] = {
    {"headers", Type::kStringMap},
    {"payload", Type::kStruct},
    {"fcmOptions", kApnsFcmOptions},
    {"liveActivityToken", Type::kString},
};
constexpr Field kMessage[] = {
    {"name", Type::kString},
    {"data", Type::kStringMap},
    {"notification", kNotification},
    {"android", kAndroid},
    {"webpush", kWebpush},
    {"apns", kApns},
    {"fcmOptions", kFcmOptions},
    {"token", Type::kString},
    // Of newer clients: an installation, which here has a token and no other name.
    {"fid", Type::kString},
    {"topic", Type::kString},
    {"condition", Type::kString},
};
constexpr Field kRequest[] = {
    {"message", kMessage},
    {"validateOnly", Type::kBool},
};
constexpr Field kRoot = {"", kRequest};

absl::Status Invalid(absl::string_view reason, absl::string_view path, absl::string_view message) {
  absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, reason, message);
  return path.empty() ? status : WithField(std::move(status), path);
}

absl::string_view Wanted(const Field& field) {
  switch (field.type) {
    case Type::kString:
      return "a text";
    case Type::kBool:
      return "true or false";
    case Type::kInt:
      return "a whole number";
    case Type::kNumber:
      return "a number";
    case Type::kDuration:
      return "a duration such as \"3.5s\"";
    case Type::kTime:
      return "a time such as \"2030-01-31T12:00:00Z\"";
    case Type::kEnum:
      return "one of the names that the API has for it";
    case Type::kStringMap:
      return "an object whose values are texts";
    case Type::kStruct:
    case Type::kMessage:
      return "an object";
    case Type::kStrings:
      return "a list of texts";
    case Type::kDurations:
      return "a list of durations such as \"3.5s\"";
  }
  return "";
}

absl::Status BadValue(const Field& field, const std::string& path) {
  return Invalid("BAD_VALUE", path,
                 absl::StrCat("Invalid value at '", path.empty() ? "the request" : path,
                              "': it is not ", Wanted(field), "."));
}

// "collapse_key" and "collapseKey" → "collapseKey". What mixes the two is no name.
std::string ToCamelCase(absl::string_view name) {
  if (!absl::StrContains(name, '_')) return std::string(name);
  std::string camel;
  bool capital = false;
  for (const char c : name) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c))) return "";
    if (c == '_') {
      if (capital || camel.empty()) return "";
      capital = true;
    } else {
      camel.push_back(capital ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c);
      capital = false;
    }
  }
  return capital ? "" : camel;
}

bool IsDuration(const json& value) {
  google::protobuf::Duration duration;
  return value.is_string() && TimeUtil::FromString(value.get<std::string>(), &duration);
}

bool AreTexts(const json& values) {
  return std::all_of(values.begin(), values.end(), [](const json& v) { return v.is_string(); });
}

absl::StatusOr<json> ReadMessage(json value, const Field& message, const std::string& path);

absl::StatusOr<json> ReadEnum(const json& value, const Field& field, const std::string& path) {
  if (value.is_number_unsigned() && value.get<uint64_t>() < field.size) {
    return json(std::string(field.values[value.get<uint64_t>()]));
  }
  if (value.is_string()) {
    const std::string name = absl::AsciiStrToUpper(value.get<std::string>());
    for (size_t i = 0; i < field.size; ++i) {
      if (field.values[i] == name) return json(name);
    }
  }
  return BadValue(field, path);
}

absl::StatusOr<json> ReadInt(const json& value, const Field& field, const std::string& path) {
  int32_t number = 0;
  if (value.is_number_integer()) {
    if (value >= INT32_MIN && value <= INT32_MAX) return value;
  } else if (value.is_string() && absl::SimpleAtoi(value.get<std::string>(), &number)) {
    return json(number);
  }
  return BadValue(field, path);
}

absl::StatusOr<json> ReadValue(json value, const Field& field, const std::string& path) {
  bool fits = false;
  switch (field.type) {
    case Type::kString:
      fits = value.is_string();
      break;
    case Type::kBool:
      fits = value.is_boolean();
      break;
    case Type::kInt:
      return ReadInt(value, field, path);
    case Type::kNumber:
      fits = value.is_number();
      break;
    case Type::kDuration:
      fits = IsDuration(value);
      break;
    case Type::kTime: {
      google::protobuf::Timestamp time;
      fits = value.is_string() && ReadTimestamp(value.get<std::string>(), &time);
      break;
    }
    case Type::kEnum:
      return ReadEnum(value, field, path);
    case Type::kStringMap:
      fits = value.is_object() && AreTexts(value);
      break;
    case Type::kStruct:
      fits = value.is_object();
      break;
    case Type::kStrings:
      fits = value.is_array() && AreTexts(value);
      break;
    case Type::kDurations:
      fits = value.is_array() && std::all_of(value.begin(), value.end(), IsDuration);
      break;
    case Type::kMessage:
      return ReadMessage(std::move(value), field, path);
  }
  if (!fits) return BadValue(field, path);
  return value;
}

absl::StatusOr<json> ReadMessage(json value, const Field& message, const std::string& path) {
  if (!value.is_object()) return BadValue(message, path);
  json read = json::object();
  for (auto it = value.begin(); it != value.end(); ++it) {
    const std::string name = ToCamelCase(it.key());
    const Field* const end = message.fields + message.size;
    const Field* const field = std::find_if(
        message.fields, end, [&name](const Field& candidate) { return candidate.name == name; });
    if (field == end) {
      const std::string quoted =
          absl::CHexEscape(absl::string_view(it.key()).substr(0, kMaxQuotedBytes));
      return Invalid("UNKNOWN_FIELD", path,
                     absl::StrCat("Invalid JSON payload received. Unknown name \"", quoted, "\"",
                                  path.empty() ? "" : absl::StrCat(" at '", path, "'"),
                                  ": Cannot find field."));
    }
    const std::string own_path = path.empty() ? name : absl::StrCat(path, ".", name);
    if (read.contains(name)) {
      return Invalid("DUPLICATE_FIELD", own_path,
                     absl::StrCat("The JSON has '", own_path, "' twice."));
    }
    // Null too counts for a repetition, and is left out at the end.
    if (it->is_null()) {
      read[name] = nullptr;
      continue;
    }
    BELLWIRE_ASSIGN_OR_RETURN(read[name], ReadValue(std::move(*it), *field, own_path));
  }
  for (auto it = read.begin(); it != read.end();) {
    it = it->is_null() ? read.erase(it) : std::next(it);
  }
  return read;
}

}  // namespace

absl::StatusOr<json> ReadSendMessageRequest(absl::string_view text) {
  BELLWIRE_ASSIGN_OR_RETURN(json value, ParseJsonValue(text, kBounds));
  return ReadMessage(std::move(value), kRoot, "");
}

}  // namespace bellwire::gateway::fcm
