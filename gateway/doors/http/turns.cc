#include "gateway/doors/http/turns.h"

#include <utility>

namespace bellwire::http {

bool Turns::Charge(Account* account, absl::Duration cpu_time) {
  const bool round_over = line_.empty() || line_.begin()->first >= account->round_ends_;
  if (round_over) {
    account->round_ends_ = next_place_;
    account->used_ = absl::ZeroDuration();
  }
  account->used_ += cpu_time;
  return account->used_ < kQuantum;
}

Turns::Place Turns::Stand(Task task) {
  line_.emplace_hint(line_.end(), next_place_, std::move(task));
  return next_place_++;
}

void Turns::RunNext() {
  auto first = line_.extract(line_.begin());
  std::move(first.mapped())();
}

}  // namespace bellwire::http
