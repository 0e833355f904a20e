#include "cli/secret_arguments.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "crypto/token_sealer.h"

namespace bellwire::cli {
namespace {

void Hide(char* value) {
  const size_t size = std::strlen(value);
  if (size == 0) return;
  // The rest is zeros: not even its length remains.
  std::memset(value, 0, size);
  value[0] = '*';
}

bool IsSecretByItsLooks(absl::string_view argument) {
  const bool may_be_a_token = argument.size() == TokenSealer::kTokenChars ||
                              argument.size() == TokenSealer::kShortTokenChars;
  return (may_be_a_token && argument.find_first_not_of("0123456789abcdef") ==
                                absl::string_view::npos) ||
         absl::StartsWith(argument, "e1.") || absl::StartsWith(argument, "bw_");
}

}  // namespace

std::vector<std::string> TakeArguments(int argc, char** argv,
                                       const std::vector<std::string>& secret_flags) {
  std::vector<std::string> arguments(argv, argv + argc);
  for (int i = 1; i < argc; ++i) {
    if (IsSecretByItsLooks(arguments[i])) Hide(argv[i]);
    for (const std::string& flag : secret_flags) {
      if (arguments[i] == flag && i + 1 < argc) Hide(argv[i + 1]);
      if (absl::StartsWith(arguments[i], absl::StrCat(flag, "="))) Hide(argv[i] + flag.size() + 1);
    }
  }
  return arguments;
}

}  // namespace bellwire::cli
