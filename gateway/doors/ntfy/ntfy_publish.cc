#include "gateway/doors/ntfy/ntfy_publish.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base64.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "gateway/auth/access_token.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/ntfy/ntfy_actions.h"
#include "gateway/doors/ntfy/ntfy_error.h"

namespace bellwire::gateway {
namespace {

constexpr size_t kMaxTopicChars = 64;

using Names = std::initializer_list<absl::string_view>;

absl::Status Bad(int code, absl::string_view message) { return NtfyError(code, message); }

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t size = CharacterLength(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

bool IsTopic(absl::string_view topic) {
  if (topic.empty() || topic.size() > kMaxTopicChars) return false;
  for (const char c : topic) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_') return false;
  }
  return true;
}

bool IsTrue(absl::string_view value) { return value == "1" || value == "yes" || value == "true"; }

bool IsUrl(absl::string_view text) {
  return absl::StartsWithIgnoreCase(text, "http://") ||
         absl::StartsWithIgnoreCase(text, "https://");
}

// The text of one encoded word without its "=?" and "?=": CHARSET?B|Q?TEXT. nullopt: it is none.
std::optional<std::string> DecodeWord(absl::string_view word) {
  const std::vector<absl::string_view> parts = absl::StrSplit(word, '?');
  if (parts.size() != 3 || !absl::EqualsIgnoreCase(parts[0], "utf-8")) return std::nullopt;
  std::string text;
  if (absl::EqualsIgnoreCase(parts[1], "b")) {
    if (!absl::Base64Unescape(parts[2], &text)) return std::nullopt;
    return text;
  }
  if (!absl::EqualsIgnoreCase(parts[1], "q")) return std::nullopt;
  return http::PercentDecode(absl::StrReplaceAll(parts[2], {{"%", "%25"}, {"=", "%"}, {"_", " "}}));
}

// Header fields of mail and HTTP carry other text than ASCII as encoded words (RFC 2047).
std::string DecodeHeader(absl::string_view value) {
  std::string decoded;
  bool after_word = false;
  while (!value.empty()) {
    const size_t begin = value.find("=?");
    const absl::string_view plain = value.substr(0, begin);
    // Space between two words only separates them.
    const bool separator =
        after_word && begin != absl::string_view::npos && absl::StripAsciiWhitespace(plain).empty();
    if (begin == absl::string_view::npos) return absl::StrCat(decoded, plain);
    value.remove_prefix(begin + 2);
    // CHARSET?ENCODING?TEXT?=
    size_t end = value.find('?');
    if (end != absl::string_view::npos) end = value.find('?', end + 1);
    if (end != absl::string_view::npos) end = value.find("?=", end + 1);
    const std::optional<std::string> word =
        end == absl::string_view::npos ? std::nullopt : DecodeWord(value.substr(0, end));
    if (!word.has_value()) {
      absl::StrAppend(&decoded, plain, "=?");
      after_word = false;
      continue;
    }
    absl::StrAppend(&decoded, separator ? "" : plain, *word);
    value.remove_prefix(end + 2);
    after_word = true;
  }
  return decoded;
}

// RFC 9218 has a field of the name that ntfy took: "u=3, i".
bool IsHttpPriority(absl::string_view value) { return absl::StartsWith(value, "u="); }

// What a publisher says by names: JSON before header fields before the query.
class Parameters {
 public:
  Parameters(const http::HeaderList& headers, http::QueryParameters query)
      : headers_(headers), query_(std::move(query)) {}

  void SetJson(const std::string& name, std::string value) {
    if (!value.empty()) json_[name] = std::move(value);
  }

  // "": it is not said.
  std::string Get(Names names) const {
    for (const absl::string_view name : names) {
      const auto it = json_.find(name);
      if (it != json_.end()) return it->second;
    }
    for (const absl::string_view name : names) {
      const std::string* const field = http::FindHeader(headers_, name);
      if (field == nullptr || (name == "priority" && IsHttpPriority(*field))) continue;
      const std::string value = DecodeHeader(*field);
      const absl::string_view stripped = absl::StripAsciiWhitespace(value);
      if (!stripped.empty()) return std::string(stripped);
    }
    for (const absl::string_view name : names) {
      const std::string* const value = http::FindParameter(query_, name);
      if (value != nullptr && !value->empty()) {
        return std::string(absl::StripAsciiWhitespace(*value));
      }
    }
    return "";
  }
  bool GetBool(Names names, bool or_else) const {
    const std::string value = absl::AsciiStrToLower(Get(names));
    return value.empty() ? or_else : IsTrue(value);
  }

