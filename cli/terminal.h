#ifndef BELLWIRE_CLI_TERMINAL_H_
#define BELLWIRE_CLI_TERMINAL_H_

#include <cstddef>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/time_text.h"
#include "nlohmann/json.hpp"

namespace bellwire::cli {

// What a command says: for a person (aligned, coloured where that helps) or, with --json, one JSON
// value a line for a program. A command renders both and asks json() which one is wanted.
//
// Control characters in what is said are shown as \xNN, so that a name or a detail which others
// made can't move the cursor; the Terminal's own colours pass. In JSON they are \u00NN.
//
// A command need not check each line: main() fails if status() isn't OK in the end. Who acts on
// what was said (acknowledges a message, say) asks first.
//
// For one thread at a time.
class Terminal {
 public:
  // `colour`: whether escape sequences may be written. `columns`: how many Fields and Table may
  // take; 0: as many as they want.
  Terminal(std::ostream* out, bool colour, size_t columns = 0)
      : out_(out), colour_(colour), columns_(columns) {}
  // On stdout; coloured if that is a terminal, unless NO_COLOR is set (no-color.org) or TERM is
  // dumb. As wide as COLUMNS says, or else as the terminal is; for a pipe each row of a table stays
  // one line.
  static Terminal ForStdout();

  bool json() const { return json_; }
  void set_json(bool json) { json_ = json; }

  // OK if everything so far was written, and taken by whoever is behind the descriptor; else
  // UNAVAILABLE with the reason, and nothing more is written.
  const absl::Status& status() const { return status_; }

  // Each ends its line and flushes: the reader may be a pipe that acts on every line.
  void Line(absl::string_view text = "");
  void Json(const nlohmann::ordered_json& value);
  // "name   value" lines, the values aligned. Values that are too wide go on below themselves.
  void Fields(const std::vector<std::pair<std::string, std::string>>& fields);
  // Aligned columns under a header. Where they are wider than the terminal, the last column goes on
  // below itself; where that is not enough, each row is shown as Fields. A word, such as an id, is
  // never broken: it can be copied.
  void Table(const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows);

  // `text`, emphasised if colours are on.
  std::string Bold(absl::string_view text) const;
  std::string Dim(absl::string_view text) const;
  std::string Good(absl::string_view text) const;
  std::string Bad(absl::string_view text) const;

 private:
  std::string Paint(absl::string_view code, absl::string_view text) const;
  void Write(absl::string_view line);

  std::ostream* out_;
  bool colour_;
  size_t columns_;
  bool json_ = false;
  absl::Status status_;
};

// {"error":{"code":…,"reason":…,"message":…,…}}
nlohmann::ordered_json ErrorToJson(const absl::Status& status);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_TERMINAL_H_
