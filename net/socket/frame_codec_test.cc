#include "net/socket/frame_codec.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

std::string Frames(const std::vector<std::string>& bodies) {
  std::string out;
  for (const std::string& body : bodies) AppendFrame(body, &out);
  return out;
}

struct Collector {
  mutable std::vector<std::string> bodies;  // FunctionRef calls it as const.
  bool operator()(absl::string_view body) const {
    bodies.emplace_back(body);
    return true;
  }
};

TEST(FrameCodecTest, BytesOnTheWire) {
  EXPECT_EQ(Frames({""}), std::string(1, '\0')) << "a heartbeat is one byte";
  EXPECT_EQ(Frames({"abc"}),
            "\x03"
            "abc");
  EXPECT_EQ(Frames({std::string(300, 'x')}), "\xac\x02" + std::string(300, 'x'));
}

TEST(FrameCodecTest, EveryCutOfAStreamGivesTheSameFrames) {
  const std::vector<std::string> bodies = {"", "a", std::string(127, 'b'), std::string(128, 'c'),
                                           "", "d"};
  const std::string wire = Frames(bodies);
  for (size_t first = 0; first <= wire.size(); ++first) {
    FrameDecoder decoder(kMaxFrameBytes);
    Collector collect;
    ASSERT_TRUE(decoder.Feed(absl::string_view(wire).substr(0, first), collect).ok());
    ASSERT_TRUE(decoder.Feed(absl::string_view(wire).substr(first), collect).ok());
    ASSERT_EQ(collect.bodies, bodies) << "cut at " << first;
    ASSERT_EQ(decoder.buffered_bytes(), 0u);
  }
}

TEST(FrameCodecTest, RandomFramesInRandomChunks) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<std::string> bodies;
    for (int i = 0; i < 200; ++i) {
      bodies.emplace_back(random() % (random() % 10 == 0 ? kMaxFrameBytes + 1 : 200), 'a' + i % 26);
    }
    const std::string wire = Frames(bodies);
    FrameDecoder decoder(kMaxFrameBytes);
    Collector collect;
    for (absl::string_view rest = wire; !rest.empty();) {
      const size_t size = 1 + random() % (random() % 5 == 0 ? 40'000 : 30);
      ASSERT_TRUE(decoder.Feed(rest.substr(0, size), collect).ok());
      ASSERT_LE(decoder.buffered_bytes(), kMaxFrameBytes + 3) << "never more than one frame";
      rest.remove_prefix(std::min(size, rest.size()));
    }
    EXPECT_EQ(collect.bodies, bodies);
  }
}

TEST(FrameCodecTest, ALengthAboveTheBoundIsRefusedBeforeItsBody) {
  FrameDecoder decoder(100);
  Collector collect;
  EXPECT_TRUE(decoder.Feed("\x64", collect).ok());
  FrameDecoder other(100);
  const absl::Status status = other.Feed("\x65", collect);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "frame of 101 bytes; at most 100 are allowed");
}

TEST(FrameCodecTest, TheBoundMayGrowBetweenFrames) {
  FrameDecoder decoder(10);
  Collector collect;
  ASSERT_TRUE(decoder.Feed(Frames({"login"}), collect).ok());
  decoder.set_max_frame_bytes(100);
  EXPECT_TRUE(decoder.Feed(Frames({std::string(100, 'x')}), collect).ok());
  EXPECT_EQ(collect.bodies.size(), 2u);
}

TEST(FrameCodecTest, VarintsThatAreTooLongOrNotMinimalAreRefused) {
  for (const std::string& bad : {std::string("\x80\x00", 2), std::string("\x81\x80\x00", 3),
                                 std::string("\xff\xff\xff\xff")}) {
    for (size_t cut = 0; cut < bad.size(); ++cut) {
      FrameDecoder decoder(kMaxFrameBytes);
      Collector collect;
      absl::Status status = decoder.Feed(absl::string_view(bad).substr(0, cut), collect);
      if (status.ok()) status = decoder.Feed(absl::string_view(bad).substr(cut), collect);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_TRUE(collect.bodies.empty());
    }
  }
}

TEST(FrameCodecTest, StopsWhenToldTo) {
  for (const size_t cut : {size_t{0}, size_t{1}}) {
    const std::string wire = Frames({"aa", "bb"});
    FrameDecoder decoder(kMaxFrameBytes);
    int calls = 0;
    const auto stop = [&](absl::string_view) {
      ++calls;
      return false;
    };
    EXPECT_TRUE(decoder.Feed(absl::string_view(wire).substr(0, cut), stop).ok());
    EXPECT_TRUE(decoder.Feed(absl::string_view(wire).substr(cut), stop).ok());
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(decoder.buffered_bytes(), 0u);
  }
}

}  // namespace
}  // namespace bellwire::net
