#ifndef BELLWIRE_REGISTRY_TESTING_FAKE_CONNECTORS_H_
#define BELLWIRE_REGISTRY_TESTING_FAKE_CONNECTORS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// All connectors, which note what they are handed and say of messages of ttl zero what the test
// says. Thread-safe.
class FakeConnectors final : public ConnectorApi {
 public:
  using Outcome = internal::v1::HandedOverRequest::Outcome;

  // `registry` is told the outcomes; it must outlive the hand-overs.
  explicit FakeConnectors(SessionApi* registry) : registry_(registry) {}

  // What to say at once; nullopt, as at first: nothing, until TellSilent.
  void SetOutcome(std::optional<Outcome> outcome) {
    absl::MutexLock lock(&mu_);
    outcome_ = outcome;
  }
  // Whether it takes what it is handed; it does at first.
  void SetThere(bool there) {
    absl::MutexLock lock(&mu_);
    there_ = there;
  }

  // Says it, on this thread, of all messages of ttl zero of which nothing was said so far.
  void TellSilent(Outcome outcome) {
    std::vector<internal::v1::ConnectorRequest> silent;
    {
      absl::MutexLock lock(&mu_);
      silent.swap(silent_);
    }
    for (const auto& request : silent) Tell(request, outcome);
  }

  // Everything so far, in order.
  std::vector<internal::v1::ConnectorRequest> requests() {
    absl::MutexLock lock(&mu_);
    return requests_;
  }

  // The same, and forgets them.
  std::vector<internal::v1::ConnectorRequest> TakeRequests() {
    absl::MutexLock lock(&mu_);
    return std::exchange(requests_, {});
  }

  // Returns once there were so many requests.
  void WaitForRequests(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [this, count] {
      mu_.AssertHeld();
      return requests_.size() >= count;
    };
    mu_.Await(absl::Condition(&enough));
  }

  bool HandOver(internal::v1::ConnectorRequest request) override {
    std::optional<Outcome> outcome;
    {
      absl::MutexLock lock(&mu_);
      requests_.push_back(request);
      if (!there_) return false;
      const auto& message = request.deliver().message();
      if (!request.has_deliver() || message.expires_at_ms() != message.accepted_at_ms()) {
        return true;
      }
      outcome = outcome_;
      if (!outcome.has_value()) silent_.push_back(request);
    }
    if (outcome.has_value()) Tell(request, *outcome);
    return true;
  }

 private:
  void Tell(const internal::v1::ConnectorRequest& handed, Outcome outcome) {
    internal::v1::HandedOverRequest request;
    request.set_device_id(handed.device_id());
    *request.mutable_route() = handed.route();
    request.set_seq(handed.deliver().message().seq());
    request.set_outcome(outcome);
    registry_->HandedOver(std::move(request),
                          [](const absl::StatusOr<internal::v1::HandedOverResponse>&) {});
  }

  SessionApi* const registry_;
  absl::Mutex mu_;
  std::optional<Outcome> outcome_ ABSL_GUARDED_BY(mu_);
  bool there_ ABSL_GUARDED_BY(mu_) = true;
  std::vector<internal::v1::ConnectorRequest> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<internal::v1::ConnectorRequest> silent_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_FAKE_CONNECTORS_H_
