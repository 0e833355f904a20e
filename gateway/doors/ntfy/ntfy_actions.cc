#include "gateway/doors/ntfy/ntfy_actions.h"

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/ntfy/ntfy_error.h"

namespace bellwire::gateway {
namespace {

using nlohmann::ordered_json;

// As ntfy.
constexpr size_t kMaxActions = 3;

absl::Status Bad(absl::string_view what) {
  return NtfyError(40018, absl::StrCat("invalid request: actions invalid, ", what));
}

bool IsTextField(absl::string_view key) {
  return key == "action" || key == "label" || key == "url" || key == "method" || key == "body" ||
         key == "intent";
}

absl::Status Set(absl::string_view key, std::string value, ordered_json* action) {
  for (const absl::string_view map : {"headers", "extras"}) {
    absl::string_view name = key;
    if (absl::ConsumePrefix(&name, map) && absl::ConsumePrefix(&name, ".") && !name.empty()) {
      (*action)[std::string(map)][std::string(name)] = std::move(value);
      return absl::OkStatus();
    }
  }
  const std::string lower = absl::AsciiStrToLower(key);
  if (lower == "clear") {
    const std::string text = absl::AsciiStrToLower(value);
    (*action)[lower] = text == "true" || text == "yes" || text == "1";
    return absl::OkStatus();
  }
  if (!IsTextField(lower)) return Bad(absl::StrCat("key '", lower, "' unknown"));
  (*action)[lower] = std::move(value);
  return absl::OkStatus();
}

// The second of the two forms: actions end with ";", their sections with ",".
class SimpleReader {
 public:
  explicit SimpleReader(absl::string_view text) : rest_(text) {}

  absl::StatusOr<ordered_json> Read() {
    ordered_json actions = ordered_json::array();
    while (!rest_.empty()) {
      // Before the text can make a long list.
      if (actions.size() == kMaxActions) return Bad(absl::StrCat("more than ", kMaxActions));
      ordered_json action = ordered_json::object();
      BELLWIRE_RETURN_IF_ERROR(ReadAction(&action));
      actions.push_back(std::move(action));
    }
    return actions;
  }

 private:
  absl::Status ReadAction(ordered_json* action) {
    for (int section = 0;; ++section) {
      rest_ = absl::StripLeadingAsciiWhitespace(rest_);
      std::string key = TakeKey();
      BELLWIRE_ASSIGN_OR_RETURN(std::string value, TakeValue());
      if (key.empty()) {
        static constexpr const char* kPositional[] = {"action", "label", "url"};
        if (section > 2) return Bad(absl::StrCat("term '", value, "' unknown"));
        key = kPositional[section];
      }
      BELLWIRE_RETURN_IF_ERROR(Set(key, std::move(value), action));
      // TakeValue stands before the "," or ";", or at the end.
      const bool last = rest_.empty() || rest_.front() == ';';
      if (!rest_.empty()) rest_.remove_prefix(1);
      if (last) {
        rest_ = absl::StripLeadingAsciiWhitespace(rest_);
        return absl::OkStatus();
      }
    }
  }

  // "key =", if that comes next.
  std::string TakeKey() {
    const auto is_key_byte = [](char c) {
      return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
    };
    size_t end = 0;
    while (end < rest_.size() && is_key_byte(rest_[end])) ++end;
    const absl::string_view key = rest_.substr(0, end);
    absl::string_view behind = absl::StripLeadingAsciiWhitespace(rest_.substr(end));
    if (key.empty() || !absl::ConsumePrefix(&behind, "=")) return "";
    rest_ = absl::StripLeadingAsciiWhitespace(behind);
    return std::string(key);
  }

  absl::StatusOr<std::string> TakeValue() {
    if (!rest_.empty() && (rest_.front() == '"' || rest_.front() == '\'')) return TakeQuoted();
    const absl::string_view value = rest_.substr(0, rest_.find_first_of(",;"));
    rest_.remove_prefix(value.size());
    return std::string(absl::StripAsciiWhitespace(value));
  }

  absl::StatusOr<std::string> TakeQuoted() {
    const char quote = rest_.front();
    size_t end = 1;
    while (end < rest_.size() && (rest_[end] != quote || rest_[end - 1] == '\\')) ++end;
    if (end == rest_.size()) return Bad("a quote is not closed");
    std::string value =
        absl::StrReplaceAll(rest_.substr(1, end - 1),
                            {{absl::StrCat("\\", std::string(1, quote)), std::string(1, quote)}});
    rest_ = absl::StripLeadingAsciiWhitespace(rest_.substr(end + 1));
    if (!rest_.empty() && rest_.front() != ',' && rest_.front() != ';') {
      return Bad("text follows a quote");
    }
    return value;
  }

  absl::string_view rest_;
};

// Of a JSON object.
absl::StatusOr<ordered_json> FromJson(const nlohmann::json& object) {
  if (!object.is_object()) return Bad("one is not an object");
  ordered_json action = ordered_json::object();
  for (const auto& [key, value] : object.items()) {
    if (key == "headers" || key == "extras") {
      if (!value.is_object()) return Bad(absl::StrCat("'", key, "' is not an object"));
      for (const auto& [name, text] : value.items()) {
        if (!text.is_string()) return Bad(absl::StrCat("'", key, "' has what is no text"));
        action[key][name] = text.get<std::string>();
      }
    } else if (key == "clear" && value.is_boolean()) {
      action[key] = value.get<bool>();
    } else if (IsTextField(key)) {
      if (!value.is_string()) return Bad(absl::StrCat("'", key, "' is no text"));
      action[key] = value.get<std::string>();
    }
  }
  return action;
}

absl::StatusOr<ordered_json> ReadActions(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (!absl::StartsWith(text, "[")) return SimpleReader(text).Read();
  const absl::StatusOr<nlohmann::json> list = ParseJsonValue(text, {});
  if (!list.ok()) return Bad(list.status().message());
  if (!list->is_array()) return Bad("not a list");
  ordered_json actions = ordered_json::array();
  for (const nlohmann::json& object : *list) {
    BELLWIRE_ASSIGN_OR_RETURN(ordered_json action, FromJson(object));
    actions.push_back(std::move(action));
  }
  return actions;
}

// "": it has none.
std::string TextOf(const ordered_json& action, const char* key) {
  const auto it = action.find(key);
  return it == action.end() ? "" : it->get<std::string>();
}

}  // namespace

absl::StatusOr<ordered_json> ParseNtfyActions(absl::string_view text) {
  BELLWIRE_ASSIGN_OR_RETURN(ordered_json actions, ReadActions(text));
  if (actions.size() > kMaxActions) return Bad(absl::StrCat("more than ", kMaxActions));
  for (ordered_json& action : actions) {
    const std::string kind = absl::AsciiStrToLower(TextOf(action, "action"));
    if (kind != "view" && kind != "broadcast" && kind != "http") {
      return Bad("'action' is none of view, broadcast and http");
    }
    action["action"] = kind;
    if (TextOf(action, "label").empty()) return Bad("'label' is required");
    if (kind != "broadcast" && TextOf(action, "url").empty()) {
      return Bad(absl::StrCat("'url' is required for ", kind));
    }
    if (!action.contains("clear")) action["clear"] = false;
    if (const std::string method = TextOf(action, "method"); !method.empty()) {
      action["method"] = absl::AsciiStrToUpper(method);
    }
  }
  return actions;
}

}  // namespace bellwire::gateway
