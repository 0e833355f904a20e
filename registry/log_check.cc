#include "registry/log_check.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "registry/crc32c.h"
#include "registry/rocksdb_status.h"
#include "registry/store_error.h"
#include "rocksdb/env.h"

namespace bellwire::registry {
namespace {

constexpr size_t kTypeOffset = 6;
// FULL, FIRST, MIDDLE and LAST.
constexpr uint8_t kFirstType = 1, kLastType = 4;

uint8_t ByteAt(absl::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

// The checksum of a record as it is stored: rotated, so that a checksum of data which holds checksums
// is no special case.
uint32_t Mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

uint32_t StoredCrc(absl::string_view record) {
  uint32_t crc = 0;
  for (size_t i = 4; i-- > 0;) crc = crc << 8 | ByteAt(record, i);
  return crc;
}

// Whether the record at the start of `rest` is whole, whatever its header says of its length.
bool HoldsForSomeLength(absl::string_view rest) {
  const uint32_t stored = StoredCrc(rest);
  uint32_t crc = ExtendCrc32c(0, rest.substr(kTypeOffset, 1));
  for (size_t end = kLogHeaderBytes;; ++end) {
    if (Mask(crc) == stored) return true;
    if (end == rest.size()) return false;
    crc = ExtendCrc32c(crc, rest.substr(end, 1));
  }
}

}  // namespace

bool LogBlockIsSound(absl::string_view block) {
  const bool is_last = block.size() < kLogBlockBytes;
  absl::string_view rest = block;
  while (rest.size() >= kLogHeaderBytes) {
    const size_t length = ByteAt(rest, 4) | static_cast<size_t>(ByteAt(rest, 5)) << 8;
    const uint8_t type = ByteAt(rest, kTypeOffset);
    if (type == 0 && rest.find_first_not_of('\0') == absl::string_view::npos) return is_last;
    if (kLogHeaderBytes + length > rest.size()) return is_last && !HoldsForSomeLength(rest);
    const absl::string_view covered = rest.substr(kTypeOffset, 1 + length);
    if (type < kFirstType || type > kLastType ||
        Mask(ExtendCrc32c(0, covered)) != StoredCrc(rest)) {
      return false;
    }
    rest.remove_prefix(kLogHeaderBytes + length);
  }
  return is_last || rest.find_first_not_of('\0') == absl::string_view::npos;
}

namespace {

absl::Status CheckLog(rocksdb::Env* env, const std::string& path) {
  const std::string doing = absl::StrCat("reading ", path);
  std::unique_ptr<rocksdb::SequentialFile> file;
  const rocksdb::Status opened = env->NewSequentialFile(path, &file, rocksdb::EnvOptions());
  // RocksDB knows better than we do which it can't do without.
  if (opened.IsNotFound() || opened.IsPathNotFound()) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(opened, doing));
  std::vector<char> buffer(kLogBlockBytes);
  for (uint64_t offset = 0;; offset += kLogBlockBytes) {
    size_t filled = 0;
    while (filled < kLogBlockBytes) {
      rocksdb::Slice piece;
      BELLWIRE_RETURN_IF_ERROR(
          FromRocksDb(file->Read(kLogBlockBytes - filled, &piece, buffer.data() + filled), doing));
      if (piece.empty()) break;
      if (piece.data() != buffer.data() + filled) {
        std::copy(piece.data(), piece.data() + piece.size(), buffer.data() + filled);
      }
      filled += piece.size();
    }
    if (!LogBlockIsSound(absl::string_view(buffer.data(), filled))) {
      return StoreCorruptError(
          absl::StrCat(path, " is damaged between bytes ", offset, " and ", offset + filled));
    }
    if (filled < kLogBlockBytes) return absl::OkStatus();
  }
}

}  // namespace

absl::Status CheckLogs(rocksdb::Env* env, const std::string& directory) {
  absl::Status first;
  BELLWIRE_RETURN_IF_ERROR(
      CheckEachLog(env, directory, [&](const absl::Status& damage) { first.Update(damage); }));
  return first;
}

absl::Status CheckEachLog(rocksdb::Env* env, const std::string& directory,
                          absl::FunctionRef<void(const absl::Status&)> on_damage) {
  std::vector<std::string> children;
  BELLWIRE_RETURN_IF_ERROR(
      FromRocksDb(env->GetChildren(directory, &children), absl::StrCat("listing ", directory)));
  std::string current;
  if (std::find(children.begin(), children.end(), "CURRENT") != children.end()) {
    BELLWIRE_RETURN_IF_ERROR(
        FromRocksDb(rocksdb::ReadFileToString(env, directory + "/CURRENT", &current),
                    absl::StrCat("reading ", directory, "/CURRENT")));
  }
  const absl::string_view manifest = absl::StripSuffix(current, "\n");
  for (const std::string& child : children) {
    if (!absl::EndsWith(child, ".log") && child != manifest) continue;
    const absl::Status status = CheckLog(env, absl::StrCat(directory, "/", child));
    if (!status.ok()) on_damage(status);
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
