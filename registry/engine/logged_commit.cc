#include "registry/engine/logged_commit.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "registry/engine/recent_writes.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

// The first byte of each item; stored, so never given another meaning.
enum Kind : char { kPut = 1, kDelete = 2 };

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendBytes(absl::string_view bytes, std::string* out) {
  AppendVarint(bytes.size(), out);
  out->append(bytes.data(), bytes.size());
}

// Takes parts off the front of an entry. After a part that is not there all are empty and !ok().
class Parser {
 public:
  explicit Parser(absl::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }

  uint8_t Byte() {
    if (rest_.empty()) return Fail();
    const uint8_t byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      if (!ok_) return 0;
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  absl::string_view Bytes() {
    const uint64_t size = Varint();
    if (size > rest_.size()) Fail();
    if (!ok_) return {};
    const absl::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

 private:
  uint8_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  absl::string_view rest_;
  bool ok_ = true;
};

absl::Status Damaged(uint64_t commit) {
  return StoreCorruptError(absl::StrCat("entry ", commit, " of the commit log is damaged"));
}

// Applies the items of one entry.
absl::Status Redo(
    uint64_t commit, Parser items,
    absl::FunctionRef<bool(uint64_t commit, Family family, absl::string_view key)> counts,
    WriteSet* writes) {
  while (!items.done()) {
    const uint8_t kind = items.Byte();
    const Family family = static_cast<Family>(items.Byte());
    const absl::string_view key = items.Bytes();
    const absl::string_view value = kind == kPut ? items.Bytes() : absl::string_view();
    if (!items.ok() || !RecentWrites::Keeps(family) || (kind != kPut && kind != kDelete)) {
      return Damaged(commit);
    }
    if (!counts(commit, family, key)) continue;
    writes->insert_or_assign({family, std::string(key)},
                             kind == kPut ? Change(std::string(value)) : Change());
  }
  return absl::OkStatus();
}

}  // namespace

void LoggedCommit::Start(uint64_t oldest) {
  bytes_.clear();
  AppendVarint(oldest, &bytes_);
}

void LoggedCommit::Write(Family family, absl::string_view key,
                         const std::optional<std::string>& value) {
  bytes_.push_back(value.has_value() ? kPut : kDelete);
  bytes_.push_back(static_cast<char>(family));
  AppendBytes(key, &bytes_);
  if (value.has_value()) AppendBytes(*value, &bytes_);
}

absl::StatusOr<RecoveredWrites> RecoverFrom(
    const CommitLog& log,
    absl::FunctionRef<bool(uint64_t commit, Family family, absl::string_view key)> counts) {
  RecoveredWrites recovered;
  uint64_t first = 0;
  uint64_t oldest = 0;
  BELLWIRE_RETURN_IF_ERROR(log.ReadFrom(0, [&](uint64_t commit, absl::string_view entry) {
    Parser parser(entry);
    oldest = parser.Varint();
    if (!parser.ok() || oldest > commit) return Damaged(commit);
    if (first == 0) {
      first = commit;
    } else if (commit != recovered.last_commit + 1) {
      return StoreCorruptError(absl::StrCat("the commit log lacks entry ",
                                            recovered.last_commit + 1, ", and has entry ", commit));
    }
    recovered.last_commit = commit;
    return Redo(commit, parser, counts, &recovered.writes);
  }));
  if (first > oldest) {
    return StoreCorruptError(absl::StrCat("the commit log begins with entry ", first,
                                          ", and the entries from ", oldest, " on are needed"));
  }
  return recovered;
}

}  // namespace bellwire::registry
