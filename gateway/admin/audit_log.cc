#include "gateway/admin/audit_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "openssl/sha.h"

namespace bellwire::gateway {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kHashChars = 64;
// What comes behind the part of a line that is hashed, before and after the hash.
constexpr absl::string_view kBeforeHash = ",\"hash\":\"";
constexpr absl::string_view kAfterHash = "\"}";

std::string FirstPrevious() { return std::string(kHashChars, '0'); }

std::string HashOf(absl::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

absl::Status NotWritten(const std::string& path, absl::string_view what, int error) {
  return MakeError(absl::StatusCode::kUnavailable, "AUDIT_NOT_WRITTEN",
                   absl::StrCat("can't ", what, " ", path, ": ", strerror(error)));
}

absl::Status Damaged(absl::string_view why) {
  return MakeError(absl::StatusCode::kDataLoss, "AUDIT_DAMAGED", why);
}

std::string Cut(absl::string_view text) { return std::string(text.substr(0, kMaxAuditValueBytes)); }

struct Line {
  AuditEntry entry;
  std::string previous;
  // The line before it was cut off by a crash.
  bool after_torn = false;
};

// Without the end of the line.
std::string Render(const Line& line) {
  const AuditRecord& record = line.entry.record;
  Json json = {{"n", line.entry.number},   {"time", line.entry.time},
               {"who", Cut(record.who)},   {"role", Cut(record.role)},
               {"peer", Cut(record.peer)}, {"what", Cut(record.what)},
               {"about", Json::object()},  {"outcome", Cut(record.outcome)}};
  for (const auto& [name, value] : record.about) json["about"][name] = Cut(value);
  if (record.of != 0) json["of"] = record.of;
  if (line.after_torn) json["torn"] = true;
  json["prev"] = line.previous;
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.pop_back();  // The brace.
  return absl::StrCat(text, kBeforeHash, HashOf(text), kAfterHash);
}

// Nullopt: it is no line of ours. Checks its own hash.
std::optional<Line> Parse(absl::string_view text) {
  if (text.size() > kMaxAuditLineBytes || !absl::ConsumeSuffix(&text, kAfterHash) ||
      text.size() < kHashChars) {
    return std::nullopt;
  }
  const std::string hash(text.substr(text.size() - kHashChars));
  text.remove_suffix(kHashChars);
  if (!absl::ConsumeSuffix(&text, kBeforeHash) || HashOf(text) != hash) return std::nullopt;
  const Json json = Json::parse(absl::StrCat(text, "}"), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const auto string = [&json](const char* name) {
    const auto it = json.find(name);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const auto number = [&json](const char* name) {
    const auto it = json.find(name);
    return it != json.end() && it->is_number_unsigned() ? it->get<uint64_t>() : uint64_t{0};
  };
  Line line;
  line.entry.number = number("n");
  line.entry.time = string("time");
  line.entry.hash = hash;
  line.entry.record = {.who = string("who"),
                       .role = string("role"),
                       .peer = string("peer"),
                       .what = string("what"),
                       .about = {},
                       .outcome = string("outcome"),
                       .of = number("of")};
  if (const auto about = json.find("about"); about != json.end() && about->is_object()) {
    for (const auto& [name, value] : about->items()) {
      if (value.is_string()) line.entry.record.about.emplace_back(name, value.get<std::string>());
    }
  }
  line.previous = string("prev");
  const auto torn = json.find("torn");
  line.after_torn = torn != json.end() && torn->is_boolean() && torn->get<bool>();
  return line;
}

// The last whole line of a file and what follows it.
struct Tail {
  std::optional<Line> last;
  // The end of a line is missing.
  bool open = false;
  // And that line is none.
  bool torn = false;
};

absl::StatusOr<Tail> ReadTail(const std::string& path, int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return NotWritten(path, "look at", errno);
  // Room for a torn line and the whole one before it.
  const off_t size = std::min<off_t>(info.st_size, 2 * kMaxAuditLineBytes);
  std::string text(static_cast<size_t>(size), '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = pread(fd, text.data() + have, text.size() - have,
                            info.st_size - size + static_cast<off_t>(have));
    if (n <= 0) return NotWritten(path, "read", n < 0 ? errno : EIO);
    have += static_cast<size_t>(n);
  }
  Tail tail;
  const size_t end = text.rfind('\n');
  tail.open = !text.empty() && end != text.size() - 1;
  if (tail.open) {
    tail.last = Parse(absl::string_view(text).substr(end == std::string::npos ? 0 : end + 1));
    if (tail.last.has_value()) return tail;
    tail.torn = true;
  }
  if (end == std::string::npos) return tail;
  absl::string_view lines = absl::string_view(text).substr(0, end);
  while (!lines.empty()) {
    const size_t begin = lines.rfind('\n');
    const absl::string_view line =
        begin == absl::string_view::npos ? lines : lines.substr(begin + 1);
    tail.last = Parse(line);
    if (tail.last.has_value()) return tail;
    // One that a crash cut off, and that was ended since.
    lines = begin == absl::string_view::npos ? "" : lines.substr(0, begin);
  }
  return Damaged(absl::StrCat(path,
                              " does not end with a line of this log: see what happened to "
                              "it with `bellwire audit --verify`, and move it away"));
}

}  // namespace

absl::StatusOr<AuditEntry> AppendToAuditLog(const std::string& path, const AuditRecord& record,
                                            absl::Time now) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return NotWritten(path, "open", errno);
  const absl::Cleanup closer = [fd] { close(fd); };
  // Gateways and people on the server's machine.
  if (flock(fd, LOCK_EX) != 0) return NotWritten(path, "lock", errno);
  BELLWIRE_ASSIGN_OR_RETURN(const Tail tail, ReadTail(path, fd));
  if (!tail.last.has_value() && geteuid() == 0) {
    // A person made it; the server must be able to go on with it.
    struct stat directory {};
    const std::string parent = absl::StrCat(path.substr(0, path.rfind('/') + 1), ".");
    if (stat(parent.c_str(), &directory) == 0 &&
        fchown(fd, directory.st_uid, directory.st_gid) != 0) {
      return NotWritten(path, "give away", errno);
    }
  }
  Line line;
  line.entry.number = tail.last.has_value() ? tail.last->entry.number + 1 : 1;
  line.entry.time = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone());
  line.entry.record = record;
  line.previous = tail.last.has_value() ? tail.last->entry.hash : FirstPrevious();
  line.after_torn = tail.torn;
  const std::string text = absl::StrCat(tail.open ? "\n" : "", Render(line), "\n");
  const ssize_t n = write(fd, text.data(), text.size());
  if (n != static_cast<ssize_t>(text.size())) {
    return NotWritten(path, "write to", n < 0 ? errno : ENOSPC);
  }
  if (fdatasync(fd) != 0) return NotWritten(path, "sync", errno);
  line.entry.hash = text.substr(text.size() - 1 - kAfterHash.size() - kHashChars, kHashChars);
  return line.entry;
}

