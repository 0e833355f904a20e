#include "tests/faults/ledger.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bellwire::tests {
namespace {

// Most messages are small; one in 64 is large.
size_t PayloadSize(size_t lane, int64_t number) {
  const uint64_t mixed = (lane * 1'000'003 + static_cast<uint64_t>(number)) * 0x9e3779b97f4a7c15u;
  return mixed >> 58 == 0 ? 4000 : 10 + (mixed >> 40) % 200;
}

}  // namespace

Ledger::Ledger(size_t lanes) {
  for (size_t i = 0; i < lanes; ++i) lanes_.push_back(std::make_unique<Lane>());
}

std::string Ledger::Payload(size_t lane, int64_t number) {
  std::string payload = absl::StrCat(lane, "/", number, "/");
  const std::string unit = payload;
  const size_t size = PayloadSize(lane, number);
  while (payload.size() < size) payload += unit;
  return payload;
}

void Ledger::Accept(size_t lane) {
  absl::MutexLock lock(&lanes_[lane]->mutex);
  ++lanes_[lane]->accepted;
}

void Ledger::Take(size_t lane_index, absl::string_view payload) {
  Lane& lane = *lanes_[lane_index];
  const std::vector<absl::string_view> parts = absl::StrSplit(payload, absl::MaxSplits('/', 2));
  int64_t number = 0;
  const bool sound = parts.size() == 3 && absl::SimpleAtoi(parts[1], &number) && number > 0 &&
                     payload == Payload(lane_index, number);
  absl::MutexLock lock(&lane.mutex);
  if (!sound) {
    ++lane.wrong.strays;
  } else if (number < lane.next || lane.early.count(number) != 0) {
    ++lane.wrong.twice;
  } else if (number > lane.next) {
    ++lane.wrong.out_of_order;
    lane.early.insert(number);
  } else {
    for (++lane.next; lane.early.erase(lane.next) != 0; ++lane.next) {
    }
  }
}

int64_t Ledger::Accepted(size_t lane) const {
  absl::MutexLock lock(&lanes_[lane]->mutex);
  return lanes_[lane]->accepted;
}

int64_t Ledger::Missing(const Lane& lane) {
  const auto past = lane.early.upper_bound(lane.accepted);
  const int64_t early = std::distance(lane.early.begin(), past);
  // The last one may be taken before its OK has come back.
  return std::max<int64_t>(0, lane.accepted - (lane.next - 1) - early);
}

int64_t Ledger::Outstanding(size_t lane) const {
  absl::MutexLock lock(&lanes_[lane]->mutex);
  return Missing(*lanes_[lane]);
}

Ledger::Tally Ledger::Count() const {
  Tally sum;
  for (const auto& lane : lanes_) {
    absl::MutexLock lock(&lane->mutex);
    sum.accepted += lane->accepted;
    sum.taken += lane->next - 1 + static_cast<int64_t>(lane->early.size());
    sum.lost += Missing(*lane);
    sum.twice += lane->wrong.twice;
    sum.out_of_order += lane->wrong.out_of_order;
    sum.strays += lane->wrong.strays;
  }
  return sum;
}

std::vector<std::string> Ledger::SomeLost(size_t limit) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    absl::MutexLock lock(&lanes_[i]->mutex);
    for (int64_t n = lanes_[i]->next; n <= lanes_[i]->accepted && names.size() < limit; ++n) {
      if (lanes_[i]->early.count(n) == 0) names.push_back(absl::StrCat(i, "/", n));
    }
  }
  return names;
}

}  // namespace bellwire::tests
