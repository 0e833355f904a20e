#ifndef BELLWIRE_BENCH_SEND_BACKEND_H_
#define BELLWIRE_BENCH_SEND_BACKEND_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bench/send/load_driver.h"
#include "common/clock.h"
#include "common/limits.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"

namespace bellwire::bench {

// What send_load was asked for.
struct Flags {
  std::string server;
  std::string ca;
  std::string credentials;
  std::string tokens;
  std::string mode = "unary";
  int batch = 100;
  int channels = 1;
  int payload_bytes = 256;
  double warmup_seconds = 1;
  double seconds = 5;
  LoadDriver::Options load;
};

// Makes the requests: to each token in turn.
class Requests {
 public:
  Requests(std::vector<std::string> tokens, int payload_bytes)
      : tokens_(std::move(tokens)), filler_(static_cast<size_t>(payload_bytes), '\0') {
    absl::BitGen random;
    // What can be compressed by nobody.
    for (char& c : filler_) c = static_cast<char>(absl::Uniform<uint8_t>(random));
  }

  void Fill(MonotonicTime began, push::v1::SendRequest* request) {
    request->set_token(tokens_[next_.fetch_add(1, std::memory_order_relaxed) % tokens_.size()]);
    request->set_priority(push::v1::PRIORITY_HIGH);
    std::string* payload = request->mutable_payload();
    *payload = filler_;
    const int64_t began_ns = began.nanoseconds();
    std::memcpy(payload->data(), &began_ns, std::min(payload->size(), sizeof(began_ns)));
  }

 private:
  const std::vector<std::string> tokens_;
  std::string filler_;
  std::atomic<uint64_t> next_{0};
};

// Sends to one server; how is up to the call that it makes.
class Backend {
 public:
  Backend(const Flags& flags, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
          std::string authorization, Requests* requests)
      : flags_(flags), authorization_(std::move(authorization)), requests_(requests) {
    for (int i = 0; i < flags.channels; ++i) {
      grpc::ChannelArguments arguments;
      // Else channels to one address share a connection.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      arguments.SetMaxReceiveMessageSize(kMaxProviderRequestBytes);
      stubs_.push_back(push::v1::PushService::NewStub(
          grpc::CreateCustomChannel(flags.server, credentials, arguments)));
    }
  }
  virtual ~Backend() = default;
  // As LoadDriver::Start.
  virtual void Start(MonotonicTime began, LoadDriver::Done done) = 0;
  // After the last one is done; once.
  virtual void Finish() {}
  // As LoadDriver::Wait.
  virtual void Wait(MonotonicTime until) { SleepUntil(until); }

 protected:
  void Authorize(grpc::ClientContext* context) {
    context->AddMetadata("authorization", authorization_);
  }
  push::v1::PushService::Stub* NextStub() {
    return stubs_[next_stub_.fetch_add(1, std::memory_order_relaxed) % stubs_.size()].get();
  }

  const Flags& flags_;
  const std::string authorization_;
  Requests* const requests_;
  std::vector<std::unique_ptr<push::v1::PushService::Stub>> stubs_;

 private:
  std::atomic<size_t> next_stub_{0};
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_BACKEND_H_
