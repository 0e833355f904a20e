#ifndef BELLWIRE_CLI_RUN_PROGRAM_H_
#define BELLWIRE_CLI_RUN_PROGRAM_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bellwire::cli {

// More than any program of ours answers.
inline constexpr size_t kMaxProgramOutputBytes = 1024 * 1024;

// Runs a program to its end, with this process's environment and no input, and answers what it
// wrote to standard output. `arguments` begin with the program: a path, or a name to look up in
// PATH. Blocks; thread-safe.
//   NOT_FOUND: there is no such program
//   FAILED_PRECONDITION: it failed; the message and the hint are those that a program of ours
//   prints, or else all that it wrote to standard error
//   RESOURCE_EXHAUSTED: it wrote more than kMaxProgramOutputBytes
absl::StatusOr<std::string> OutputOf(const std::vector<std::string>& arguments);

// The path of a program of Bellwire: beside this one, where a package puts it, or else its name.
std::string ProgramPath(const std::string& name);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_RUN_PROGRAM_H_
