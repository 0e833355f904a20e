#include "gateway/receipts/feed_merger.h"

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using internal::v1::ReadReceiptsRequest;
using internal::v1::ReadReceiptsResponse;

// Feeds that answer when the test says so.
class FakeFeeds final : public FeedApi {
 public:
  struct Block {
    std::vector<std::string> receipts;
    std::vector<std::pair<uint32_t, uint64_t>> after;
  };

  void ReadReceipts(ReadReceiptsRequest request,
                    bellwire::Done<ReadReceiptsResponse> done) override {
    calls.push_back({std::move(request), std::move(done)});
  }

  // Answers the oldest call about this feed. False: there is none; or it waits, and goes on
  // waiting.
  bool Answer(uint32_t feed, bool time_is_over = false) {
    for (auto call = calls.begin(); call != calls.end(); ++call) {
      if (call->first.feed() != feed) continue;
      ReadReceiptsResponse response = Respond(call->first);
      if (response.receipts_size() == 0 && call->first.wait_ms() > 0 && !time_is_over) return false;
      auto done = std::move(call->second);
      calls.erase(call);
      std::move(done)(std::move(response));
      return true;
    }
    return false;
  }
  void AnswerAll() {
    bool any = true;
    while (any) {
      any = false;
      for (const auto& [feed, blocks] : feeds) any |= Answer(feed);
    }
  }
  void Add(uint32_t feed, std::vector<std::string> receipts,
           std::vector<std::pair<uint32_t, uint64_t>> after = {}) {
    feeds[feed].push_back({std::move(receipts), std::move(after)});
  }

  std::map<uint32_t, std::vector<Block>> feeds = {{0, {}}};
  std::deque<std::pair<ReadReceiptsRequest, bellwire::Done<ReadReceiptsResponse>>> calls;

 private:
  // As the registry does: a block that follows others begins a page.
  ReadReceiptsResponse Respond(const ReadReceiptsRequest& request) {
    ReadReceiptsResponse response;
    if (feeds.size() > 1) {
      for (const auto& [feed, blocks] : feeds) response.add_feeds(feed);
    }
    uint64_t position = 0;
    for (const Block& block : feeds[request.feed()]) {
      if (!block.after.empty() && response.receipts_size() > 0) break;
      for (const std::string& id : block.receipts) {
        if (++position <= request.after_position() || request.from_now()) continue;
        if (response.receipts_size() == 0) {
          for (const auto& [feed, place] : block.after) {
            auto* after = response.add_after();
            after->set_feed(feed);
            after->set_position(place);
          }
        }
        auto* receipt = response.add_receipts();
        receipt->set_position(position);
        receipt->set_message_id(id);
      }
    }
    response.set_next_position(request.from_now() ? position
                               : response.receipts_size() == 0
                                   ? request.after_position()
                                   : response.receipts(response.receipts_size() - 1).position());
    return response;
  }
};

class FeedMergerTest : public testing::Test {
 protected:
  void Next() {
    answered_ = false;
    merger_->Next(absl::Seconds(5), [this](absl::StatusOr<std::optional<FeedMerger::Piece>> next) {
      answered_ = true;
      status_ = next.status();
      if (!next.ok()) return;
      begun_ |= !next->has_value();
      if (!next->has_value()) return;
      for (const auto& receipt : (*next)->receipts) passed_on_.push_back(receipt.message_id());
    });
  }
  // Everything that is there.
  void Drain() {
    do {
      Next();
      feeds_.AnswerAll();
    } while (answered_);
  }
  using Ids = std::vector<std::string>;

  FakeFeeds feeds_;
  std::shared_ptr<FeedMerger> merger_ = FeedMerger::New(&feeds_, "team", FeedPositions{{0, 0}});
  bool answered_ = false;
  bool begun_ = false;
  absl::Status status_;
  Ids passed_on_;
};

