#include "connector/session/session_id.h"

#include <set>

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

TEST(SessionIdTest, UniqueAndNamesItsShard) {
  std::set<uint64_t> ids;
  for (const int shard : {0, 1, kMaxShards - 1}) {
    SessionIdSource source(shard);
    for (int i = 0; i < 300; ++i) {
      const uint64_t id = source.Next();
      EXPECT_NE(id, 0u);
      EXPECT_EQ(ShardOfSession(id), shard);
      EXPECT_TRUE(ids.insert(id).second);
    }
  }
}

}  // namespace
}  // namespace bellwire::connector
