#include "ops/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/printable.h"

namespace bellwire {
namespace {

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CONFIG_FILE",
                   absl::StrCat(where, ": ", what));
}

bool IsKey(absl::string_view key) {
  if (key.empty()) return false;
  for (const char c : key) {
    // A hyphen is no part of any key, but of many a mistyped one: what is meant can be suggested.
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-') return false;
  }
  return true;
}

// Without a comment that follows it, and without quotes.
absl::StatusOr<std::string> ParseValue(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "\"")) {
    const size_t end = text.find('"');
    if (end == absl::string_view::npos) return absl::InvalidArgumentError("a quote is not closed");
    const absl::string_view rest = absl::StripAsciiWhitespace(text.substr(end + 1));
    if (!rest.empty() && rest[0] != '#') {
      return absl::InvalidArgumentError("something follows the closing quote");
    }
    return std::string(text.substr(0, end));
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts_word = i == 0 || absl::ascii_isspace(static_cast<unsigned char>(text[i - 1]));
    if (starts_word && text[i] == '#') {
      text = text.substr(0, i);
      break;
    }
  }
  return std::string(absl::StripAsciiWhitespace(text));
}

}  // namespace

absl::StatusOr<std::vector<ConfigEntry>> ParseConfigFile(absl::string_view text) {
  std::vector<ConfigEntry> entries;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    for (const char c : line) {
      if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t') {
        return Bad(absl::StrCat(number), "a control character: this is no text");
      }
    }
    if (line[0] == '[') {
      return Bad(absl::StrCat(number), "there are no sections: each daemon has a file of its own");
    }
    const size_t equals = line.find('=');
    const absl::string_view key = absl::StripTrailingAsciiWhitespace(line.substr(0, equals));
    if (equals == absl::string_view::npos || !IsKey(key)) {
      return Bad(absl::StrCat(number),
                 absl::StrCat("\"", Printable(line), "\" is not of the form key = value"));
    }
    const absl::StatusOr<std::string> value =
        ParseValue(absl::StripLeadingAsciiWhitespace(line.substr(equals + 1)));
    if (!value.ok()) return Bad(absl::StrCat(number), value.status().message());
    if (value->empty()) {
      return Bad(absl::StrCat(number),
                 absl::StrCat(key, " has no value: leave the line out for the default"));
    }
    entries.push_back({number, std::string(key), *value});
  }
  return entries;
}

absl::StatusOr<std::vector<ConfigEntry>> ReadConfigFile(const std::string& path) {
  const auto failed = [&path] {
    return Bad(Printable(path), absl::StrCat("can't be read: ", strerror(errno)));
  };
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "re"), &fclose);
  if (file == nullptr) return failed();
  std::string text(kMaxConfigFileBytes + 1, '\0');
  const size_t size = fread(text.data(), 1, text.size(), file.get());
  if (ferror(file.get()) != 0) return failed();
  if (size > kMaxConfigFileBytes) {
    return Bad(Printable(path), absl::StrCat("more than ", kMaxConfigFileBytes, " bytes"));
  }
  absl::StatusOr<std::vector<ConfigEntry>> entries =
      ParseConfigFile(absl::string_view(text).substr(0, size));
  if (entries.ok()) return entries;
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CONFIG_FILE",
                   absl::StrCat(Printable(path), ":", entries.status().message()));
}

}  // namespace bellwire