 private:
  const http::HeaderList& headers_;
  const http::QueryParameters query_;
  std::map<std::string, std::string, std::less<>> json_;
};

// nullopt: neither a number nor a name of one.
std::optional<int> ParsePriority(absl::string_view text) {
  const std::string name = absl::AsciiStrToLower(text);
  if (name.empty()) return 0;
  if (name == "1" || name == "min") return 1;
  if (name == "2" || name == "low") return 2;
  if (name == "3" || name == "default") return 3;
  if (name == "4" || name == "high") return 4;
  if (name == "5" || name == "max" || name == "urgent") return 5;
  return std::nullopt;
}

// "30m", "1h30m", "2 days". nullopt: neither.
std::optional<absl::Duration> ParseDelay(absl::string_view text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration)) return duration;
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  int64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return std::nullopt;
  const std::string unit =
      absl::AsciiStrToLower(absl::StripLeadingAsciiWhitespace(text.substr(digits)));
  const auto is = [&unit](Names names) {
    return std::find(names.begin(), names.end(), unit) != names.end();
  };
  if (is({"d", "day", "days"})) return number * absl::Hours(24);
  if (is({"h", "hour", "hours"})) return number * absl::Hours(1);
  if (is({"m", "min", "mins", "minute", "minutes"})) return number * absl::Minutes(1);
  if (is({"s", "sec", "secs", "second", "seconds"})) return number * absl::Seconds(1);
  return std::nullopt;
}

absl::StatusOr<absl::Time> ParseDeliverAt(absl::string_view text, absl::Time now) {
  int64_t unix_seconds = 0;
  absl::Time at;
  if (absl::SimpleAtoi(text, &unix_seconds)) {
    at = absl::FromUnixSeconds(unix_seconds);
  } else if (const std::optional<absl::Duration> delay = ParseDelay(text)) {
    at = now + *delay;
  } else {
    return Bad(40004,
               "invalid delay parameter: unable to parse delay; use a time in seconds since 1970, "
               "or a duration such as 30m, 2h or 1 day");
  }
  if (at < now) return Bad(40005, "invalid delay parameter: too small, it has passed");
  if (at > now + kMaxDeliverAtAhead) {
    return Bad(40006, "invalid delay parameter: too large, 30 days are the most");
  }
  return at;
}

absl::Status BadJson(absl::string_view why) {
  return Bad(40017, absl::StrCat("invalid request: request body must be message JSON, ", why));
}

absl::Status ReadText(const nlohmann::json& object, const char* name, std::string* text) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return absl::OkStatus();
  if (it->is_boolean()) {
    *text = it->get<bool>() ? "yes" : "no";
  } else if (it->is_number_integer()) {
    *text = absl::StrCat(it->get<int64_t>());
  } else if (it->is_string()) {
    *text = it->get<std::string>();
  } else {
    return BadJson(absl::StrCat("'", name, "' is no text"));
  }
  return absl::OkStatus();
}

