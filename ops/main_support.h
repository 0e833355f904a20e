#ifndef BELLWIRE_OPS_MAIN_SUPPORT_H_
#define BELLWIRE_OPS_MAIN_SUPPORT_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// What every daemon's main() does in the same way: flags, signals, limits, the ready file, errors.
//
//   int main(int argc, char** argv) {
//     CLI::App app("bellwire-foo: what it is for", "bellwire-foo");
//     DaemonFlags flags;
//     AddDaemonFlags(&app, &flags);
//     if (std::optional<int> exit_code = ParseFlags(&app, argc, argv)) return *exit_code;
//     if (absl::Status s = PrepareServer(flags); !s.ok()) return ReportFailure(s);
//     … start; on an error return ReportFailure(status) …
//     if (absl::Status s = WriteReadyFile(flags.ready_file, {{"foo_address", address}}); !s.ok()) {
//       return ReportFailure(s);
//     }
//     WaitForShutdownSignal(flags);
//     … drain …
//     return kExitOk;
//   }
//
// For main()'s thread only.
namespace bellwire {

inline constexpr int kExitOk = 0;
// It could not do what it was asked to; stderr says why.
inline constexpr int kExitFailure = 1;
// The command line or the configuration file is wrong.
inline constexpr int kExitUsage = 2;

struct DaemonFlags {
  // "debug", "info", "warning" or "error"; checked by the parser.
  std::string log_level = "info";
  bool log_json = false;
  // Where to write the real addresses once everything listens. Empty: nowhere.
  std::string ready_file;
  // Whether a crash may leave memory in a core dump, and who is not root may read it
  // (core_dumps.h).
  bool core_dumps = false;
  // Whose flags these are: set by AddDaemonFlags, not owned. Null: no file is read again.
  CLI::App* app = nullptr;
};

// What of the configuration file takes effect without a restart (WaitForShutdownSignal). A flag of
// that name must be read anew whenever it is used.
inline constexpr absl::string_view kReloadableFlags[] = {"log_level", "log_json", "drain_seconds"};

// Adds --config FILE (config_file.h), --show_config, --log_level, --log_json, --ready_file,
// --core_dumps and --version. `flags` must outlive the parse, and `app` the process's wait for its
// end.
void AddDaemonFlags(CLI::App* app, DaemonFlags* flags);

// Parses the command line; options of the type "HOST:PORT" take nothing else. A value means: exit
// with it now (help, version or --show_config was printed, or the error and where to find help).
// What wins, whatever the command: a flag, then the environment, then the configuration file
// (settings.h). An empty value is refused, as it is what a script with an unset variable says;
// `may_be_empty` names the flags ("--text") for which it means something.
//
// Standard input, output and error that the caller has closed are held first, so that no file or
// socket takes their numbers: reading the one and writing to the other fail.
std::optional<int> ParseFlags(CLI::App* app, int argc, char** argv,
                              const std::vector<std::string>& may_be_empty = {});

// Sets up logging, removes a stale ready file, raises the descriptor limit to what the system
// allows, forbids core dumps, ignores SIGPIPE, blocks SIGTERM, SIGINT and SIGHUP for
// WaitForShutdownSignal, and skips the detection of deadlocks. REQUIRES: no other thread runs yet
// (threads inherit the blocked signals).
//   INVALID_ARGUMENT: the ready file's path is something else than a regular file
absl::Status PrepareProcess(const DaemonFlags& flags);

// PrepareProcess, for a server: asks for short slices (short_slices.h) too, which a phone's battery
// has no use for.
absl::Status PrepareServer(const DaemonFlags& flags);

// gRPC logs lines of its own on stderr, which any peer with a broken handshake can cause. Turns
// them off unless the environment's GRPC_VERBOSITY asks for them. Part of PrepareProcess; REQUIRES:
// gRPC was not used yet.
void SilenceGrpcLog();

// Debian builds Abseil with its detection of deadlocks, which takes one lock of the whole process
// whenever any mutex is locked, gRPC's too: 5 % of the CPU time of a Send. Turns it off, unless
// this is a debug build: tests keep it. Part of PrepareProcess.
void SkipDeadlockDetection();

// Returns after SIGTERM or SIGINT, which the service manager is told. From then on a second one
// kills the process at once, so that a drain can be cut short. Until then each SIGHUP reads the
// configuration file again and then calls `reload`, which logs what it has taken up (LogReload);
// after that it does nothing. With neither a file nor `reload` a SIGHUP is logged and ignored.
//
// Of the file, kReloadableFlags take effect (`settings_changed`); the keys of other changes are
// logged (`restart_needed`). A file with an error changes nothing (`reload_failed`).
// REQUIRES: PrepareProcess; `flags` are those of AddDaemonFlags, not a copy.
void WaitForShutdownSignal(const DaemonFlags& flags, const std::function<void()>& reload = nullptr);

// Logs what came of reading `what` (a file) again: `reloaded`, or `reload_failed` with the reason.
// After a failure the daemon goes on with what it had.
void LogReload(absl::string_view what, const absl::Status& status);

// Raises the soft limit of open descriptors to the hard one; answers what it is now.
size_t RaiseDescriptorLimit();

// Writes {"key":"value", …, "pid":N} to `path` by way of a rename: who sees the file sees all of
// it. An empty path writes nothing. Tells the service manager that the daemon is ready.
//   INVALID_ARGUMENT: there is something else than a regular file, which a rename would replace
absl::Status WriteReadyFile(const std::string& path,
                            const std::vector<std::pair<std::string, std::string>>& fields);

// Attaches what the person at the terminal should do next; shown by ReportFailure.
absl::Status WithHint(absl::Status status, absl::string_view hint);

// `status` for a person: "error: what is wrong" and, where known, "hint: what to do", a line each.
// What a peer wrote into it is made Printable. REQUIRES: !status.ok().
std::string RenderFailure(const absl::Status& status);

// Prints RenderFailure to stderr; answers kExitFailure.
int ReportFailure(const absl::Status& status);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_MAIN_SUPPORT_H_
