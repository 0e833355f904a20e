#include "gateway/doors/grpc/reflection_service.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace bellwire::gateway {

using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

// Reads a request, writes its answer, reads the next: always one of them is under way, and keeps
// this alive.
class ReflectionService::Stream final : public DrainSignal::Listener,
                                        public std::enable_shared_from_this<Stream> {
 public:
  Stream(ReflectionService* service, std::shared_ptr<RpcCall> call)
      : service_(service), call_(std::move(call)), is_admin_(service->IsAdmin(*call_)) {}
  ~Stream() override { service_->drain_->Remove(this); }

  void Next() {
    call_->Read(&request_, [self = shared_from_this()](bool ok) {
      if (ok) {
        self->Answer();
      } else {
        self->End(absl::OkStatus());
      }
    });
  }

  void End(absl::Status why) {
    call_->Finish(std::move(why));
    service_->Remove(this);
  }

  // At once, though the client takes no answer.
  void Cancel() { call_->Cancel(); }

  void OnDrain() override { End(ShuttingDown("Ask another one.")); }

 private:
  void Answer() {
    response_ = service_->reflection_->Answer(request_, is_admin_);
    call_->Write(&response_, [self = shared_from_this()](bool ok) {
      self->response_.Clear();
      if (ok) {
        self->Next();
      } else {
        self->End(absl::CancelledError());
      }
    });
  }

  ReflectionService* const service_;
  const std::shared_ptr<RpcCall> call_;
  const bool is_admin_;
  // Touched only by the one step that is under way: a read or a write.
  ServerReflectionRequest request_;
  ServerReflectionResponse response_;
};

void ReflectionService::AddTo(MethodTable* methods) {
  Method method;
  method.start = [this](std::shared_ptr<RpcCall> call) { Open(std::move(call)); };
  method.streams_requests = true;
  method.idle_timeout = kReflectionIdleTimeout;
  for (const absl::string_view path :
       {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}) {
    methods->Add(path, method);
  }
}

void ReflectionService::Open(std::shared_ptr<RpcCall> call) {
  const auto stream = std::make_shared<Stream>(this, std::move(call));
  std::shared_ptr<Stream> oldest;
  {
    absl::MutexLock lock(&mu_);
    if (streams_.size() >= kMaxReflectionStreams) {
      oldest = std::move(streams_.front());
      streams_.pop_front();
    }
    streams_.push_back(stream);
  }
  if (oldest != nullptr) oldest->Cancel();
  stream->Next();
  if (!drain_->Add(stream)) stream->OnDrain();
}

bool ReflectionService::IsAdmin(const RpcCall& call) const {
  const absl::StatusOr<absl::string_view> token = BearerToken(call.metadata());
  return token.ok() && credential_->Check(*token, call.peer()).ok();
}

void ReflectionService::Remove(const Stream* stream) {
  // The last reference may be the list's: it goes without the lock.
  std::list<std::shared_ptr<Stream>> gone;
  absl::MutexLock lock(&mu_);
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    if (it->get() != stream) continue;
    gone.splice(gone.begin(), streams_, it);
    return;
  }
}

}  // namespace bellwire::gateway
