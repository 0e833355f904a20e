#include "gateway/doors/grpc/health_service.h"

#include <utility>

#include "absl/status/status.h"
#include "common/error.h"
#include "gateway/call/unary_handle.h"
#include "grpc/health/v1/health.pb.h"

namespace bellwire::gateway {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

absl::Status GoElsewhere() {
  return MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                   "This gateway is shutting down. Watch another one.");
}

}  // namespace

// One stream of Watch: the state at first, each other state that comes, and NOT_SERVING at the end
// if the server goes.
class HealthService::Watcher final : public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(HealthService* service, std::shared_ptr<RpcCall> call)
      : service_(service), call_(std::move(call)) {}

  void Begin() {
    call_->OnCancel([self = shared_from_this()] { self->Leave(); });
    call_->Read(&request_, [self = shared_from_this()](bool ok) {
      if (!ok) {
        return self->call_->Finish(MakeError(absl::StatusCode::kInvalidArgument, "MISSING_REQUEST",
                                             "The call has no request."));
      }
      self->Show();
    });
  }

  // The state may be another one. On any thread.
  void Update() {
    {
      absl::MutexLock lock(&mutex_);
      if (!shown_) return;
      if (writing_) {
        stale_ = true;
        return;
      }
      writing_ = true;
    }
    Say();
  }

  // The server goes. On any thread.
  void End() {
    {
      absl::MutexLock lock(&mutex_);
      ending_ = true;
      if (writing_ || !shown_) return;
      writing_ = true;
    }
    WriteEnd();
  }

 private:
  void Show() {
    {
      absl::MutexLock lock(&mutex_);
      shown_ = writing_ = true;
    }
    Say();
  }

  // REQUIRES: writing_.
  void Say() {
    const HealthCheckResponse::ServingStatus before = response_.status();
    const bool serving = service_->serving();
    response_.set_status(!IsKnown() ? HealthCheckResponse::SERVICE_UNKNOWN
                         : serving  ? HealthCheckResponse::SERVING
                                    : HealthCheckResponse::NOT_SERVING);
    // It has changed and changed back.
    if (response_.status() == before) return Said(/*ok=*/true);
    call_->Write(&response_, [self = shared_from_this()](bool ok) { self->Said(ok); });
  }

  void Said(bool ok) {
    bool again = false;
    {
      absl::MutexLock lock(&mutex_);
      again = std::exchange(stale_, false);
      if (!ok || (!again && !ending_)) {
        writing_ = false;
        return;
      }
      if (ending_) again = false;
    }
    if (again) return Say();
    WriteEnd();
  }

  bool IsKnown() const { return service_->Knows(request_.service()); }

  void WriteEnd() {
    response_.set_status(IsKnown() ? HealthCheckResponse::NOT_SERVING
                                   : HealthCheckResponse::SERVICE_UNKNOWN);
    call_->Write(&response_, [self = shared_from_this()](bool) {
      self->call_->Finish(GoElsewhere());
      self->Leave();
    });
  }

  void Leave() {
    absl::MutexLock lock(&service_->mutex_);
    service_->watchers_.erase(shared_from_this());
  }

  HealthService* const service_;
  const std::shared_ptr<RpcCall> call_;
  HealthCheckRequest request_;
  // Touched only by the write under way.
  HealthCheckResponse response_;
  absl::Mutex mutex_;
  bool shown_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // There was news during a write.
  bool stale_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

HealthService::HealthService(std::vector<std::string> services)
    : services_(services.begin(), services.end()) {
  services_.insert("");
}

void HealthService::AddTo(MethodTable* methods) {
  methods->AddUnary<HealthCheckRequest, HealthCheckResponse>(
      "/grpc.health.v1.Health/Check",
      [this](std::shared_ptr<UnaryHandle<HealthCheckRequest, HealthCheckResponse>> call) {
        call->Receive([this, call](HealthCheckRequest request) {
          if (!Knows(request.service())) {
            return call->Finish(MakeError(absl::StatusCode::kNotFound, "NO_SUCH_SERVICE",
                                          "This port has no service of this name. The name \"\" "
                                          "is the server as a whole."));
          }
          HealthCheckResponse response;
          response.set_status(serving() ? HealthCheckResponse::SERVING
                                        : HealthCheckResponse::NOT_SERVING);
          call->Finish(std::move(response));
        });
      });
  Method watch;
  watch.start = [this](std::shared_ptr<RpcCall> call) { Watch(std::move(call)); };
  watch.open_to_all = true;
  methods->Add("/grpc.health.v1.Health/Watch", std::move(watch));
}

bool HealthService::serving() const {
  absl::MutexLock lock(&mutex_);
  return store_ok_ && !draining_;
}

void HealthService::Watch(std::shared_ptr<RpcCall> call) {
  const auto watcher = std::make_shared<Watcher>(this, std::move(call));
  bool draining = false;
  {
    absl::MutexLock lock(&mutex_);
    watchers_.insert(watcher);
    draining = draining_;
  }
  watcher->Begin();
  if (draining) watcher->End();
}

void HealthService::SetStoreOk(bool ok) {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(store_ok_, ok) == ok) return;
    watchers.assign(watchers_.begin(), watchers_.end());
  }
  for (const std::shared_ptr<Watcher>& watcher : watchers) watcher->Update();
}

void HealthService::SetNotServing() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    watchers.assign(watchers_.begin(), watchers_.end());
  }
  for (const std::shared_ptr<Watcher>& watcher : watchers) watcher->End();
}

}  // namespace bellwire::gateway
