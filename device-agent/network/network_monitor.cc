#include "device-agent/network/network_monitor.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "common/limits.h"

namespace bellwire::agent {
namespace {

using Kind = NetworkFact::Kind;

// The one that the kernel takes: the least metric of the main table; phones that keep a table per
// network have none there. Null: no default route.
const NetworkFact* BestRoute(const NetworkFacts& facts, int family) {
  const NetworkFact* best = nullptr;
  const auto rank = [](const NetworkFact& fact) {
    return std::make_pair(fact.table != RT_TABLE_MAIN, fact.metric);
  };
  for (const NetworkFact& fact : facts) {
    if (fact.kind != Kind::kRoute || fact.family != family) continue;
    if (best == nullptr || rank(fact) < rank(*best)) best = &fact;
  }
  return best;
}

bool IsLoopback(const std::string& host) { return host == "::1" || absl::StartsWith(host, "127."); }

}  // namespace

bool MustReconnect(const NetworkPath& before, const std::optional<NetworkPath>& now) {
  if (!now.has_value()) return true;
  if (*now == before) return false;
  return now->link_up && (now->has_route || !before.has_route);
}

NetworkMonitor::NetworkMonitor(const Clock* clock, NetworkFacts facts)
    : clock_(clock), settled_(std::move(facts)), latest_(settled_) {}

void NetworkMonitor::OnNews(const NetworkNews& news) {
  const bool changed = news.holds
                           ? latest_.size() < kMaxNetworkFacts && latest_.insert(news.fact).second
                           : latest_.erase(news.fact) > 0;
  if (!changed) return;
  if (news.fact.kind == Kind::kLink && !news.holds) {
    ++link_losses_[news.fact.interface];
    link_lost_ = true;
  }
  Touch();
}

void NetworkMonitor::Touch() {
  last_touch_ = clock_->Monotonic();
  if (!first_touch_.has_value()) first_touch_ = last_touch_;
}

std::optional<MonotonicTime> NetworkMonitor::deadline() const {
  if (!first_touch_.has_value()) return std::nullopt;
  return std::min(last_touch_ + kNetworkSettle, *first_touch_ + kNetworkSettleMax);
}

bool NetworkMonitor::Settle(NetworkFacts facts) {
  first_touch_.reset();
  if (facts.size() > kMaxNetworkFacts)
    facts.erase(std::next(facts.begin(), kMaxNetworkFacts), facts.end());
  const NetworkFacts before = std::exchange(settled_, std::move(facts));
  latest_ = settled_;
  for (const int family : {AF_INET, AF_INET6}) {
    if (BestRoute(before, family) != nullptr && BestRoute(settled_, family) == nullptr) {
      ++route_losses_[family];
    }
  }
  // A link that was lost and is back already leaves no other trace.
  const bool bounced = std::exchange(link_lost_, false);
  return bounced || settled_ != before;
}

std::optional<NetworkPath> NetworkMonitor::PathOf(const std::string& local_host) const {
  const auto address = std::find_if(settled_.begin(), settled_.end(), [&](const NetworkFact& fact) {
    return fact.kind == Kind::kAddress && fact.address == local_host;
  });
  if (address == settled_.end()) return std::nullopt;
  NetworkPath path{.interface = address->interface};
  path.link_up = settled_.contains({.kind = Kind::kLink, .interface = path.interface});
  // No route or router matters to a machine that talks to itself.
  if (IsLoopback(local_host)) return path;
  if (const auto it = link_losses_.find(path.interface); it != link_losses_.end()) {
    path.link_losses = it->second;
  }
  if (const auto it = route_losses_.find(address->family); it != route_losses_.end()) {
    path.route_losses = it->second;
  }
  if (const NetworkFact* const route = BestRoute(settled_, address->family)) {
    path.has_route = true;
    path.route_interface = route->interface;
    path.gateway = route->address;
  }
  return path;
}

bool NetworkMonitor::online() const {
  return std::any_of(settled_.begin(), settled_.end(), [this](const NetworkFact& fact) {
    return fact.kind == Kind::kAddress && !IsLoopback(fact.address) &&
           settled_.contains({.kind = Kind::kLink, .interface = fact.interface});
  });
}

}  // namespace bellwire::agent
