#include "gateway/doors/grpc/reflection_service.h"

#include <iterator>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {

using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

// Reads a request, writes its answer, reads the next. Owns itself until gRPC is done with it. gRPC
// is never called under the lock, for it may call back at once.
class ReflectionService::Stream final
    : public grpc::ServerBidiReactor<ServerReflectionRequest, ServerReflectionResponse>,
      public DrainSignal::Listener {
 public:
  static std::shared_ptr<Stream> New(ReflectionService* service,
                                     grpc::CallbackServerContext* context) {
    auto stream = std::make_shared<Stream>(service, context);
    stream->self_ = stream;
    return stream;
  }

  Stream(ReflectionService* service, grpc::CallbackServerContext* context)
      : service_(service), context_(context), is_admin_(service->IsAdmin(*context)) {}

  // Goes on until the client half-closes, `End` or `Cancel`.
  void Begin() { StartRead(&request_); }

  // Ends with `why` as soon as no answer is under way.
  void End(absl::Status why) {
    {
      absl::MutexLock lock(&mu_);
      if (!end_.has_value()) end_ = std::move(why);
    }
    FinishIfReady();
  }

  // Ends at once, though the client takes no answer.
  void Cancel() {
    {
      absl::MutexLock lock(&mu_);
      if (finished_) return;
      // The context lives until OnDone, which comes only after Finish.
      cancelling_ = true;
    }
    context_->TryCancel();
    {
      absl::MutexLock lock(&mu_);
      cancelling_ = false;
    }
    FinishIfReady();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(absl::OkStatus());
    {
      absl::MutexLock lock(&mu_);
      if (end_.has_value()) return;
      writing_ = true;
    }
    response_ = service_->reflection_->Answer(request_, is_admin_);
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    response_.Clear();
    bool go_on = false;
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      if (!ok && !end_.has_value()) end_ = absl::CancelledError();
      go_on = !end_.has_value();
      // Before the read is started nobody may finish.
      starting_ = go_on;
    }
    if (go_on) {
      StartRead(&request_);
      absl::MutexLock lock(&mu_);
      starting_ = false;
    }
    FinishIfReady();
  }

  void OnDone() override {
    service_->drain_->Remove(this);
    service_->Remove(this);
    const std::shared_ptr<Stream> last = std::move(self_);
  }

  void OnDrain() override { End(ShuttingDown("Ask another one.")); }
  void OnDrainOver() override { Cancel(); }

 private:
  void FinishIfReady() {
    absl::Status end;
    {
      absl::MutexLock lock(&mu_);
      if (!end_.has_value() || writing_ || starting_ || cancelling_ || finished_) return;
      finished_ = true;
      end = *end_;
    }
    Finish(ToGrpcStatus(end));
  }

  ReflectionService* const service_;
  grpc::CallbackServerContext* const context_;
  const bool is_admin_;
  std::shared_ptr<Stream> self_;
  // Touched only by the one step that is under way: a read or a write.
  ServerReflectionRequest request_;
  ServerReflectionResponse response_;

  absl::Mutex mu_;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool starting_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelling_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

grpc::ServerBidiReactor<ServerReflectionRequest, ServerReflectionResponse>*
ReflectionService::ServerReflectionInfo(grpc::CallbackServerContext* context) {
  const std::shared_ptr<Stream> stream = Stream::New(this, context);
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
  stream->Begin();
  if (!drain_->Add(stream)) stream->OnDrain();
  return stream.get();  // gRPC calls OnDone only after it got the reactor.
}

bool ReflectionService::IsAdmin(const grpc::CallbackServerContext& context) const {
  const absl::StatusOr<absl::string_view> token = BearerToken(context.client_metadata());
  return token.ok() && credential_->Check(*token, context.peer()).ok();
}

void ReflectionService::Remove(const Stream* stream) {
  absl::MutexLock lock(&mu_);
  streams_.remove_if(
      [stream](const std::shared_ptr<Stream>& other) { return other.get() == stream; });
}

}  // namespace bellwire::gateway
