#include "connector/session/sent_window.h"

#include <vector>

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using Items = google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>;

class SentWindowTest : public testing::Test {
 protected:
  void Send(uint64_t seq, size_t bytes = 10) {
    window_.Add(seq, bytes, /*sent_at_ms=*/static_cast<int64_t>(1000 + seq),
                /*now_or_never=*/false);
  }
  void SendNowOrNever(uint64_t seq) { window_.Add(seq, 10, 0, /*now_or_never=*/true); }

  std::vector<uint64_t> Ack(uint64_t up_to,
                            std::vector<std::pair<uint64_t, uint64_t>> ranges = {}) {
    device::v1::Ack ack;
    ack.set_up_to_seq(up_to);
    for (const auto& [first, last] : ranges) {
      ack.add_ranges()->set_first(first);
      ack.mutable_ranges()->rbegin()->set_last(last);
    }
    std::vector<uint64_t> acked;
    window_.Acknowledge(ack, [&acked](uint64_t seq, bool) { acked.push_back(seq); });
    return acked;
  }
  std::vector<uint64_t> Tell() {
    Items items;
    window_.TellRegistry(&items);
    std::vector<uint64_t> seqs;
    for (const auto& item : items) seqs.push_back(item.seq());
    return seqs;
  }

  Gauge gauge_;
  SentWindow window_{&gauge_};
};

using Seqs = std::vector<uint64_t>;

TEST_F(SentWindowTest, CumulativeAndRanges) {
  for (uint64_t seq = 1; seq <= 10; ++seq) Send(seq);
  EXPECT_EQ(Ack(3), (Seqs{1, 2, 3}));
  EXPECT_EQ(Ack(3), Seqs{});
  EXPECT_EQ(Ack(0, {{5, 6}, {9, 9}}), (Seqs{5, 6, 9}));
  EXPECT_EQ(Ack(5, {{5, 9}}), (Seqs{4, 7, 8}));
  EXPECT_TRUE(window_.IsUnacked(10));
  EXPECT_FALSE(window_.IsUnacked(9));
}

TEST_F(SentWindowTest, WhatWasNotSentInThisSessionDoesNotCount) {
  Send(5);
  EXPECT_EQ(Ack(4, {{6, UINT64_MAX}}), Seqs{});
  EXPECT_FALSE(window_.HasNews());
  EXPECT_EQ(Ack(UINT64_MAX), Seqs{5});
}

TEST_F(SentWindowTest, CumulativeDoesNotSpeakForWhatCameOutOfItsTurn) {
  Send(12);
  SendNowOrNever(11);
  // Perhaps written before 11 came.
  EXPECT_EQ(Ack(12), Seqs{12});
  EXPECT_EQ(Ack(12), Seqs{});
  EXPECT_EQ(Ack(0, {{11, 11}}), Seqs{11});
}

TEST_F(SentWindowTest, CumulativeDoesNotSpeakForWhatWaitedForItsPriority) {
  Send(12);
  EXPECT_EQ(Ack(12), Seqs{12});
  EXPECT_EQ(Tell(), Seqs{12});
  window_.RegistryTook();
  Send(5);
  Send(7);
  Send(14);
  // Said again, before 5 came.
  EXPECT_EQ(Ack(12), Seqs{});
  EXPECT_EQ(Ack(14), Seqs{14});
  EXPECT_EQ(Ack(0, {{5, 5}}), Seqs{5});
  EXPECT_EQ(Ack(7), Seqs{}) << "not even if it is named itself";
  EXPECT_EQ(Ack(0, {{7, 7}}), Seqs{7});
}

// They are not greater than what was sent before, but nothing was: an agent that knows no ranges
// may say up to where.
TEST_F(SentWindowTest, WhatComesInGrowingOrderIsInItsTurn) {
  Send(5);
  SendNowOrNever(9);
  Send(7);
  EXPECT_EQ(Ack(7), (Seqs{5, 7}));
}

TEST_F(SentWindowTest, NamingOneOutOfItsTurnSaysNothingOfWhatWasSentLater) {
  Send(4);
  SendNowOrNever(10);
  Send(5);
  EXPECT_EQ(Ack(10), Seqs{4});
  EXPECT_TRUE(window_.IsUnacked(5));
  EXPECT_TRUE(window_.IsUnacked(10));
}

TEST_F(SentWindowTest, TheRegistryIsToldOnceAndAgainIfItFailed) {
  Send(1);
  Send(2);
  EXPECT_FALSE(window_.HasNews());
  Ack(1);
  EXPECT_TRUE(window_.HasNews());
  EXPECT_EQ(Tell(), Seqs{1});
  EXPECT_FALSE(window_.HasNews());
  Ack(2);
  window_.RegistryFailed();
  EXPECT_EQ(Tell(), (Seqs{1, 2}));
  window_.RegistryTook();
  EXPECT_TRUE(window_.empty());
  EXPECT_FALSE(window_.HasNews());
}

