#ifndef BELLWIRE_NET_PEERS_BY_PEER_H_
#define BELLWIRE_NET_PEERS_BY_PEER_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "net/peers/peer_key.h"

namespace bellwire::net {

// Things that belong to peers, in the order in which they came. Says whose turn it is when peers
// take turns, and which peer has the most, so that places can be shared out fairly. Unbounded;
// whoever fills it bounds it. Add and Remove are O(log peers). Single-threaded.
template <typename T>
class ByPeer {
  struct Group;

 public:
  class Entry {
   public:
    explicit Entry(T value) : value(std::move(value)) {}
    T value;

   private:
    friend class ByPeer;
    Group* group = nullptr;
    uint64_t number = 0;
    typename std::list<Entry>::iterator in_all;
    typename std::list<Entry*>::iterator in_group;
  };

  ByPeer() = default;
  ByPeer(const ByPeer&) = delete;
  ByPeer& operator=(const ByPeer&) = delete;

  // The entry stays where it is until it is removed.
  Entry* Add(const PeerKey& peer, T value) {
    std::unique_ptr<Group>& group = groups_[peer];
    if (group == nullptr) {
      group = std::make_unique<Group>();
      group->peer = peer;
      group->in_turns = turns_.insert(turns_.end(), group.get());
    } else {
      by_size_.erase(group->rank());
    }
    Entry& entry = all_.emplace_back(std::move(value));
    entry.group = group.get();
    entry.number = ++last_number_;
    entry.in_all = std::prev(all_.end());
    entry.in_group = group->entries.insert(group->entries.end(), &entry);
    by_size_.insert(group->rank());
    return &entry;
  }

  T Remove(Entry* entry) {
    Group* const group = entry->group;
    by_size_.erase(group->rank());
    group->entries.erase(entry->in_group);
    T value = std::move(entry->value);
    all_.erase(entry->in_all);
    if (group->entries.empty()) {
      turns_.erase(group->in_turns);
      groups_.erase(PeerKey(group->peer));
    } else {
      by_size_.insert(group->rank());
    }
    return value;
  }

  bool empty() const { return all_.empty(); }
  size_t size() const { return all_.size(); }
  size_t peers() const { return groups_.size(); }
  size_t SizeOf(const PeerKey& peer) const {
    const auto it = groups_.find(peer);
    return it == groups_.end() ? 0 : it->second->entries.size();
  }
  // Of the peer that has the most. REQUIRES, as the rest does: !empty().
  size_t LargestSize() const { return std::get<0>(*by_size_.rbegin()); }

  Entry* Oldest() { return &all_.front(); }
  // The first and the last that came, of the peer that has the most. Among peers that have as many,
  // it is the one with the oldest.
  Entry* OldestOfLargest() { return std::get<2>(*by_size_.rbegin())->entries.front(); }
  Entry* NewestOfLargest() { return std::get<2>(*by_size_.rbegin())->entries.back(); }
  // The oldest of the peer whose turn it is. The next call is the next peer's turn.
  Entry* TakeTurn() {
    Group* const group = turns_.front();
    turns_.splice(turns_.end(), turns_, group->in_turns);
    return group->entries.front();
  }

  // In the order in which they came.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (Entry& entry : all_) visit(entry.value);
  }

 private:
  using Rank = std::tuple<size_t, uint64_t, Group*>;
  struct Group {
    PeerKey peer;
    std::list<Entry*> entries;
    typename std::list<Group*>::iterator in_turns;
    // The greatest has the most entries, and of those that have as many the oldest.
    Rank rank() { return {entries.size(), UINT64_MAX - entries.front()->number, this}; }
  };

  std::list<Entry> all_;
  absl::flat_hash_map<PeerKey, std::unique_ptr<Group>> groups_;
  std::list<Group*> turns_;
  std::set<Rank> by_size_;
  uint64_t last_number_ = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_PEERS_BY_PEER_H_
