#ifndef BELLWIRE_GATEWAY_AUTH_EXPIRING_CACHE_H_
#define BELLWIRE_GATEWAY_AUTH_EXPIRING_CACHE_H_

#include <cstddef>
#include <list>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"

namespace bellwire::gateway {

// Remembers values for a while, at most `max_entries` of them: beyond that the one put first goes.
// Entries of one cache live about equally long, so the first is also the next to expire, and
// nothing needs to look for expired ones. Not thread-safe.
template <typename Key, typename Value>
class ExpiringCache {
 public:
  // REQUIRES: max_entries > 0.
  explicit ExpiringCache(size_t max_entries) : max_entries_(max_entries) {}

  // Null if there is none, or it has expired. Valid until the next Put. Key may be looked up by
  // anything that hashes alike (absl::string_view for std::string).
  template <typename K>
  const Value* Find(const K& key, MonotonicTime now) const {
    const auto it = index_.find(key);
    if (it == index_.end() || it->second->expires_at <= now) return nullptr;
    return &it->second->value;
  }

  // Whether there is an entry, expired or not.
  template <typename K>
  bool Contains(const K& key) const {
    return index_.contains(key);
  }

  // Replaces what was there.
  void Put(Key key, Value value, MonotonicTime expires_at) {
    if (const auto it = index_.find(key); it != index_.end()) {
      entries_.erase(it->second);
      index_.erase(it);
    } else if (index_.size() >= max_entries_) {
      index_.erase(entries_.front().key);
      entries_.pop_front();
    }
    entries_.push_back({key, std::move(value), expires_at});
    index_.emplace(std::move(key), std::prev(entries_.end()));
  }

  size_t size() const { return index_.size(); }

 private:
  struct Entry {
    Key key;
    Value value;
    MonotonicTime expires_at;
  };

  const size_t max_entries_;
  // In the order of Put.
  std::list<Entry> entries_;
  absl::flat_hash_map<Key, typename std::list<Entry>::iterator> index_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_EXPIRING_CACHE_H_