// What JSON says becomes what header fields of the same names would.
absl::Status ReadJson(absl::string_view body, Parameters* parameters, std::string* topic,
                      std::string* message) {
  const absl::StatusOr<nlohmann::json> object = ParseJsonValue(body, {});
  if (!object.ok()) return BadJson(object.status().message());
  if (!object->is_object()) return BadJson("it is not an object");
  BELLWIRE_RETURN_IF_ERROR(ReadText(*object, "topic", topic));
  BELLWIRE_RETURN_IF_ERROR(ReadText(*object, "message", message));
  for (const char* name : {"title", "priority", "click", "icon", "attach", "filename", "markdown",
                           "email", "call", "cache", "firebase", "delay"}) {
    std::string value;
    BELLWIRE_RETURN_IF_ERROR(ReadText(*object, name, &value));
    parameters->SetJson(absl::StrCat("x-", name), std::move(value));
  }
  if (const auto tags = object->find("tags"); tags != object->end() && !tags->is_null()) {
    if (!tags->is_array()) return BadJson("'tags' is no list");
    std::string joined;
    for (const nlohmann::json& tag : *tags) {
      if (!tag.is_string()) return BadJson("'tags' has what is no text");
      absl::StrAppend(&joined, joined.empty() ? "" : ",", tag.get<std::string>());
    }
    parameters->SetJson("x-tags", std::move(joined));
  }
  if (const auto actions = object->find("actions"); actions != object->end()) {
    if (actions->is_array() && !actions->empty()) {
      parameters->SetJson("x-actions", actions->dump());
    } else if (!actions->is_null() && !actions->is_array()) {
      return BadJson("'actions' is no list");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadParameters(const Parameters& in, absl::Time now, NtfyPublish* out) {
  out->title = in.Get({"x-title", "title", "t"});
  out->click = in.Get({"x-click", "click"});
  out->icon = in.Get({"x-icon", "icon"});
  if (!out->icon.empty() && !IsUrl(out->icon)) {
    return Bad(40021, "invalid request: icon URL is invalid");
  }
  out->attachment_name = in.Get({"x-filename", "filename", "file", "f"});
  out->attachment_url = in.Get({"x-attach", "attach", "a"});
  if (!out->attachment_url.empty() && !IsUrl(out->attachment_url)) {
    return Bad(40013, "invalid request: attachment URL is invalid");
  }
  if (!in.Get({"x-email", "x-e-mail", "email", "e-mail", "mail", "e"}).empty()) {
    return Bad(40001, "e-mail notifications are not enabled");
  }
  if (!in.Get({"x-call", "call"}).empty()) {
    return Bad(40032, "invalid request: calling is disabled");
  }
  if (in.GetBool({"x-template", "template", "tpl"}, false)) {
    return Bad(40043, "invalid request: templates are not supported");
  }
  out->message = absl::StrReplaceAll(in.Get({"x-message", "message", "m"}), {{"\\n", "\n"}});
  const std::optional<int> priority =
      ParsePriority(in.Get({"x-priority", "priority", "prio", "p"}));
  if (!priority.has_value()) return Bad(40007, "invalid priority parameter");
  out->priority = *priority;
  for (const absl::string_view tag :
       absl::StrSplit(in.Get({"x-tags", "tags", "tag", "ta"}), ',', absl::SkipWhitespace())) {
    out->tags.emplace_back(absl::StripAsciiWhitespace(tag));
  }
  out->cache = in.GetBool({"x-cache", "cache"}, true);
  if (const std::string delay = in.Get({"x-delay", "delay", "x-at", "at", "x-in", "in"});
      !delay.empty()) {
    if (!out->cache) return Bad(40002, "cannot disable cache for delayed message");
    BELLWIRE_ASSIGN_OR_RETURN(out->deliver_at, ParseDeliverAt(delay, now));
  }
  if (const std::string actions = in.Get({"x-actions", "actions", "action"}); !actions.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(out->actions, ParseNtfyActions(actions));
  }
  out->markdown = in.GetBool({"x-markdown", "markdown", "md"}, false) ||
                  absl::EqualsIgnoreCase(in.Get({"content-type", "content_type"}), "text/markdown");
  return absl::OkStatus();
}

// The body as the message, in one of the ways that ntfy has for it.
absl::Status ReadBody(absl::string_view body, bool unifiedpush, NtfyPublish* out) {
  if (unifiedpush) {
    // Bytes for an app: nothing is trimmed.
    out->base64 = !IsUtf8(body);
    out->message = out->base64 ? absl::Base64Escape(body) : std::string(body);
    return absl::OkStatus();
  }
  if (out->attachment_url.empty() && !out->attachment_name.empty()) {
    return Bad(40014, "invalid request: attachments not allowed; give a URL with X-Attach");
  }
  if (!IsUtf8(body)) {
    return Bad(40011, "invalid message: message must be UTF-8 encoded");
  }
  if (!body.empty()) out->message = std::string(absl::StripAsciiWhitespace(body));
  return absl::OkStatus();
}

// The last part of a URL's path, if there is one.
std::string FileNameOf(absl::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  url.remove_prefix(url.find("//") + 2);
  const size_t slash = url.rfind('/');
  if (slash == absl::string_view::npos || slash + 1 == url.size()) return "attachment";
  return std::string(url.substr(slash + 1));
}

absl::StatusOr<std::string> CredentialOf(absl::string_view authorization) {
  const absl::Status bad = MakeError(
      absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
      "unauthorized: give the access token as `Bearer TOKEN`, or as the password of Basic");
  if (absl::StartsWithIgnoreCase(authorization, "bearer ")) {
    return std::string(absl::StripAsciiWhitespace(authorization.substr(7)));
  }
  if (!absl::StartsWithIgnoreCase(authorization, "basic ")) return bad;
  const std::optional<std::string> pair =
      DecodeAnyBase64(absl::StripAsciiWhitespace(authorization.substr(6)));
  const size_t colon = pair.has_value() ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return bad;
  // Some clients can't leave out the password, and send the token as the user.
  const std::string user = pair->substr(0, colon);
  std::string password = pair->substr(colon + 1);
  if (password.empty() || (LooksLikeAccessToken(user) && !LooksLikeAccessToken(password))) {
    return user;
  }
  return password;
}

}  // namespace

absl::StatusOr<std::string> NtfyCredential(const http::RequestHead& head) {
  const std::string* field = nullptr;
  for (const http::Header& header : head.headers) {
    if (header.name != "authorization") continue;
    if (field != nullptr) {
      return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                       "unauthorized: more than one credential");
    }
    field = &header.value;
  }
  if (field != nullptr) return CredentialOf(*field);
  const auto query = http::ParseQuery(http::QueryOf(head.path));
  const std::string* const auth = query.has_value() ? http::FindParameter(*query, "auth") : nullptr;
  if (auth == nullptr) {
    return MakeError(absl::StatusCode::kUnauthenticated, "MISSING_CREDENTIAL",
                     "unauthorized: publishing takes an access token (bellwire key create "
                     "--send_only)");
  }
  const std::optional<std::string> authorization = DecodeAnyBase64(*auth);
  if (!authorization.has_value()) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "unauthorized: `auth` is not base64");
  }
  return CredentialOf(*authorization);
}

