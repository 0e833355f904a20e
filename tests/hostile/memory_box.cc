#include "tests/hostile/memory_box.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bellwire::tests {
namespace {

constexpr char kRootV1[] = "/sys/fs/cgroup/memory";
constexpr char kRootV2[] = "/sys/fs/cgroup";

std::string ReadAll(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The number after `name` in lines of "name number".
uint64_t Counter(const std::string& text, absl::string_view name) {
  std::istringstream words(text);
  uint64_t value = 0;
  for (std::string word; words >> word;) {
    if (word == name) words >> value;
  }
  return value;
}

// "4:memory:/path" (v1), "0::/path" (v2).
std::string OwnCgroup(bool v2) {
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(ReadAll("/proc/self/cgroup"), '\n'))) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() == 3 && (v2 ? parts[0] == "0" : parts[1] == "memory")) return parts[2];
  }
  return "/";
}

}  // namespace

MemoryBox::MemoryBox(uint64_t bytes) {
  v2_ = access(absl::StrCat(kRootV1, "/cgroup.procs").c_str(), F_OK) != 0;
  const std::string root = v2_ ? kRootV2 : kRootV1;
  home_ = absl::StrCat(root, OwnCgroup(v2_), "/cgroup.procs");
  dir_ = absl::StrCat(root, "/bellwire_test_", getpid());
  // Its controllers are those that the parent gives away.
  if (v2_) Write(absl::StrCat(root, "/cgroup.subtree_control"), "+memory");
  limits_ = mkdir(dir_.c_str(), 0755) == 0 &&
            Write(absl::StrCat(dir_, v2_ ? "/memory.max" : "/memory.limit_in_bytes"),
                  absl::StrCat(bytes));
}

MemoryBox::~MemoryBox() { rmdir(dir_.c_str()); }

MemoryBox::Inside::Inside(MemoryBox* box) : box_(box) {
  if (box->limits_) {
    box->limits_ = box->Write(absl::StrCat(box->dir_, "/cgroup.procs"), absl::StrCat(getpid()));
  }
}

MemoryBox::Inside::~Inside() {
  if (box_->limits_) box_->Write(box_->home_, absl::StrCat(getpid()));
}

uint64_t MemoryBox::kills() const {
  return Counter(ReadAll(absl::StrCat(dir_, v2_ ? "/memory.events" : "/memory.oom_control")),
                 "oom_kill");
}

uint64_t MemoryBox::peak_bytes() const {
  uint64_t bytes = 0;
  std::ifstream(absl::StrCat(dir_, v2_ ? "/memory.peak" : "/memory.max_usage_in_bytes")) >> bytes;
  return bytes;
}

bool MemoryBox::Write(const std::string& path, const std::string& text) const {
  std::ofstream stream(path);
  stream << text << std::flush;
  return stream.good();
}

}  // namespace bellwire::tests
