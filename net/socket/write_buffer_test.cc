#include "net/socket/write_buffer.h"

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

TEST(WriteBufferTest, TakesFromTheFrontWhatWasAppendedAtTheBack) {
  WriteBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  buffer.Append("bell");
  buffer.Append("wire");
  buffer.Take(3);
  EXPECT_EQ(buffer.data(), "lwire");
  buffer.Take(3);
  EXPECT_EQ(buffer.data(), "re");
  buffer.Append("!");
  EXPECT_EQ(buffer.data(), "re!");
  buffer.Take(3);
  EXPECT_TRUE(buffer.empty());
}

TEST(WriteBufferTest, HoldsNoMemoryWhenEmpty) {
  const size_t at_first = WriteBuffer().capacity();
  for (const size_t bytes : {1, 44, 5000, 100'000}) {
    WriteBuffer buffer;
    buffer.Append(std::string(bytes, 'x'));
    buffer.Take(bytes / 2);
    buffer.Take(bytes - bytes / 2);
    EXPECT_EQ(buffer.capacity(), at_first) << bytes;
  }
}

}  // namespace
}  // namespace bellwire::net
