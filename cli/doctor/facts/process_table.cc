#include "cli/doctor/facts/process_table.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bellwire::cli {
namespace {

namespace fs = std::filesystem;

std::string ReadProc(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<pid_t> AllProcesses() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    pid_t pid = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &pid)) pids.push_back(pid);
  }
  return pids;
}

// Calls `on_descriptor` with the path of each, "/proc/PID/fd/N", until it answers false.
template <typename OnDescriptor>
void ForEachDescriptor(pid_t pid, OnDescriptor on_descriptor) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(absl::StrCat("/proc/", pid, "/fd"), error)) {
    if (!on_descriptor(entry.path())) return;
  }
}

size_t CountDescriptors(pid_t pid) {
  size_t count = 0;
  ForEachDescriptor(pid, [&](const fs::path&) {
    ++count;
    return true;
  });
  return count;
}

size_t MaxDescriptors(pid_t pid) {
  for (const absl::string_view line :
       absl::StrSplit(ReadProc(absl::StrCat("/proc/", pid, "/limits")), '\n')) {
    if (!absl::StartsWith(line, "Max open files")) continue;
    const std::vector<absl::string_view> columns = absl::StrSplit(line, ' ', absl::SkipEmpty());
    size_t soft = 0;
    if (columns.size() > 3 && absl::SimpleAtoi(columns[3], &soft)) return soft;
  }
  return 0;
}

// "0100007F" is 127.0.0.1: 32-bit words as they lie in memory. Empty: none of it.
std::string HostOf(absl::string_view hex) {
  const bool v4 = hex.size() == 8;
  if (!v4 && hex.size() != 32) return "";
  uint32_t words[4] = {};
  for (size_t i = 0; i < hex.size() / 8; ++i) {
    if (!absl::SimpleHexAtoi(hex.substr(i * 8, 8), &words[i])) return "";
  }
  char text[INET6_ADDRSTRLEN] = {};
  if (inet_ntop(v4 ? AF_INET : AF_INET6, words, text, sizeof(text)) == nullptr) return "";
  const std::string host = text;
  // Any address: IPv4's loopback leads there too.
  return host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host;
}

// Since it was started.
absl::Duration AgeOf(absl::string_view start_ticks, MonotonicTime boottime) {
  int64_t ticks = 0;
  const long per_second = sysconf(_SC_CLK_TCK);
  if (!absl::SimpleAtoi(start_ticks, &ticks) || per_second <= 0) return absl::ZeroDuration();
  return (boottime - MonotonicTime()) - absl::Seconds(1) * ticks / per_second;
}

}  // namespace

std::optional<ProcessFacts> ReadProcess(pid_t pid, const Clock& clock) {
  const std::string root = absl::StrCat("/proc/", pid, "/");
  const std::string stat = ReadProc(root + "stat");
  // "PID (NAME) STATE …": the name may hold anything.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  ProcessFacts facts;
  facts.pid = pid;
  facts.name = std::string(absl::StripAsciiWhitespace(ReadProc(root + "comm")));
  const std::vector<absl::string_view> rest =
      absl::StrSplit(absl::string_view(stat).substr(end + 1), ' ', absl::SkipEmpty());
  if (!rest.empty()) facts.state = rest[0][0];
  // Field 22 of proc(5), the third being the first here.
  constexpr size_t kStartTime = 19;
  if (rest.size() > kStartTime) {
    facts.started = clock.WallNow() - AgeOf(rest[kStartTime], clock.Boottime());
  }
  std::error_code error;
  const std::string program = fs::read_symlink(root + "exe", error).string();
  facts.program_replaced = absl::EndsWith(program, " (deleted)");
  facts.open_descriptors = CountDescriptors(pid);
  facts.max_descriptors = MaxDescriptors(pid);
  const std::string command_line = ReadProc(root + "cmdline");
  for (const absl::string_view argument :
       absl::StrSplit(absl::StripSuffix(command_line, absl::string_view("\0", 1)), '\0')) {
    facts.arguments.emplace_back(argument);
  }
  return facts;
}