absl::Status CheckAuditText(absl::string_view text,
                            absl::FunctionRef<void(const AuditEntry& entry)> each) {
  uint64_t number = 0;
  std::string previous = FirstPrevious();
  size_t at = 0;
  // A line that is none, if it was the last one.
  size_t torn_at = 0;
  while (!text.empty()) {
    ++at;
    const size_t end = text.find('\n');
    const absl::string_view line = text.substr(0, end);
    text = end == absl::string_view::npos ? "" : text.substr(end + 1);
    const std::optional<Line> parsed = Parse(line);
    if (!parsed.has_value()) {
      if (torn_at != 0) break;
      torn_at = at;
      // The end of a file that a crash cut off is no damage.
      if (end == absl::string_view::npos) return absl::OkStatus();
      continue;
    }
    if (torn_at != 0 && !parsed->after_torn) break;
    torn_at = 0;
    if (parsed->entry.number != number + 1) {
      return Damaged(absl::StrCat("line ", at, " has number ", parsed->entry.number,
                                  " and follows ", number,
                                  ": lines are missing, doubled or moved"));
    }
    if (parsed->previous != previous) {
      return Damaged(absl::StrCat("line ", at,
                                  " follows another line than the one before it: that "
                                  "one was changed"));
    }
    number = parsed->entry.number;
    previous = parsed->entry.hash;
    each(parsed->entry);
  }
  if (torn_at == 0) return absl::OkStatus();
  return Damaged(absl::StrCat("line ", torn_at, " was changed, or is none of this log"));
}

absl::Status ReadAuditLog(const std::string& path,
                          absl::FunctionRef<void(const AuditEntry& entry)> each) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return errno == ENOENT ? MakeError(absl::StatusCode::kNotFound, "FILE_NOT_FOUND",
                                       absl::StrCat("there is no ", path))
                           : MakeError(absl::StatusCode::kUnavailable, "FILE_NOT_READ",
                                       absl::StrCat("can't read ", path, ": ", strerror(errno)));
  }
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const absl::Status status = CheckAuditText(text, each);
  if (status.ok()) return status;
  return Damaged(absl::StrCat(path, ": ", status.message()));
}

AuditLog::AuditLog(std::string path, const Clock* clock)
    : path_(std::move(path)), clock_(clock), thread_([this] { Run(); }) {}

AuditLog::~AuditLog() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void AuditLog::Append(AuditRecord record, Done done) {
  {
    absl::MutexLock lock(&mu_);
    if (queue_.size() < kMaxQueuedAuditRecords) {
      queue_.push_back({std::move(record), std::move(done)});
      return;
    }
  }
  std::move(done)(MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                            "Too many changes wait for the audit log."));
}

void AuditLog::Run() {
  for (;;) {
    Job job;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(
          +[](AuditLog* self)
               ABSL_NO_THREAD_SAFETY_ANALYSIS { return self->stopping_ || !self->queue_.empty(); },
          this));
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    if (path_.empty()) {
      std::move(job.done)(uint64_t{0});
      continue;
    }
    const absl::StatusOr<AuditEntry> entry = AppendToAuditLog(path_, job.record, clock_->WallNow());
    if (!entry.ok()) {
      LogError("audit_not_written",
               {{"what", job.record.what}, {"error", entry.status().message()}});
      std::move(job.done)(entry.status());
      continue;
    }
    LogInfo("audit", {{"n", entry->number},
                      {"who", job.record.who},
                      {"what", job.record.what},
                      {"outcome", job.record.outcome},
                      {"hash", entry->hash}});
    std::move(job.done)(entry->number);
  }
}

}  // namespace bellwire::gateway
