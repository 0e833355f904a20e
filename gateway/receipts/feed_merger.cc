#include "gateway/receipts/feed_merger.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace bellwire::gateway {

using internal::v1::ReadReceiptsRequest;
using internal::v1::ReadReceiptsResponse;

std::shared_ptr<FeedMerger> FeedMerger::New(FeedApi* feeds, std::string team_id,
                                            std::optional<FeedPositions> positions,
                                            uint64_t stream) {
  std::shared_ptr<FeedMerger> merger(new FeedMerger(feeds, std::move(team_id), stream));
  absl::MutexLock lock(&merger->mutex_);
  if (!positions.has_value()) {
    merger->beginning_ = true;
    merger->of_feed_[0].from_now = true;
    return merger;
  }
  for (const auto& [feed, position] : *positions) merger->of_feed_[feed].position = position;
  return merger;
}

FeedPositions FeedMerger::positions() const {
  absl::MutexLock lock(&mutex_);
  FeedPositions positions;
  for (const auto& [number, feed] : of_feed_) positions[number] = feed.position;
  return positions;
}

void FeedMerger::Next(absl::Duration wait, Done done) {
  std::optional<Piece> piece;
  std::vector<Read> reads;
  {
    absl::MutexLock lock(&mutex_);
    if (passing_.has_value()) of_feed_[passing_->first].position = passing_->second;
    passing_.reset();
    piece = TakePiece();
    if (!piece.has_value()) {
      done_ = std::move(done);
      reads = TakeReads(wait);
    }
  }
  if (piece.has_value()) return std::move(done)(std::move(piece));
  Start(std::move(reads), wait);
}

std::vector<FeedMerger::Read> FeedMerger::TakeReads(absl::Duration wait) {
  std::vector<Read> reads;
  for (auto& [number, feed] : of_feed_) {
    if (feed.reading || feed.piece.has_value() || (beginning_ && !feed.from_now)) continue;
    feed.reading = true;
    ReadReceiptsRequest request;
    request.set_team_id(team_id_);
    request.set_feed(number);
    if (number == 0) request.set_stream(stream_);
    request.set_after_position(feed.position);
    request.set_from_now(feed.from_now);
    request.set_max_receipts(kMaxFeedBlockReceipts);
    if (feed.caught_up) request.set_wait_ms(absl::ToInt64Milliseconds(wait));
    reads.push_back({number, std::move(request)});
  }
  return reads;
}

void FeedMerger::Start(std::vector<Read> reads, absl::Duration wait) {
  for (Read& read : reads) {
    feeds_->ReadReceipts(std::move(read.request),
                         [self = shared_from_this(), feed = read.feed,
                          wait](absl::StatusOr<ReadReceiptsResponse> response) {
                           self->OnRead(feed, wait, std::move(response));
                         });
  }
}

bool FeedMerger::IsDue(const ReadReceiptsResponse& piece) const {
  return std::all_of(piece.after().begin(), piece.after().end(), [this](const auto& place) {
    mutex_.AssertHeld();
    const auto feed = of_feed_.find(place.feed());
    return feed != of_feed_.end() && feed->second.position >= place.position();
  });
}

std::optional<FeedMerger::Piece> FeedMerger::TakePiece() {
  for (auto& [number, feed] : of_feed_) {
    if (!feed.piece.has_value() || !IsDue(*feed.piece)) continue;
    Piece piece{.feed = number, .next_position = feed.piece->next_position()};
    auto& receipts = *feed.piece->mutable_receipts();
    piece.receipts.assign(std::make_move_iterator(receipts.begin()),
                          std::make_move_iterator(receipts.end()));
    feed.piece.reset();
    passing_ = {number, piece.next_position};
    return piece;
  }
  return std::nullopt;
}

void FeedMerger::OnRead(uint32_t number, absl::Duration wait,
                        absl::StatusOr<ReadReceiptsResponse> read) {
  absl::StatusOr<std::optional<Piece>> answer = std::optional<Piece>();
  Done done;
  std::vector<Read> reads;
  bool goes_on = false;
  {
    absl::MutexLock lock(&mutex_);
    Feed& feed = of_feed_[number];
    feed.reading = false;
    bool in_vain = false;
    if (read.ok()) {
      for (const uint32_t other : read->feeds()) {
        const auto [it, is_new] = of_feed_.try_emplace(other);
        if (is_new) it->second.from_now = beginning_;
      }
      if (feed.from_now) {
        feed.from_now = false;
        feed.caught_up = true;
        feed.position = read->next_position();
      } else if (read->receipts_size() > 0) {
        feed.piece = *std::move(read);
      } else {
        // Seen for the first time, the end is no reason to tell: from now on reads wait.
        in_vain = std::exchange(feed.caught_up, true);
        feed.position = read->next_position();
      }
    }
    if (!done_) return;  // Whoever reads next asks again.
    const bool begun =
        beginning_ && std::none_of(of_feed_.begin(), of_feed_.end(),
                                   [](const auto& each) { return each.second.from_now; });
    std::optional<Piece> piece;
    if (!read.ok()) {
      answer = read.status();
    } else if (begun) {
      beginning_ = false;
    } else if ((piece = TakePiece()).has_value()) {
      answer = std::move(piece);
    } else if (in_vain) {
      answer = std::optional<Piece>(Piece{.feed = number, .next_position = feed.position});
    } else {
      // The others of a beginning, or a wait that begins, or the predecessors of what is here.
      goes_on = true;
      reads = TakeReads(wait);
    }
    if (!goes_on) done = std::exchange(done_, nullptr);
  }
  if (goes_on) return Start(std::move(reads), wait);
  std::move(done)(std::move(answer));
}

}  // namespace bellwire::gateway
