#include "connector/shard/deferred_connector_api.h"

#include <utility>

#include "common/limits.h"

namespace bellwire::connector {

using internal::v1::ConnectorResponse;

DeferredConnectorApi::~DeferredConnectorApi() {
  for (Waiting& waiting : waiting_) std::move(waiting.done)(ConnectorResponse::NO_SESSION);
}

void DeferredConnectorApi::Set(ConnectorApi* target) {
  std::vector<Waiting> waiting;
  {
    absl::MutexLock lock(&mutex_);
    target_ = target;
    waiting.swap(waiting_);
  }
  for (Waiting& w : waiting) target->Exchange(std::move(w.request), std::move(w.done));
}

void DeferredConnectorApi::Exchange(internal::v1::ConnectorRequest request, ExchangeDone done) {
  ConnectorApi* target = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    target = target_;
    if (target == nullptr && waiting_.size() < kMaxConnectorInFlight) {
      waiting_.push_back(Waiting{std::move(request), std::move(done)});
      return;
    }
  }
  if (target == nullptr) return std::move(done)(ConnectorResponse::OVERLOADED);
  target->Exchange(std::move(request), std::move(done));
}

}  // namespace bellwire::connector
