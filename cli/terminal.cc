#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/printable.h"

namespace bellwire::cli {
namespace {

constexpr absl::string_view kPaints[] = {"\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m"};

// Narrower, and rows would be one word a line.
constexpr size_t kFewestColumns = 40;
// A last column that is narrower is hard to read: rows are better shown as fields.
constexpr size_t kFewestLastColumns = 24;
constexpr size_t kGap = 2;

// The length of what Paint puts in at the beginning of `text`; 0: it has put nothing there.
size_t PaintAt(absl::string_view text) {
  for (const absl::string_view paint : kPaints) {
    if (absl::StartsWith(text, paint)) return paint.size();
  }
  return 0;
}

// Columns that UTF-8 `text` takes, a character each: good enough for names.
size_t Width(absl::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    if (const size_t paint = PaintAt(text); paint > 0) {
      text.remove_prefix(paint);
      continue;
    }
    if ((text[0] & 0xc0) != 0x80) ++width;
    text.remove_prefix(1);
  }
  return width;
}

// Lines of at most `width` columns, or of one word.
std::vector<std::string> Wrap(absl::string_view text, size_t width) {
  std::vector<std::string> lines;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (lines.empty() || Width(lines.back()) + 1 + Width(word) > width) {
      lines.emplace_back(word);
    } else {
      absl::StrAppend(&lines.back(), " ", word);
    }
  }
  return lines;
}

// What COLUMNS says, or else the terminal. 0: neither does.
size_t ColumnsOfStdout() {
  const char* const columns = getenv("COLUMNS");
  uint32_t said = 0;
  if (columns != nullptr && absl::SimpleAtoi(columns, &said) && said >= kFewestColumns) return said;
  winsize size{};
  if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col >= kFewestColumns ? size.ws_col : 0;
}

std::string Pad(absl::string_view text, size_t width) {
  const size_t has = Width(text);
  return absl::StrCat(text, std::string(width > has ? width - has : 0, ' '));
}

// Printable, but for what Paint puts in.
std::string PrintableWithPaint(absl::string_view text) {
  std::string out;
  while (true) {
    const size_t escape = std::min(text.find('\033'), text.size());
    absl::StrAppend(&out, Printable(text.substr(0, escape)));
    text.remove_prefix(escape);
    if (text.empty()) return out;
    const size_t paint = PaintAt(text);
    absl::StrAppend(&out, paint > 0 ? std::string(text.substr(0, paint)) : Printable("\033"));
    text.remove_prefix(std::max<size_t>(paint, 1));
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
  return Terminal(&std::cout, colour, ColumnsOfStdout());
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
  const size_t before = kGap + width + kGap;
  for (const auto& [name, value] : fields) {
    std::string left = absl::StrCat("  ", Dim(Pad(name, width)), "  ");
    if (columns_ == 0 || before + Width(value) <= columns_) {
      Line(absl::StrCat(left, value));
      continue;
    }
    for (const std::string& line : Wrap(value, columns_ - std::min(columns_, before))) {
      Line(absl::StrCat(left, line));
      left = std::string(before, ' ');
    }
  }
}

void Terminal::Table(const std::vector<std::string>& header,
                     const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::string& title : header) widths.push_back(Width(title));
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  // Of all columns but the last.
  size_t before = 0;
  for (size_t i = 0; i + 1 < widths.size(); ++i) before += widths[i] + kGap;
  const bool fits = columns_ == 0 || before + widths.back() <= columns_;
  if (!fits && before + kFewestLastColumns > columns_) {
    for (size_t r = 0; r < rows.size(); ++r) {
      std::vector<std::pair<std::string, std::string>> fields;
      for (size_t i = 0; i < rows[r].size(); ++i) {
        if (!rows[r][i].empty()) fields.emplace_back(header[i], rows[r][i]);
      }
      if (r > 0) Line();
      Fields(fields);
    }
    return;
  }
  const auto render = [&](const std::vector<std::string>& row) {
    std::string left;
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      absl::StrAppend(&left, Pad(row[i], widths[i] + kGap));
    }
    const std::vector<std::string> last =
        fits ? std::vector<std::string>{row.back()} : Wrap(row.back(), columns_ - before);
    std::vector<std::string> lines;
    for (const std::string& line : last) {
      const std::string whole = absl::StrCat(left, line);
      lines.emplace_back(absl::StripTrailingAsciiWhitespace(whole));
      left = std::string(before, ' ');
    }
    return lines;
  };
  for (const std::string& line : render(header)) Line(Dim(line));
  for (const std::vector<std::string>& row : rows) {
    for (const std::string& line : render(row)) Line(line);
  }
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
