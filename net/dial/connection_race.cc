#include "net/dial/connection_race.h"

namespace bellwire::net {

std::vector<SocketAddress> InterleaveFamilies(const std::vector<SocketAddress>& addresses) {
  std::vector<SocketAddress> ordered;
  if (addresses.empty()) return ordered;
  const int first_family = addresses.front().family();
  std::vector<SocketAddress> ours;
  std::vector<SocketAddress> others;
  for (const SocketAddress& address : addresses) {
    (address.family() == first_family ? ours : others).push_back(address);
  }
  for (size_t i = 0; i < ours.size() || i < others.size(); ++i) {
    if (i < ours.size()) ordered.push_back(ours[i]);
    if (i < others.size()) ordered.push_back(others[i]);
  }
  if (ordered.size() > kMaxConnectionAttempts) ordered.resize(kMaxConnectionAttempts);
  return ordered;
}

std::optional<size_t> ConnectionRace::Next(MonotonicTime now) {
  if (begun_ == attempts_ || now < next_start_) return std::nullopt;
  next_start_ = now + kConnectionAttemptDelay;
  ++running_;
  return begun_++;
}

void ConnectionRace::OnFailed() {
  --running_;
  next_start_ = MonotonicTime();
}

std::optional<MonotonicTime> ConnectionRace::next_start() const {
  if (begun_ == attempts_) return std::nullopt;
  return next_start_;
}

}  // namespace bellwire::net
