#include "net/peers/by_peer.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

PeerKey Peer(char name) { return PeerKey::OfProof(std::string(16, name)); }

TEST(ByPeerTest, PeersTakeTurnsHoweverManyOneHas) {
  ByPeer<std::string> line;
  for (const char* text : {"a1", "a2", "a3", "b1", "c1", "c2"}) line.Add(Peer(text[0]), text);
  std::vector<std::string> order;
  while (!line.empty()) order.push_back(line.Remove(line.TakeTurn()));
  EXPECT_EQ(order, (std::vector<std::string>{"a1", "b1", "c1", "a2", "c2", "a3"}));
}

TEST(ByPeerTest, WhoHasTheMostLosesTheOldestFirst) {
  ByPeer<std::string> line;
  for (const char* text : {"b1", "a1", "a2", "c1", "c2", "a3"}) line.Add(Peer(text[0]), text);
  EXPECT_EQ(line.NewestOfLargest()->value, "a3");
  std::vector<std::string> order;
  while (!line.empty()) order.push_back(line.Remove(line.OldestOfLargest()));
  // Once all have as many, the oldest of all goes.
  EXPECT_EQ(order, (std::vector<std::string>{"a1", "a2", "c1", "b1", "c2", "a3"}));
}

TEST(ByPeerTest, HoldsWhatCannotBeCopied) {
  ByPeer<std::unique_ptr<int>> line;
  auto* const entry = line.Add(Peer('a'), std::make_unique<int>(7));
  EXPECT_EQ(*line.Remove(entry), 7);
}

TEST(ByPeerTest, CountsAsAPlainTableWould) {
  std::mt19937 random(1);
  ByPeer<char> line;
  std::vector<ByPeer<char>::Entry*> entries;
  std::map<char, size_t> counts;
  for (int i = 0; i < 5000; ++i) {
    if (entries.empty() || random() % 5 < 3) {
      const char name = static_cast<char>('a' + random() % 20);
      entries.push_back(line.Add(Peer(name), name));
      ++counts[name];
    } else {
      const size_t at = random() % entries.size();
      const char name = line.Remove(entries[at]);
      entries.erase(entries.begin() + static_cast<ptrdiff_t>(at));
      if (--counts[name] == 0) counts.erase(name);
    }
    ASSERT_EQ(line.size(), entries.size());
    ASSERT_EQ(line.peers(), counts.size());
    if (entries.empty()) continue;
    size_t most = 0;
    for (const auto& [name, count] : counts) {
      ASSERT_EQ(line.SizeOf(Peer(name)), count);
      most = std::max(most, count);
    }
    ASSERT_EQ(line.LargestSize(), most);
    ASSERT_EQ(counts[line.OldestOfLargest()->value], most);
    ASSERT_EQ(line.Oldest(), entries.front());
  }
}

}  // namespace
}  // namespace bellwire::net