TEST_F(SentWindowTest, TellsWhenItWasSent) {
  Send(1);
  Ack(1);
  Items items;
  window_.TellRegistry(&items);
  ASSERT_EQ(items.size(), 1);
  EXPECT_EQ(items[0].sent_at_ms(), 1001);
}

TEST_F(SentWindowTest, BytesAreBoundedAndFreedByTheDevice) {
  ASSERT_EQ(kSessionWindowBytes % kMaxPayloadBytes, 0u);
  const uint64_t fit = kSessionWindowBytes / kMaxPayloadBytes;
  for (uint64_t seq = 1; seq <= fit; ++seq) {
    ASSERT_TRUE(window_.HasRoom(kMaxPayloadBytes));
    Send(seq, kMaxPayloadBytes);
  }
  EXPECT_FALSE(window_.HasRoom(1));
  EXPECT_TRUE(window_.HasRoom(0));
  EXPECT_EQ(gauge_.value(), static_cast<int64_t>(kSessionWindowBytes));
  Ack(1);
  EXPECT_TRUE(window_.HasRoom(kMaxPayloadBytes));
  EXPECT_TRUE(window_.HasRoomForPage()) << "for a page of one message";
  EXPECT_EQ(window_.free_bytes(), kMaxPayloadBytes);
  // The device has used a byte of it: the next message may be longer than that.
  Send(fit + 1, 1);
  EXPECT_FALSE(window_.HasRoomForPage());
  Ack(fit + 1);
  EXPECT_EQ(gauge_.value(), 0);
}

TEST_F(SentWindowTest, OneMessageAtATimeWhileAllSessionsHaveTooMuch) {
  Send(1, 1);
  {
    const GaugeShare others(&gauge_, SentWindow::kMaxBytesInFlight);
    EXPECT_FALSE(window_.HasRoom(1));
    EXPECT_FALSE(window_.HasRoomForPage());
    Ack(1);
    EXPECT_TRUE(window_.HasRoomForPage());
    EXPECT_EQ(window_.free_messages(), 1u);
    Send(2, kMaxPayloadBytes);
    EXPECT_FALSE(window_.HasRoom(1));
  }
  EXPECT_TRUE(window_.HasRoom(kMaxPayloadBytes));
  EXPECT_GT(window_.free_messages(), 1u);
}

TEST_F(SentWindowTest, MessagesAreBoundedAndFreedByTheRegistry) {
  for (uint64_t seq = 1; seq <= kSessionWindowMessages; ++seq) {
    ASSERT_TRUE(window_.HasRoom(0));
    Send(seq, 0);
  }
  EXPECT_FALSE(window_.HasRoom(0));
  Ack(kSessionWindowMessages);
  // A registry that is away keeps the window shut.
  EXPECT_FALSE(window_.HasRoom(0));
  Tell();
  window_.RegistryFailed();
  EXPECT_FALSE(window_.HasRoom(0));
  Tell();
  window_.RegistryTook();
  EXPECT_EQ(window_.free_messages(), kSessionWindowMessages);
}

TEST_F(SentWindowTest, NowOrNeverMessagesPassAFullWindowButAreBoundedThemselves) {
  for (uint64_t seq = 1; seq <= kSessionWindowMessages; ++seq) Send(seq, 0);
  for (uint64_t i = 0; i < kMaxNowOrNeverInFlight; ++i) {
    ASSERT_TRUE(window_.HasRoomForNowOrNever());
    SendNowOrNever(100 + i);
  }
  EXPECT_FALSE(window_.HasRoomForNowOrNever());
  Ack(0, {{100, 100}});
  Tell();
  window_.RegistryTook();
  EXPECT_TRUE(window_.HasRoomForNowOrNever());
  EXPECT_FALSE(window_.HasRoom(0));
}

TEST_F(SentWindowTest, ReportsWhatStaysUnacknowledgedForAWholeStepOnce) {
  Send(1);
  Send(2);
  Items items;
  EXPECT_TRUE(window_.ReportSlow(&items));
  EXPECT_EQ(items.size(), 0);
  Send(3);
  Ack(1);
  EXPECT_TRUE(window_.ReportSlow(&items));
  ASSERT_EQ(items.size(), 1);
  EXPECT_EQ(items[0].seq(), 2u);
  EXPECT_FALSE(window_.ReportSlow(&items));
  ASSERT_EQ(items.size(), 2);
  EXPECT_EQ(items[1].seq(), 3u);
  EXPECT_FALSE(window_.ReportSlow(&items));
  EXPECT_EQ(items.size(), 2);
}

}  // namespace
}  // namespace bellwire::connector
