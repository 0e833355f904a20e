#ifndef BELLWIRE_OPS_CONFIG_FILE_H_
#define BELLWIRE_OPS_CONFIG_FILE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The configuration file of a daemon: `key = value` lines.
//
//   # A comment, on a line of its own or after a value.
//   server = push.example.com:7444
//   server = push2.example.com:7444     # a key that takes several values has a line for each
//
// Nothing else is syntax: no sections, no escapes. A value goes from the first to the last
// character that is no white space. Double quotes around a value are taken off, and keep a '#'.
//
// CLI11 has a reader of its own. It divides values at spaces and commas, cuts them at any '#',
// takes a line without '=' for a flag, and doesn't say in which line an error is.
//
// Thread-safe.
namespace bellwire {

// Far more than all flags with a comment each. A larger file is none of ours.
inline constexpr size_t kMaxConfigFileBytes = 64 * 1024;

struct ConfigEntry {
  // From 1.
  int line;
  std::string key;
  // Never empty.
  std::string value;

  bool operator==(const ConfigEntry& other) const {
    return line == other.line && key == other.key && value == other.value;
  }
};

// In the order of the lines. Which keys there are is the caller's to know.
//   INVALID_ARGUMENT BAD_CONFIG_FILE: "LINE: what is wrong and what to write instead"
absl::StatusOr<std::vector<ConfigEntry>> ParseConfigFile(absl::string_view text);

// Reads and parses `path`; blocks.
//   INVALID_ARGUMENT BAD_CONFIG_FILE: the message begins with PATH, or PATH:LINE
absl::StatusOr<std::vector<ConfigEntry>> ReadConfigFile(const std::string& path);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_CONFIG_FILE_H_
