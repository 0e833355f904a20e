#ifndef BELLWIRE_OPS_SETTINGS_H_
#define BELLWIRE_OPS_SETTINGS_H_

#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Where the value of each flag of a command comes from. From weak to strong: the default, the
// configuration file (--config), the environment, the command line. The file's keys are the names
// of the flags, and CLI11 parses its values as it parses flags: there is one road for all of them.
//
// For one thread at a time.
namespace bellwire {

inline constexpr char kConfigFlag[] = "--config";
// Prints RenderSettings and exits; `bellwire config` asks daemons with it.
inline constexpr char kShowConfigFlag[] = "--show_config";

enum class SettingSource { kDefault, kFile, kEnvironment, kFlag };

struct Setting {
  // Not owned.
  CLI::Option* option = nullptr;
  SettingSource source = SettingSource::kDefault;
  // "FILE:LINE", of the first line if there are several, or the name of the variable.
  std::string where;
  // What the file says, also where something stronger wins.
  std::vector<std::string> file_values;
};

// One for each flag that can be set, in the order of --help. `arguments` is the command line
// without the name of the program, before or after `command` has parsed it.
//   INVALID_ARGUMENT BAD_CONFIG_FILE: the file can't be read or parsed, has a key that is no flag
//   (the message suggests one), or a key twice that takes one value
absl::StatusOr<std::vector<Setting>> ResolveSettings(CLI::App* command,
                                                     const std::vector<std::string>& arguments);

// The file named on the command line; empty if there is none.
std::string ConfigFileOf(const std::vector<std::string>& arguments);

// What the file decides, as "--key=value".
std::vector<std::string> FlagsOfFile(const std::vector<Setting>& settings);

// " (in FILE:LINE)" if `error`, a message of the parser, is about a value of the file; else empty.
std::string PlaceOf(absl::string_view error, const std::vector<Setting>& settings);

// A line of JSON for each: key, value (a list where several are possible, null where there is
// none), from ("default", "file", "environment", "flag") and where. REQUIRES: the command line was
// parsed.
std::string RenderSettings(const std::vector<Setting>& settings);

struct ReloadedSettings {
  // Keys whose new values hold now.
  std::vector<std::string> changed;
  // Keys whose new values hold after a restart.
  std::vector<std::string> need_restart;
};

// Reads the file again. Values of `reloadable` keys take effect: CLI11 writes them to the variables
// of their flags. `running` is what holds, and is brought up to date. After an error everything is
// as it was.
//   INVALID_ARGUMENT BAD_CONFIG_FILE: as ResolveSettings, or a new value is refused
absl::StatusOr<ReloadedSettings> ReloadSettings(CLI::App* command,
                                                const std::vector<std::string>& arguments,
                                                const std::vector<std::string>& reloadable,
                                                std::vector<Setting>* running);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_SETTINGS_H_