absl::StatusOr<NtfyPublish> ReadNtfyPublish(const http::Request& request, absl::string_view path,
                                            absl::Time now) {
  std::optional<http::QueryParameters> query = http::ParseQuery(http::QueryOf(path));
  if (!query.has_value()) return Bad(40000, "invalid request: the query is malformed");
  Parameters parameters(request.head.headers, *std::move(query));
  std::vector<absl::string_view> parts = absl::StrSplit(http::PathOf(path), '/', absl::SkipEmpty());
  const bool has_body = request.head.method == "POST" || request.head.method == "PUT";

  NtfyPublish publish;
  std::string body;
  if (parts.empty() && has_body) {
    BELLWIRE_RETURN_IF_ERROR(ReadJson(request.body, &parameters, &publish.topic, &body));
  } else if (parts.size() == 1 && has_body) {
    publish.topic = std::string(parts[0]);
    body = request.body;
  } else if (parts.size() == 2 && request.head.method == "GET" &&
             (parts[1] == "publish" || parts[1] == "send" || parts[1] == "trigger")) {
    publish.topic = std::string(parts[0]);
  } else {
    return Bad(40401, "page not found: this server publishes only, by POST or PUT to /ntfy/TOPIC");
  }
  if (!IsTopic(publish.topic)) return Bad(40009, "invalid request: topic invalid");
  BELLWIRE_RETURN_IF_ERROR(ReadParameters(parameters, now, &publish));
  const bool unifiedpush = parameters.GetBool({"x-unifiedpush", "unifiedpush", "up"}, false) ||
                           parameters.Get({"content-encoding"}) == "aes128gcm";
  BELLWIRE_RETURN_IF_ERROR(ReadBody(body, unifiedpush, &publish));
  if (!publish.attachment_url.empty()) {
    if (publish.attachment_name.empty()) {
      publish.attachment_name = FileNameOf(publish.attachment_url);
    }
    if (publish.message.empty()) {
      publish.message = absl::StrCat("You received a file: ", publish.attachment_name);
    }
  }
  if (publish.message.empty()) publish.message = "triggered";
  return publish;
}

nlohmann::ordered_json ToNtfyJson(const NtfyPublish& publish, absl::string_view id,
                                  std::optional<absl::Time> time,
                                  std::optional<absl::Time> expires) {
  nlohmann::ordered_json json = {{"id", std::string(id)}};
  if (time.has_value()) json["time"] = absl::ToUnixSeconds(*time);
  if (expires.has_value()) json["expires"] = absl::ToUnixSeconds(*expires);
  json["event"] = "message";
  json["topic"] = publish.topic;
  if (!publish.title.empty()) json["title"] = publish.title;
  json["message"] = publish.message;
  if (publish.priority != 0) json["priority"] = publish.priority;
  if (!publish.tags.empty()) json["tags"] = publish.tags;
  if (!publish.click.empty()) json["click"] = publish.click;
  if (!publish.icon.empty()) json["icon"] = publish.icon;
  if (!publish.actions.is_null()) json["actions"] = publish.actions;
  if (!publish.attachment_url.empty()) {
    json["attachment"] = {{"name", publish.attachment_name}, {"url", publish.attachment_url}};
  }
  if (publish.markdown) json["content_type"] = "text/markdown";
  if (publish.base64) json["encoding"] = "base64";
  return json;
}

push::v1::Priority ToPriority(int ntfy_priority) {
  if (ntfy_priority == 1) return push::v1::PRIORITY_LOW;
  return ntfy_priority == 2 ? push::v1::PRIORITY_NORMAL : push::v1::PRIORITY_HIGH;
}

}  // namespace bellwire::gateway
