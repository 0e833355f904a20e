#include "rpc/hand_over_buffer.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::SessionEvent;

SessionEvent DeliveryOf(uint64_t session, uint64_t seq, size_t payload = kMaxPayloadBytes) {
  SessionEvent event;
  ConnectorRequest& request = *event.mutable_hand_over();
  request.mutable_route()->set_session_id(session);
  request.mutable_deliver()->mutable_message()->set_seq(seq);
  request.mutable_deliver()->mutable_message()->set_payload(std::string(payload, 'x'));
  return event;
}

SessionEvent RecallOf(uint64_t session) {
  SessionEvent event;
  event.mutable_hand_over()->mutable_route()->set_session_id(session);
  event.mutable_hand_over()->mutable_recall();
  return event;
}

SessionEvent PageOf(uint64_t id, int messages) {
  SessionEvent event;
  event.set_id(id);
  for (int i = 0; i < messages; ++i) {
    event.mutable_pull()->mutable_page()->add_messages()->set_payload(std::string(100, 'x'));
  }
  return event;
}

std::vector<ConnectorRequest> Drain(HandOverBuffer* buffer) {
  std::vector<ConnectorRequest> all;
  while (!buffer->empty()) all.push_back(buffer->Pop().hand_over());
  return all;
}

TEST(HandOverBufferTest, TheEvictionOfARevokedDeviceIsNotLost) {
  HandOverBuffer buffer(/*max_bytes=*/10'000);
  uint64_t seq = 0;
  while (buffer.Push(DeliveryOf(1, ++seq))) {
  }
  EXPECT_FALSE(buffer.Push(DeliveryOf(2, 1))) << "it has a mark now";
  while (buffer.Push(RecallOf(9))) {
  }
  for (const uint64_t session : {1, 2, 3}) {
    SessionEvent evict;
    evict.mutable_hand_over()->mutable_route()->set_session_id(session);
    evict.mutable_hand_over()->mutable_evict()->set_revoked(true);
    EXPECT_FALSE(buffer.Push(evict));
  }
  EXPECT_FALSE(buffer.Push(DeliveryOf(2, 2))) << "which does not take the eviction's place";
  std::map<uint64_t, int> evictions;
  for (const ConnectorRequest& request : Drain(&buffer)) {
    if (request.evict().revoked()) ++evictions[request.route().session_id()];
  }
  EXPECT_EQ(evictions, (std::map<uint64_t, int>{{1, 1}, {2, 1}, {3, 1}}));
  EXPECT_EQ(buffer.bytes(), 0u);
}

TEST(HandOverBufferTest, KeepsTheOrder) {
  HandOverBuffer buffer;
  for (uint64_t seq = 1; seq <= 100; ++seq) EXPECT_TRUE(buffer.Push(DeliveryOf(seq % 3, seq)));
  EXPECT_TRUE(buffer.Push(RecallOf(1)));
  for (uint64_t seq = 1; seq <= 100; ++seq) {
    EXPECT_EQ(buffer.Pop().hand_over().deliver().message().seq(), seq);
  }
  EXPECT_TRUE(buffer.Pop().hand_over().has_recall());
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.bytes(), 0u);
}

TEST(HandOverBufferTest, ASlowConnectorCostsABoundedAmount) {
  HandOverBuffer buffer;
  uint64_t seq = 0;
  while (buffer.Push(DeliveryOf(1, ++seq))) {
    ASSERT_LE(buffer.bytes(), HandOverBuffer::kMaxHandOverBytes);
  }
  EXPECT_GT(seq, 500u);
  while (buffer.Push(RecallOf(2))) {
  }
  const size_t full = buffer.bytes();
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(buffer.Push(DeliveryOf(1, ++seq)));
  EXPECT_FALSE(buffer.Push(RecallOf(1)));
  EXPECT_EQ(buffer.bytes(), full);
}

TEST(HandOverBufferTest, EachSessionThatLostDeliveriesGetsOneMark) {
  HandOverBuffer buffer;
  uint64_t seq = 0;
  while (buffer.Push(DeliveryOf(9, ++seq))) {
  }
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(buffer.Push(DeliveryOf(1 + i % 2, ++seq)));
  EXPECT_TRUE(buffer.has_marks());
  std::map<uint64_t, std::vector<uint64_t>> marks;
  for (const ConnectorRequest& request : Drain(&buffer)) {
    if (request.has_missed()) {
      marks[request.route().session_id()].push_back(request.missed().seq());
    }
  }
  EXPECT_EQ(marks, (std::map<uint64_t, std::vector<uint64_t>>{
                       {1, {seq - 1}}, {2, {seq}}, {9, {seq - 10}}}));
  EXPECT_FALSE(buffer.has_marks());
  EXPECT_TRUE(buffer.Push(DeliveryOf(1, ++seq)));
}

// They are what the connector has asked for, and so are bounded by its requests.
TEST(HandOverBufferTest, AnswersKeepTheirPlaceAndAreNeverRefused) {
  HandOverBuffer buffer;
  EXPECT_TRUE(buffer.Push(DeliveryOf(1, 1)));
  EXPECT_TRUE(buffer.Push(PageOf(7, 3)));
  EXPECT_TRUE(buffer.Push(DeliveryOf(1, 2)));
  EXPECT_EQ(buffer.Pop().hand_over().deliver().message().seq(), 1u);
  EXPECT_EQ(buffer.Pop().id(), 7u);
  EXPECT_EQ(buffer.Pop().hand_over().deliver().message().seq(), 2u);
  EXPECT_EQ(buffer.bytes(), 0u);
  uint64_t seq = 2;
  while (buffer.Push(DeliveryOf(1, ++seq))) {
  }
  EXPECT_TRUE(buffer.Push(PageOf(8, 100)));
  EXPECT_FALSE(buffer.Push(DeliveryOf(1, ++seq)));
}

// What a session is handed after its mark comes after it: what it fetches can't be older.
TEST(HandOverBufferTest, NothingPassesAMark) {
  HandOverBuffer buffer;
  uint64_t seq = 0;
  while (buffer.Push(DeliveryOf(9, ++seq))) {
  }
  EXPECT_FALSE(buffer.Push(DeliveryOf(1, 1)));
  // There is room for a small one, and not yet for marks.
  buffer.Pop();
  buffer.Pop();
  EXPECT_FALSE(buffer.Push(DeliveryOf(1, 2, 0)));
  EXPECT_TRUE(buffer.Push(DeliveryOf(2, 1, 0))) << "another session lost nothing";
  bool marked = false;
  while (!buffer.empty()) {
    const ConnectorRequest next = buffer.Pop().hand_over();
    if (next.route().session_id() != 1) continue;
    ASSERT_TRUE(next.has_missed());
    EXPECT_EQ(next.missed().seq(), 2u);
    marked = true;
    EXPECT_TRUE(buffer.Push(DeliveryOf(1, 3)));
    break;
  }
  EXPECT_TRUE(marked);
}

}  // namespace
}  // namespace bellwire
