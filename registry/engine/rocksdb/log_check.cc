#include "registry/engine/rocksdb/log_check.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "registry/engine/rocksdb/crc32c.h"
#include "registry/engine/rocksdb/rocksdb_status.h"
#include "registry/engine/store_error.h"
#include "rocksdb/env.h"

namespace bellwire::registry {
namespace {

constexpr size_t kTypeOffset = 6;
// MIDDLE is 3.
constexpr uint8_t kFull = 1, kFirst = 2, kLast = 4;

uint8_t ByteAt(absl::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

// The checksum of a record as it is stored: rotated, so that a checksum of data which holds
// checksums is no special case.
uint32_t Mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

uint32_t StoredCrc(absl::string_view record) {
  uint32_t crc = 0;
  for (size_t i = 4; i-- > 0;) crc = crc << 8 | ByteAt(record, i);
  return crc;
}

// What the header says.
size_t DataBytes(absl::string_view record) {
  return ByteAt(record, 4) | static_cast<size_t>(ByteAt(record, 5)) << 8;
}

// REQUIRES: all of the record is in `rest`.
bool ChecksumHolds(absl::string_view rest, size_t data_bytes) {
  return Mask(ExtendCrc32c(0, rest.substr(kTypeOffset, 1 + data_bytes))) == StoredCrc(rest);
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
    const size_t length = DataBytes(rest);
    const uint8_t type = ByteAt(rest, kTypeOffset);
    if (type == 0 && rest.find_first_not_of('\0') == absl::string_view::npos) return is_last;
    if (kLogHeaderBytes + length > rest.size()) return is_last && !HoldsForSomeLength(rest);
    if (type < kFull || type > kLast || !ChecksumHolds(rest, length)) return false;
    rest.remove_prefix(kLogHeaderBytes + length);
  }
  return is_last || rest.find_first_not_of('\0') == absl::string_view::npos;
}

namespace {

// Calls `visit` with each block of the file, and how far it begins into it.
absl::Status ReadBlocks(
    rocksdb::Env* env, const std::string& path,
    absl::FunctionRef<absl::Status(absl::string_view block, uint64_t offset)> visit) {
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
    BELLWIRE_RETURN_IF_ERROR(visit(absl::string_view(buffer.data(), filled), offset));
    if (filled < kLogBlockBytes) return absl::OkStatus();
  }
}

absl::Status DamageError(const std::string& path, absl::string_view block, uint64_t offset) {
  return StoreCorruptError(
      absl::StrCat(path, " is damaged between bytes ", offset, " and ", offset + block.size()));
}

absl::Status CheckLog(rocksdb::Env* env, const std::string& path) {
  return ReadBlocks(env, path, [&](absl::string_view block, uint64_t offset) {
    return LogBlockIsSound(block) ? absl::OkStatus() : DamageError(path, block, offset);
  });
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

absl::Status ReadLog(rocksdb::Env* env, const std::string& path,
                     absl::FunctionRef<absl::Status(absl::string_view record)> visit) {
  std::string record;
  return ReadBlocks(env, path, [&](absl::string_view block, uint64_t offset) {
    absl::string_view rest = block;
    while (rest.size() >= kLogHeaderBytes && ByteAt(rest, kTypeOffset) != 0) {
      const size_t length = DataBytes(rest);
      if (kLogHeaderBytes + length > rest.size()) break;
      if (!ChecksumHolds(rest, length)) return DamageError(path, block, offset);
      const uint8_t type = ByteAt(rest, kTypeOffset);
      const absl::string_view data = rest.substr(kLogHeaderBytes, length);
      if (type == kFull || type == kFirst) record.clear();
      absl::StrAppend(&record, data);
      if (type == kFull || type == kLast) BELLWIRE_RETURN_IF_ERROR(visit(record));
      rest.remove_prefix(kLogHeaderBytes + length);
    }
    return absl::OkStatus();
  });
}

}  // namespace bellwire::registry
