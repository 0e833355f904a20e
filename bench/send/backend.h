#ifndef BELLWIRE_BENCH_SEND_BACKEND_H_
#define BELLWIRE_BENCH_SEND_BACKEND_H_

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bellwire/push/v1/push.grpc.pb.h"
#include "bench/send/load_driver.h"
#include "bench/send/provider.h"
#include "bench/send/requests.h"
#include "common/clock.h"
#include "common/limits.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"

namespace bellwire::bench {

// What send_load was asked for.
struct Flags {
  ProviderFlags provider;
  std::string mode = "unary";
  int batch = 100;
  int channels = 1;
  int payload_bytes = 256;
  double warmup_seconds = 1;
  double seconds = 5;
  LoadDriver::Options load;
};

// Sends to one server; how is up to the call that it makes.
class Backend {
 public:
  Backend(const Flags& flags, const Provider& provider, Requests* requests)
      : flags_(flags), authorization_(provider.authorization), requests_(requests) {
    for (int i = 0; i < flags.channels; ++i) {
      grpc::ChannelArguments arguments;
      // Else channels to one address share a connection.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      arguments.SetMaxReceiveMessageSize(kMaxProviderRequestBytes);
      stubs_.push_back(push::v1::PushService::NewStub(grpc::CreateCustomChannel(
          flags.provider.server, provider.channel_credentials, arguments)));
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
