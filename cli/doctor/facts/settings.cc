#include "cli/doctor/facts/settings.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "cli/doctor/facts/process_table.h"
#include "crypto/file_util.h"

namespace bellwire::cli {
namespace {

// Without the quotes around it and the comment behind it.
std::string ValueOf(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (!text.empty() && (text[0] == '"' || text[0] == '\'')) {
    const size_t end = text.find(text[0], 1);
    if (end != absl::string_view::npos) return std::string(text.substr(1, end - 1));
  }
  return std::string(absl::StripAsciiWhitespace(text.substr(0, text.find(" #"))));
}

}  // namespace

Settings Settings::FromText(absl::string_view text) {
  Settings settings;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    const size_t equals = line.find('=');
    if (line.empty() || line[0] == '#' || line[0] == ';' || line[0] == '[' ||
        equals == absl::string_view::npos) {
      continue;
    }
    settings.values_.emplace_back(absl::StripAsciiWhitespace(line.substr(0, equals)),
                                  ValueOf(line.substr(equals + 1)));
  }
  return settings;
}

Settings Settings::FromFile(const std::string& path) {
  const auto text = ReadWholeFile(path);
  return text.ok() ? FromText(*text) : Settings();
}

Settings Settings::FromArguments(const std::vector<std::string>& arguments) {
  Settings settings;
  settings.values_ = ParseArguments(arguments);
  const std::string file = settings.Get("config");
  if (file.empty()) return settings;
  Settings all = settings;
  for (const auto& [name, value] : FromFile(file).values_) {
    if (settings.All(name).empty()) all.values_.emplace_back(name, value);
  }
  return all;
}

std::string Settings::Get(absl::string_view name, absl::string_view otherwise) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return value;
  }
  return std::string(otherwise);
}

std::vector<std::string> Settings::All(absl::string_view name) const {
  std::vector<std::string> found;
  for (const auto& [known, value] : values_) {
    if (known == name) found.push_back(value);
  }
  return found;
}

}  // namespace bellwire::cli
