#include "cli/message_view.h"

#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/payload.h"
#include "common/printable.h"
#include "device-agent/client/notification.h"

namespace bellwire::cli {
namespace {

using agent::LocalizedText;
using agent::Notification;
using agent::v1::Content;

std::string OneLine(absl::string_view text) {
  return Printable(absl::StrReplaceAll(text, {{"\r\n", " "}, {"\n", " "}, {"\r", " "}}));
}

// An app would put its own words here.
std::string Localized(const LocalizedText& text) {
  return absl::StrCat("[", OneLine(text.key), text.args.empty() ? "" : ": ",
                      absl::StrJoin(text.args, ", ",
                                    [](std::string* out, const std::string& arg) {
                                      out->append(OneLine(arg));
                                    }),
                      "]");
}

std::string Shown(const std::string& text, const LocalizedText& localized) {
  return localized.key.empty() ? OneLine(text) : Localized(localized);
}

void AddText(absl::string_view name, const std::string& text, nlohmann::ordered_json* json) {
  if (!text.empty()) (*json)[std::string(name)] = text;
}

void AddLocalized(absl::string_view name, const LocalizedText& text, nlohmann::ordered_json* json) {
  if (text.key.empty()) return;
  (*json)[absl::StrCat(name, "_loc_key")] = text.key;
  if (!text.args.empty()) (*json)[absl::StrCat(name, "_loc_args")] = text.args;
}

}  // namespace

std::string RenderMessage(const agent::Message& message, const Terminal& terminal) {
  const std::optional<Notification> n = agent::ParseNotification(message.content, message.payload);
  if (!n.has_value()) return terminal.Bold(RenderPayload(message.payload));

  std::vector<std::string> words;
  const auto add = [&words](std::string word) {
    if (!word.empty()) words.push_back(std::move(word));
  };
  const std::string title = Shown(n->title, n->localized_title);
  const std::string body = Shown(n->body, n->localized_body);
  if (!title.empty()) add(terminal.Bold(title));
  add(OneLine(n->subtitle));
  add(title.empty() && !body.empty() ? terminal.Bold(body) : body);
  if (words.empty()) add(terminal.Bold(n->silent() ? "(silent)" : "(no text)"));

  std::vector<std::string> details = {
      absl::AsciiStrToLower(Content::Door_Name(message.content.door()))};
  const auto detail = [&details](absl::string_view name, absl::string_view text) {
    if (!text.empty()) details.push_back(absl::StrCat(name, " ", OneLine(text)));
  };
  if (n->badge.has_value()) detail("badge", absl::StrCat(*n->badge));
  detail("sound", n->sound);
  detail("category", n->category);
  detail("thread", n->thread);
  detail("image", n->image);
  for (const auto& [name, value] : n->data) {
    details.push_back(absl::StrCat(OneLine(name), "=", OneLine(value)));
  }
  return absl::StrCat(absl::StrJoin(words, "  "), "  ",
                      terminal.Dim(absl::StrJoin(details, "  ")));
}

void AddNotification(const agent::Message& message, nlohmann::ordered_json* json) {
  const std::optional<Notification> n = agent::ParseNotification(message.content, message.payload);
  if (!n.has_value()) return;
  nlohmann::ordered_json shown = nlohmann::ordered_json::object();
  AddText("title", n->title, &shown);
  AddLocalized("title", n->localized_title, &shown);
  AddText("subtitle", n->subtitle, &shown);
  AddText("body", n->body, &shown);
  AddLocalized("body", n->localized_body, &shown);
  AddText("image", n->image, &shown);
  AddText("sound", n->sound, &shown);
  if (n->badge.has_value()) shown["badge"] = *n->badge;
  AddText("category", n->category, &shown);
  AddText("thread", n->thread, &shown);
  shown["silent"] = n->silent();
  shown["content_available"] = n->content_available;
  for (const auto& [name, value] : n->data) shown["data"][name] = value;
  (*json)["notification"] = std::move(shown);
}

}  // namespace bellwire::cli
