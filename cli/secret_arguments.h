#ifndef BELLWIRE_CLI_SECRET_ARGUMENTS_H_
#define BELLWIRE_CLI_SECRET_ARGUMENTS_H_

#include <string>
#include <vector>

namespace bellwire::cli {

// The arguments, as the parser wants them; `argv` itself, which every user of the machine can read
// (`ps`, /proc/PID/cmdline), has "*" in the place of the values of these flags from then on, and of
// each argument that looks like a device token, an encrypted token or an access token. They
// were to be seen from the exec to here, which is some milliseconds: who can't have that gives them
// in a file, on standard input or in the environment. For main()'s first line.
std::vector<std::string> TakeArguments(int argc, char** argv,
                                       const std::vector<std::string>& secret_flags);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_SECRET_ARGUMENTS_H_
