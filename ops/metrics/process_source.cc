#include "ops/metrics/process_source.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace bellwire::metrics {
namespace {

// Fields of /proc/self/stat after the program's name, which may hold spaces (proc(5)): the first
// one is `state`, number 3.
constexpr size_t kFirstField = 3;
constexpr size_t kUserTime = 14;
constexpr size_t kSystemTime = 15;
constexpr size_t kThreadCount = 20;
constexpr size_t kStartTicks = 22;
constexpr size_t kResidentPages = 24;

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// When the machine booted, in Unix time.
std::optional<uint64_t> BootTime() {
  const std::string text = ReadAll("/proc/stat");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    uint64_t seconds = 0;
    if (absl::StartsWith(line, "btime ") && absl::SimpleAtoi(line.substr(6), &seconds)) {
      return seconds;
    }
  }
  return std::nullopt;
}

size_t CountDescriptors() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  size_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  // Without the directory's own.
  return count > 0 ? count - 1 : 0;
}

}  // namespace

void CollectProcess(Samples* samples) {
  const std::string stat = ReadAll("/proc/self/stat");
  const size_t name_end = stat.rfind(") ");
  if (name_end != std::string::npos) {
    const std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 2), ' ');
    const auto field = [&](size_t number) {
      uint64_t value = 0;
      const size_t index = number - kFirstField;
      if (index < fields.size()) (void)absl::SimpleAtoi(fields[index], &value);
      return static_cast<double>(value);
    };
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    samples->Add(kCpuSeconds, (field(kUserTime) + field(kSystemTime)) / ticks);
    samples->Add(kThreads, field(kThreadCount));
    samples->Add(kResidentBytes,
                 field(kResidentPages) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    static const std::optional<uint64_t> boot = BootTime();
    if (boot.has_value()) {
      samples->Add(kStartTime, static_cast<double>(*boot) + field(kStartTicks) / ticks);
    }
  }
  samples->Add(kOpenDescriptors, static_cast<double>(CountDescriptors()));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    samples->Add(kMaxDescriptors, static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace bellwire::metrics
