#include "registry/devices/new_devices.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::registry {
namespace {

constexpr absl::Duration kTimeConstant = absl::Hours(1);
// Counts fade in steps: each walks over all addresses.
constexpr absl::Duration kFadeStep = absl::Seconds(1);
// What is advised: not sooner, as a crowd waits; not later, as a person may.
constexpr absl::Duration kMinRetryAfter = absl::Minutes(1);
constexpr absl::Duration kMaxRetryAfter = absl::Minutes(30);
constexpr size_t kIpv4Bytes = 4;
constexpr size_t kIpv6SiteBytes = 6;

std::string AddressOf(absl::string_view peer) {
  if (peer.size() == kIpv4Bytes) return std::string(peer);
  return std::string(peer.substr(0, kIpv6SiteBytes));
}

}  // namespace

void NewDevices::Fade(MonotonicTime now) {
  const absl::Duration passed = now - faded_at_;
  if (passed < kFadeStep) return;
  faded_at_ = now;
  const double left = std::exp(-absl::FDivDuration(passed, kTimeConstant));
  counted_ *= left;
  for (auto it = by_address_.begin(); it != by_address_.end();) {
    it->second *= left;
    // Erasing keeps the iterators of a flat_hash_map that point elsewhere.
    if (it->second < kForgetBelow) {
      by_address_.erase(it++);
    } else {
      ++it;
    }
  }
}

absl::Status NewDevices::Refuse(double over, double bound, absl::string_view why) const {
  // When what counts has faded to the bound.
  const absl::Duration wait =
      kTimeConstant * std::log(std::max(1.0, over / std::max(bound, kForgetBelow)));
  return WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_NEW_DEVICES",
                absl::StrCat("the server takes ", static_cast<uint64_t>(per_hour_),
                             " new devices an hour, and ", why)),
      std::clamp(wait, kMinRetryAfter, kMaxRetryAfter));
}

absl::Status NewDevices::Admit(absl::string_view peer, MonotonicTime now) {
  if (per_hour_ == 0) return absl::OkStatus();
  Fade(now);
  latest_.store(static_cast<uint64_t>(counted_));
  if (counted_ + 1 > bound()) {
    return Refuse(counted_ + 1, bound(), "so many have come");
  }
  std::string address = AddressOf(peer);
  auto it = by_address_.find(address);
  if (it == by_address_.end()) {
    if (by_address_.size() >= kMaxAddresses) address.clear();
    it = by_address_.try_emplace(std::move(address), 0.0).first;
  }
  const double share = std::max(1.0, bound() / static_cast<double>(by_address_.size()));
  if (counted_ + 1 > bound() / 2 && it->second + 1 > share) {
    const double over = it->second + 1;
    return Refuse(over, share, "this address has had its share of them");
  }
  counted_ += 1;
  it->second += 1;
  return absl::OkStatus();
}

}  // namespace bellwire::registry
