#include "device-agent/inbox/server_time.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bellwire::agent {
namespace {

struct Saved {
  absl::Time at_boot;
  absl::Duration ahead;
  absl::string_view boot_id;
};

std::optional<Saved> Parse(absl::string_view line) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  int64_t at_boot_ms;
  int64_t ahead_ms;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &at_boot_ms) ||
      !absl::SimpleAtoi(parts[1], &ahead_ms)) {
    return std::nullopt;
  }
  return Saved{absl::FromUnixMillis(at_boot_ms), absl::Milliseconds(ahead_ms), parts[2]};
}

absl::Duration SinceBoot(const Clock& clock) {
  return absl::Nanoseconds(clock.Boottime().nanoseconds());
}

}  // namespace

ServerTime::ServerTime(const Clock* clock, std::string boot_id)
    : clock_(clock), boot_id_(std::move(boot_id)) {}

void ServerTime::Set(absl::Time now) { at_boot_ = now - SinceBoot(*clock_); }

absl::Time ServerTime::Now() const {
  if (at_boot_.has_value()) return *at_boot_ + SinceBoot(*clock_);
  return clock_->WallNow() - ahead_;
}

std::string ServerTime::Save() const {
  const absl::Time now = Now();
  return absl::StrCat(absl::ToUnixMillis(now - SinceBoot(*clock_)), " ",
                      absl::ToInt64Milliseconds(clock_->WallNow() - now), " ", boot_id_);
}

void ServerTime::Restore(absl::string_view line) {
  const std::optional<Saved> saved = Parse(line);
  if (!saved.has_value()) return;
  ahead_ = saved->ahead;
  if (!boot_id_.empty() && saved->boot_id == boot_id_) at_boot_ = saved->at_boot;
}

bool ServerTime::IsNews(absl::string_view line) const {
  const std::optional<Saved> saved = Parse(line);
  if (!saved.has_value() || saved->boot_id != boot_id_) return true;
  const std::string present = Save();
  const Saved now = *Parse(present);
  return absl::AbsDuration(now.at_boot - saved->at_boot) > kWorthSaving ||
         absl::AbsDuration(now.ahead - saved->ahead) > kWorthSaving;
}

}  // namespace bellwire::agent
