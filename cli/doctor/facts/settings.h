#ifndef BELLWIRE_CLI_DOCTOR_FACTS_SETTINGS_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_SETTINGS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace bellwire::cli {

// Flags of a daemon that this box runs, as its command line and its configuration file say. Not
// what checks them (that is the daemon): what is malformed is left out. Immutable.
class Settings {
 public:
  Settings() = default;
  // Of a configuration file's text, `name = value` a line. Pure.
  static Settings FromText(absl::string_view text);
  // Of a file; nothing if it can't be read. Blocking.
  static Settings FromFile(const std::string& path);
  // Of a command line, and of the file that its --config names, which it beats. Blocking.
  static Settings FromArguments(const std::vector<std::string>& arguments);

  bool empty() const { return values_.empty(); }
  // The first one; or `otherwise`.
  std::string Get(absl::string_view name, absl::string_view otherwise = "") const;
  std::vector<std::string> All(absl::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_SETTINGS_H_