std::vector<pid_t> ProcessesWithOpen(const std::string& path) {
  struct stat wanted {};
  if (stat(path.c_str(), &wanted) != 0) return {};
  std::vector<pid_t> holders;
  for (const pid_t pid : AllProcesses()) {
    if (pid == getpid()) continue;
    ForEachDescriptor(pid, [&](const fs::path& descriptor) {
      struct stat info {};
      if (stat(descriptor.c_str(), &info) != 0 || info.st_ino != wanted.st_ino ||
          info.st_dev != wanted.st_dev) {
        return true;
      }
      holders.push_back(pid);
      return false;
    });
  }
  return holders;
}

std::vector<pid_t> ProcessesNamed(absl::string_view prefix) {
  std::vector<pid_t> named;
  for (const pid_t pid : AllProcesses()) {
    if (pid == getpid()) continue;
    if (absl::StartsWith(ReadProc(absl::StrCat("/proc/", pid, "/comm")), prefix)) {
      named.push_back(pid);
    }
  }
  return named;
}

std::optional<ListeningSocket> ParseListeningSocket(absl::string_view line) {
  const std::vector<absl::string_view> columns = absl::StrSplit(line, ' ', absl::SkipEmpty());
  constexpr size_t kLocal = 1, kState = 3, kUid = 7, kInode = 9;
  constexpr absl::string_view kListen = "0A";
  if (columns.size() <= kInode || columns[kState] != kListen) return std::nullopt;
  const size_t colon = columns[kLocal].rfind(':');
  uint32_t port = 0;
  uint32_t uid = 0;
  if (colon == absl::string_view::npos ||
      !absl::SimpleHexAtoi(columns[kLocal].substr(colon + 1), &port) || port > 65535 ||
      !absl::SimpleAtoi(columns[kUid], &uid)) {
    return std::nullopt;
  }
  return ListeningSocket{HostOf(columns[kLocal].substr(0, colon)), static_cast<uint16_t>(port), uid,
                         std::string(columns[kInode])};
}

std::vector<ListenerFacts> ListeningPorts() {
  std::map<std::string, ListenerFacts> by_inode;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const absl::string_view line : absl::StrSplit(ReadProc(table), '\n')) {
      const std::optional<ListeningSocket> socket = ParseListeningSocket(line);
      if (!socket.has_value() || by_inode.size() >= kMaxListeners) continue;
      by_inode[socket->inode] = {.host = socket->host, .port = socket->port, .uid = socket->uid};
    }
  }
  for (const pid_t pid : AllProcesses()) {
    ForEachDescriptor(pid, [&](const fs::path& descriptor) {
      std::error_code error;
      const std::string target = fs::read_symlink(descriptor, error).string();
      absl::string_view inode = target;
      if (!absl::ConsumePrefix(&inode, "socket:[") || !absl::ConsumeSuffix(&inode, "]")) {
        return true;
      }
      const auto found = by_inode.find(std::string(inode));
      if (found == by_inode.end()) return true;
      found->second.pid = pid;
      found->second.name =
          std::string(absl::StripAsciiWhitespace(ReadProc(absl::StrCat("/proc/", pid, "/comm"))));
      return true;
    });
  }
  // A daemon has one socket for each thread, or for IPv4 and IPv6.
  std::set<std::pair<uint16_t, pid_t>> seen;
  std::vector<ListenerFacts> listeners;
  for (auto& [inode, listener] : by_inode) {
    if (seen.insert({listener.port, listener.pid}).second) listeners.push_back(listener);
  }
  return listeners;
}

std::vector<std::pair<std::string, std::string>> ParseArguments(
    const std::vector<std::string>& arguments) {
  std::vector<std::pair<std::string, std::string>> flags;
  for (size_t i = 1; i < arguments.size(); ++i) {
    absl::string_view name = arguments[i];
    if (!absl::ConsumePrefix(&name, "--")) continue;
    const size_t equals = name.find('=');
    if (equals != absl::string_view::npos) {
      flags.emplace_back(name.substr(0, equals), name.substr(equals + 1));
    } else if (i + 1 < arguments.size() && !absl::StartsWith(arguments[i + 1], "--")) {
      // Lists of values: "--server A B".
      while (i + 1 < arguments.size() && !absl::StartsWith(arguments[i + 1], "--")) {
        flags.emplace_back(name, arguments[++i]);
      }
    } else {
      flags.emplace_back(name, "");
    }
  }
  return flags;
}

}  // namespace bellwire::cli
