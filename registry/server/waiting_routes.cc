#include "registry/server/waiting_routes.h"

#include "common/limits.h"
#include "common/status_macros.h"

namespace bellwire::registry {

bool WaitingRoutes::Add(const DeviceId& device, const internal::v1::Route& route) {
  if (const auto it = routes_.find(device); it != routes_.end()) {
    it->second = {.route = route};
    return true;
  }
  if (routes_.size() >= kMaxWaitingRoutes) return false;
  routes_.emplace(device, Waiting{.route = route});
  order_.push_back(device);
  return true;
}

const internal::v1::Route* WaitingRoutes::Find(const DeviceId& device) const {
  const auto it = routes_.find(device);
  return it == routes_.end() ? nullptr : &it->second.route;
}

absl::Status WaitingRoutes::Stage(
    size_t max,
    absl::FunctionRef<absl::Status(const DeviceId&, const internal::v1::Route&)> stage) {
  for (; max > 0 && unstaged() > 0; --max, ++staged_) {
    const auto it = routes_.find(order_[staged_]);
    BELLWIRE_RETURN_IF_ERROR(stage(it->first, it->second.route));
    it->second.staged = true;
  }
  return absl::OkStatus();
}

void WaitingRoutes::OnCommitted() {
  for (; staged_ > 0; --staged_) {
    const DeviceId device = order_.front();
    order_.pop_front();
    const auto it = routes_.find(device);
    if (it->second.staged) {
      routes_.erase(it);
    } else {
      order_.push_back(device);
    }
  }
}

void WaitingRoutes::OnCommitFailed() {
  for (; staged_ > 0; --staged_) routes_.find(order_[staged_ - 1])->second.staged = false;
}

}  // namespace bellwire::registry
