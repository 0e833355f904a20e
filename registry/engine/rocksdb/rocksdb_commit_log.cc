#include "registry/engine/rocksdb/rocksdb_commit_log.h"

#include <cassert>
#include <memory>
#include <string>

#include "common/status_macros.h"
#include "registry/engine/rocksdb/rocksdb_options.h"
#include "registry/engine/rocksdb/rocksdb_status.h"
#include "registry/engine/store_error.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"

namespace bellwire::registry {
namespace {

// Big-endian, so that the order of bytes is the order of numbers.
class Key {
 public:
  explicit Key(uint64_t commit) {
    for (int i = 7; i >= 0; --i, commit >>= 8) bytes_[i] = static_cast<char>(commit);
  }
  rocksdb::Slice slice() const { return {bytes_, sizeof(bytes_)}; }

 private:
  char bytes_[8];
};

uint64_t CommitOf(const rocksdb::Slice& key) {
  uint64_t commit = 0;
  for (size_t i = 0; i < key.size(); ++i) {
    commit = commit << 8 | static_cast<uint8_t>(key[i]);
  }
  return commit;
}

// A batch refuses only keys and values of 4 GiB, and has no limit of bytes.
void Staged(const rocksdb::Status& status) {
  assert(status.ok());
  (void)status;
}

}  // namespace

void RocksDbCommitLog::Append(uint64_t commit, absl::string_view entry) {
  if (first_ == 0) first_ = commit;
  Staged(batch_.Put(family_, Key(commit).slice(), rocksdb::Slice(entry.data(), entry.size())));
}

void RocksDbCommitLog::TrimTo(uint64_t commit) {
  // Each key is put once, which is what SingleDelete asks for.
  for (; first_ != 0 && first_ < commit; ++first_) {
    Staged(batch_.SingleDelete(family_, Key(first_).slice()));
  }
}

absl::Status RocksDbCommitLog::ReadFrom(
    uint64_t commit,
    absl::FunctionRef<absl::Status(uint64_t commit, absl::string_view entry)> visit) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_.NewIterator(StoreReadOptions(), family_));
  for (it->Seek(Key(commit).slice()); it->Valid(); it->Next()) {
    if (it->key().size() != sizeof(uint64_t)) {
      return StoreCorruptError("the commit log has a key that is no number of 8 bytes");
    }
    const uint64_t found = CommitOf(it->key());
    if (commit == 0 && first_ == 0) first_ = found;
    BELLWIRE_RETURN_IF_ERROR(visit(found, {it->value().data(), it->value().size()}));
  }
  return FromRocksDb(it->status(), "reading the commit log");
}

}  // namespace bellwire::registry