TEST_F(FeedMergerTest, OneFeedIsReadOnePieceAtATime) {
  feeds_.Add(0, {"a", "b"});
  Next();
  ASSERT_EQ(feeds_.calls.size(), 1u);
  EXPECT_EQ(feeds_.calls[0].first.team_id(), "team");
  EXPECT_EQ(feeds_.calls[0].first.wait_ms(), 0) << "its end was not seen";
  ASSERT_TRUE(feeds_.Answer(0));
  EXPECT_EQ(passed_on_, (Ids{"a", "b"}));
  EXPECT_TRUE(feeds_.calls.empty()) << "the reader is busy";
  EXPECT_EQ(merger_->positions(), (FeedPositions{{0, 0}}));
  Next();
  EXPECT_EQ(merger_->positions(), (FeedPositions{{0, 2}}));
  ASSERT_TRUE(feeds_.Answer(0));
  ASSERT_EQ(feeds_.calls.size(), 1u);
  EXPECT_EQ(feeds_.calls[0].first.wait_ms(), 5000);
  EXPECT_FALSE(answered_);
  ASSERT_TRUE(feeds_.Answer(0, /*time_is_over=*/true));
  EXPECT_TRUE(answered_) << "with nothing";
  EXPECT_TRUE(feeds_.calls.empty());
}

TEST_F(FeedMergerTest, AllFeedsAreReadFromTheirPositions) {
  feeds_.Add(0, {"a"});
  feeds_.Add(1, {"b", "c"});
  feeds_.Add(7, {"d"});
  merger_ = FeedMerger::New(&feeds_, "team", FeedPositions{{0, 0}, {1, 1}});
  Drain();
  EXPECT_EQ(passed_on_, (Ids{"a", "c", "d"})) << "7 has begun after the cursor";
  EXPECT_EQ(merger_->positions(), (FeedPositions{{0, 1}, {1, 2}, {7, 1}}));
  feeds_.Add(1, {"e"});
  feeds_.AnswerAll();
  EXPECT_TRUE(answered_);
  EXPECT_EQ(passed_on_.back(), "e");
}

TEST_F(FeedMergerTest, FromNowOnMeansOfEachFeed) {
  feeds_.Add(0, {"a"});
  feeds_.Add(1, {"b", "c"});
  merger_ = FeedMerger::New(&feeds_, "team", std::nullopt);
  Next();
  ASSERT_TRUE(feeds_.Answer(0));
  EXPECT_FALSE(begun_) << "feed 1 is not known as yet";
  feeds_.Add(1, {"d"});
  ASSERT_TRUE(feeds_.Answer(1));
  EXPECT_TRUE(begun_);
  EXPECT_EQ(merger_->positions(), (FeedPositions{{0, 1}, {1, 3}}));
  feeds_.Add(1, {"e"});
  Drain();
  EXPECT_EQ(passed_on_, (Ids{"e"}));
}

// A device went from one registry to another one: what the first one has said of a message comes
// first, whatever is read first.
TEST_F(FeedMergerTest, APieceWaitsForWhatItFollows) {
  feeds_.Add(1, {"a accepted", "a sent"});
  feeds_.Add(2, {"x"});
  feeds_.Add(2, {"a acknowledged"}, {{1, 2}});
  Next();
  ASSERT_TRUE(feeds_.Answer(0));
  ASSERT_TRUE(feeds_.Answer(2));
  EXPECT_EQ(passed_on_, (Ids{"x"}));
  Next();
  ASSERT_TRUE(feeds_.Answer(2));
  EXPECT_FALSE(answered_);
  ASSERT_TRUE(feeds_.Answer(1));
  EXPECT_EQ(passed_on_, (Ids{"x", "a accepted", "a sent"}));
  Next();
  EXPECT_TRUE(answered_) << "it was here";
  EXPECT_EQ(passed_on_, (Ids{"x", "a accepted", "a sent", "a acknowledged"}));
}

// As if it had been read before, and not passed on: the reader's cursor does not have it.
TEST_F(FeedMergerTest, APieceThatIsBeingPassedOnIsNotPassedOn) {
  feeds_.Add(1, {"a"});
  feeds_.Add(2, {"b"}, {{1, 1}});
  Next();
  ASSERT_TRUE(feeds_.Answer(0));
  ASSERT_TRUE(feeds_.Answer(2));
  ASSERT_TRUE(feeds_.Answer(1));
  EXPECT_EQ(passed_on_, (Ids{"a"}));
  EXPECT_EQ(merger_->positions(), (FeedPositions{{0, 0}, {1, 0}, {2, 0}}));
}

TEST_F(FeedMergerTest, AnErrorIsTold) {
  Next();
  auto done = std::move(feeds_.calls[0].second);
  feeds_.calls.pop_front();
  std::move(done)(MakeError(absl::StatusCode::kOutOfRange, "CURSOR_TOO_OLD", "too old"));
  EXPECT_TRUE(answered_);
  EXPECT_EQ(ErrorReason(status_), "CURSOR_TOO_OLD");
}

}  // namespace
}  // namespace bellwire::gateway
