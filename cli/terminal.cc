#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/error.h"
#include "common/printable.h"

namespace bellwire::cli {
namespace {

// Columns that UTF-8 `text` takes, a character each: good enough for names.
size_t Width(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string Pad(absl::string_view text, size_t width) {
  const size_t has = Width(text);
  return absl::StrCat(text, std::string(width > has ? width - has : 0, ' '));
}

constexpr absl::string_view kPaints[] = {"\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m"};

// Printable, but for what Paint puts in.
std::string PrintableWithPaint(absl::string_view text) {
  std::string out;
  while (true) {
    const size_t escape = std::min(text.find('\033'), text.size());
    absl::StrAppend(&out, Printable(text.substr(0, escape)));
    text.remove_prefix(escape);
    if (text.empty()) return out;
    size_t paint = 1;
    for (absl::string_view known : kPaints) {
      if (absl::StartsWith(text, known)) paint = known.size();
    }
    absl::StrAppend(&out, paint > 1 ? std::string(text.substr(0, paint)) : Printable("\033"));
    text.remove_prefix(paint);
  }
}

// JSON leaves them as they are.
std::string EscapeLateControls(absl::string_view json) {
  std::string out;
  for (size_t i = 0; i < json.size(); ++i) {
    const auto byte = static_cast<unsigned char>(json[i]);
    const bool c1 =
        byte == 0xc2 && i + 1 < json.size() && static_cast<unsigned char>(json[i + 1]) < 0xa0;
    if (byte == 0x7f) {
      absl::StrAppend(&out, "\\u007f");
    } else if (c1) {
      absl::StrAppendFormat(&out, "\\u%04x",
                            static_cast<unsigned>(static_cast<unsigned char>(json[++i])));
    } else {
      out.push_back(json[i]);
    }
  }
  return out;
}

}  // namespace

Terminal Terminal::ForStdout() {
  const char* no_colour = getenv("NO_COLOR");
  const char* term = getenv("TERM");
  const bool colour = isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
                      term != nullptr && absl::string_view(term) != "dumb";
  return Terminal(&std::cout, colour);
}

void Terminal::Line(absl::string_view text) {
  Write(colour_ ? PrintableWithPaint(text) : Printable(text));
}

void Terminal::Write(absl::string_view line) {
  if (!status_.ok()) return;
  errno = 0;
  *out_ << line << std::endl;
  if (out_->good()) return;
  const int error = errno;
  status_ = absl::UnavailableError(absl::StrCat(
      "can't write to standard output", error == 0 ? "" : absl::StrCat(": ", strerror(error))));
}

void Terminal::Json(const nlohmann::ordered_json& value) {
  // Ill-formed UTF-8 (a payload, a name from a server) is replaced rather than refused.
  Write(EscapeLateControls(
      value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)));
}

void Terminal::Fields(const std::vector<std::pair<std::string, std::string>>& fields) {
  size_t width = 0;
  for (const auto& [name, value] : fields) width = std::max(width, Width(name));
  for (const auto& [name, value] : fields) {
    Line(absl::StrCat("  ", Dim(Pad(name, width)), "  ", value));
  }
}

void Terminal::Table(const std::vector<std::string>& header,
                     const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::string& title : header) widths.push_back(Width(title));
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  const auto render = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, i + 1 < row.size() ? Pad(row[i], widths[i] + 2) : row[i]);
    }
    return std::string(absl::StripTrailingAsciiWhitespace(line));
  };
  Line(Dim(render(header)));
  for (const std::vector<std::string>& row : rows) Line(render(row));
}

std::string Terminal::Bold(absl::string_view text) const { return Paint("1", text); }
std::string Terminal::Dim(absl::string_view text) const { return Paint("2", text); }
std::string Terminal::Good(absl::string_view text) const { return Paint("32", text); }
std::string Terminal::Bad(absl::string_view text) const { return Paint("31", text); }

std::string Terminal::Paint(absl::string_view code, absl::string_view text) const {
  if (!colour_) return std::string(text);
  return absl::StrCat("\033[", code, "m", text, "\033[0m");
}

nlohmann::ordered_json ErrorToJson(const absl::Status& status) {
  nlohmann::ordered_json error;
  error["code"] = absl::StatusCodeToString(status.code());
  if (const std::string reason = ErrorReason(status); !reason.empty()) error["reason"] = reason;
  error["message"] = std::string(status.message());
  if (const auto field = ErrorField(status)) error["field"] = *field;
  if (const auto retry_after = RetryAfter(status)) {
    error["retry_after_ms"] = absl::ToInt64Milliseconds(*retry_after);
  }
  for (const auto& [key, value] : AllErrorMetadata(status)) error[key] = value;
  return {{"error", error}};
}

}  // namespace bellwire::cli
