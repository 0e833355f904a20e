#include "rpc/grpc_registry_client.h"

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/devices.grpc.pb.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "bellwire/internal/v1/partition.grpc.pb.h"
#include "bellwire/internal/v1/store.grpc.pb.h"
#include "bellwire/internal/v1/topics.grpc.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "rpc/grpc_status.h"

namespace bellwire {
namespace {

template <typename Service>
using StubOf = std::unique_ptr<typename Service::Stub>;
using Stubs = std::tuple<StubOf<internal::v1::Mailbox>, StubOf<internal::v1::Catalogue>,
                         StubOf<internal::v1::Keys>, StubOf<internal::v1::Feed>,
                         StubOf<internal::v1::Network>, StubOf<internal::v1::Partition>,
                         StubOf<internal::v1::Store>, StubOf<internal::v1::Topic>,
                         StubOf<internal::v1::Device>>;

// Whether somebody who sends waits for the answer.
template <typename Request>
constexpr bool kIsSenders = std::is_same_v<Request, internal::v1::AppendRequest> ||
                            std::is_same_v<Request, internal::v1::GetMessageRequest> ||
                            std::is_same_v<Request, internal::v1::RecallRequest> ||
                            std::is_same_v<Request, internal::v1::GetKeyRequest> ||
                            std::is_same_v<Request, internal::v1::PublishTopicRequest>;

// What gRPC itself says, in the registry's words.
absl::Status FromTransport(const grpc::Status& grpc_status) {
  absl::Status status = FromGrpcStatus(grpc_status);
  if (!ErrorReason(status).empty()) return status;  // The registry's own answer.
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:       // Not reachable, or lost on the way.
    case absl::StatusCode::kDeadlineExceeded:  // No answer in time.
    case absl::StatusCode::kCancelled:         // Either end is shutting down.
    case absl::StatusCode::kUnknown:           // gRPC's word for some broken streams.
      return WithRetryAfter(
          MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                    absl::StrCat("the registry doesn't answer: ", status.message())),
          kRegistryRetryAfter);
    default:
      return status;
  }
}

class GrpcRegistryClient final : public UnaryRegistryApi {
 public:
  GrpcRegistryClient(const std::shared_ptr<grpc::Channel>& channel, absl::Duration call_timeout,
                     absl::Duration sender_timeout)
      : stubs_(internal::v1::Mailbox::NewStub(channel), internal::v1::Catalogue::NewStub(channel),
               internal::v1::Keys::NewStub(channel), internal::v1::Feed::NewStub(channel),
               internal::v1::Network::NewStub(channel), internal::v1::Partition::NewStub(channel),
               internal::v1::Store::NewStub(channel), internal::v1::Topic::NewStub(channel),
               internal::v1::Device::NewStub(channel)),
        call_timeout_(call_timeout),
        sender_timeout_(sender_timeout) {}

  ~GrpcRegistryClient() override {
    std::vector<std::shared_ptr<Call>> calls;
    {
      absl::MutexLock lock(&mutex_);
      for (const auto& [raw, call] : calls_) calls.push_back(call);
    }
    for (const auto& call : calls) call->context.TryCancel();
    calls.clear();
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](size_t* live_calls) { return *live_calls == 0; }, &live_calls_));
  }

#define BELLWIRE_CALL(Contract, Method, Request, Response)                              \
  void Method(Request request, Done<Response> done) override {                          \
    using Service = internal::v1::Contract;                                             \
    Start<Service, Request, Response>(&Service::StubInterface::async_interface::Method, \
                                      std::move(request), std::move(done));             \
  }
  BELLWIRE_UNARY_METHODS(BELLWIRE_CALL)
#undef BELLWIRE_CALL

 private:
  struct Call {
    virtual ~Call() = default;
    grpc::ClientContext context;
  };
  template <typename Request, typename Response>
  struct TypedCall final : Call {
    Request request;
    Response response;
    Done<Response> done;
  };
  template <typename Service, typename Request, typename Response>
  void Start(void (Service::StubInterface::async_interface::*method)(
                 grpc::ClientContext*, const Request*, Response*,
                 std::function<void(grpc::Status)>),
             Request request, Done<Response> done) {
    auto call = std::make_shared<TypedCall<Request, Response>>();
    TypedCall<Request, Response>* const raw = call.get();
    if (!Admit(std::move(call))) {
      std::move(done)(WithRetryAfter(
          MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                    absl::StrCat(kMaxRegistryQueue, " calls wait for the registry's answer")),
          kRegistryRetryAfter));
      return;
    }
    const absl::Duration own =
        kIsSenders<Request> ? std::min(call_timeout_, sender_timeout_) : call_timeout_;
    const absl::Duration timeout = own + WaitOf(request);
    raw->request = std::move(request);
    raw->done = std::move(done);
    // A time span, which gRPC counts on its monotonic clock.
    raw->context.set_deadline(
        gpr_time_from_millis(absl::ToInt64Milliseconds(timeout), GPR_TIMESPAN));
    (std::get<StubOf<Service>>(stubs_)->async()->*method)(
        &raw->context, &raw->request, &raw->response, [this, raw](const grpc::Status& status) {
          if (status.ok()) {
            std::move(raw->done)(std::move(raw->response));
          } else {
            std::move(raw->done)(FromTransport(status));
          }
          Release(raw);  // After `done`: the destructor waits for it.
        });
  }

  // Keeps the call alive until Release; at the bound, lets go of it and answers false.
  bool Admit(std::shared_ptr<Call> call) {
    absl::MutexLock lock(&mutex_);
    if (live_calls_ >= kMaxRegistryQueue) return false;
    ++live_calls_;
    Call* const raw = call.get();
    calls_.emplace(raw, std::move(call));
    return true;
  }

  // A call counts as live until nothing of it is left: its context holds the channel, and the last
  // channel of a process must not die on one of gRPC's own threads, for which it would wait
  // (CompletionQueue::ReleaseCallbackAlternativeCQ).
  void Release(Call* call) {
    std::shared_ptr<Call> ended;
    {
      absl::MutexLock lock(&mutex_);
      const auto it = calls_.find(call);
      ended = std::move(it->second);
      calls_.erase(it);
    }
    ended.reset();
    absl::MutexLock lock(&mutex_);
    --live_calls_;
  }

  const Stubs stubs_;
  const absl::Duration call_timeout_;
  const absl::Duration sender_timeout_;
  absl::Mutex mutex_;
  // Shared with the destructor, which cancels calls that may be ending at that moment.
  absl::flat_hash_map<Call*, std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
  size_t live_calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::unique_ptr<UnaryRegistryApi> NewGrpcRegistryClient(std::shared_ptr<grpc::Channel> channel,
                                                        absl::Duration call_timeout,
                                                        absl::Duration sender_timeout) {
  return std::make_unique<GrpcRegistryClient>(channel, call_timeout, sender_timeout);
}

}  // namespace bellwire
