#ifndef BELLWIRE_REGISTRY_TESTING_FAKE_CONNECTORS_H_
#define BELLWIRE_REGISTRY_TESTING_FAKE_CONNECTORS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "rpc/connector_api.h"

namespace bellwire::registry {

// Connectors at every address, which note what they are asked and answer what the test says.
// Thread-safe.
class FakeConnectors final : public ConnectorDirectory {
 public:
  using Outcome = internal::v1::ConnectorResponse::Outcome;

  struct Request {
    std::string address;
    internal::v1::ConnectorRequest request;
  };

  ~FakeConnectors() override { AnswerSilent(internal::v1::ConnectorResponse::NO_SESSION); }

  // What to answer at once; nullopt: nothing, until AnswerSilent. Default: TAKEN.
  void SetOutcome(std::optional<Outcome> outcome) {
    absl::MutexLock lock(&mu_);
    outcome_ = outcome;
  }

  // Answers, on this thread, all that were not answered so far.
  void AnswerSilent(Outcome outcome) {
    std::vector<ConnectorApi::ExchangeDone> silent;
    {
      absl::MutexLock lock(&mu_);
      silent.swap(silent_);
    }
    for (auto& done : silent) std::move(done)(outcome);
  }

  // Everything so far, in order.
  std::vector<Request> requests() {
    absl::MutexLock lock(&mu_);
    return requests_;
  }

  // The same, and forgets them.
  std::vector<Request> TakeRequests() {
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

  std::shared_ptr<ConnectorApi> Find(absl::string_view address) override {
    return std::make_shared<Connector>(this, std::string(address));
  }

 private:
  class Connector final : public ConnectorApi {
   public:
    Connector(FakeConnectors* owner, std::string address)
        : owner_(owner), address_(std::move(address)) {}
    void Exchange(internal::v1::ConnectorRequest request, ExchangeDone done) override {
      owner_->Exchange({address_, std::move(request)}, std::move(done));
    }

   private:
    FakeConnectors* const owner_;
    const std::string address_;
  };

  void Exchange(Request request, ConnectorApi::ExchangeDone done) {
    std::optional<Outcome> outcome;
    {
      absl::MutexLock lock(&mu_);
      requests_.push_back(std::move(request));
      outcome = outcome_;
      if (!outcome.has_value()) silent_.push_back(std::move(done));
    }
    if (outcome.has_value()) std::move(done)(*outcome);
  }

  absl::Mutex mu_;
  std::optional<Outcome> outcome_ ABSL_GUARDED_BY(mu_) = internal::v1::ConnectorResponse::TAKEN;
  std::vector<Request> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<ConnectorApi::ExchangeDone> silent_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_FAKE_CONNECTORS_H_
