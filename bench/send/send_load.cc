// An app backend under full steam: sends to the device tokens of a file, one JSON object on stdout tells how
// it went. Each payload begins with the time at which it was sent (CLOCK_MONOTONIC, nanoseconds,
// little-endian), so that a device on the same machine knows how long it took.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bench/send/backend.h"
#include "bench/send/load_driver.h"
#include "bench/send/outcomes.h"
#include "bench/send/provider.h"
#include "bench/send/requests.h"
#include "bench/send/stream_backend.h"
#include "common/clock.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "nlohmann/json.hpp"
#include "ops/main_support.h"

namespace bellwire::bench {
namespace {

class UnaryBackend final : public Backend {
 public:
  using Backend::Backend;

  void Start(MonotonicTime began, LoadDriver::Done done) override {
    auto* call = new Call{.done = std::move(done)};
    Authorize(&call->context);
    requests_->Fill(began, &call->request);
    NextStub()->async()->Send(&call->context, &call->request, &call->response,
                              [call, began](const grpc::Status& status) {
                                ReportIfFailed(status, began);
                                LoadDriver::Done done = std::move(call->done);
                                delete call;
                                std::move(done)(status.ok() ? 1 : 0, status.ok() ? 0 : 1);
                              });
  }

 private:
  struct Call {
    grpc::ClientContext context;
    push::v1::SendRequest request;
    push::v1::SendResponse response;
    LoadDriver::Done done;
  };
};

class BatchBackend final : public Backend {
 public:
  using Backend::Backend;

  void Start(MonotonicTime began, LoadDriver::Done done) override {
    auto* call = new Call{.done = std::move(done)};
    Authorize(&call->context);
    for (int i = 0; i < flags_.batch; ++i) requests_->Fill(began, call->request.add_requests());
    NextStub()->async()->SendBatch(
        &call->context, &call->request, &call->response,
        [call, began, size = flags_.batch](const grpc::Status& status) {
          ReportIfFailed(status, began);
          int succeeded = 0;
          for (const push::v1::SendResult& result : call->response.results()) {
            succeeded += result.has_response() ? 1 : 0;
            ReportIfFailed(result, began);
          }
          LoadDriver::Done done = std::move(call->done);
          delete call;
          std::move(done)(succeeded, size - succeeded);
        });
  }

 private:
  struct Call {
    grpc::ClientContext context;
    push::v1::SendBatchRequest request;
    push::v1::SendBatchResponse response;
    LoadDriver::Done done;
  };
};

int Run(const Flags& flags) {
  auto provider = Provider::Read(flags.provider);
  if (!provider.ok()) {
    std::cerr << "send_load: " << provider.status() << "\n";
    return 1;
  }

  Requests requests(std::move(provider->tokens), flags.payload_bytes);
  std::unique_ptr<Backend> backend;
  LoadDriver::Options load = flags.load;
  load.warmup = absl::Seconds(flags.warmup_seconds);
  load.time = absl::Seconds(flags.seconds);
  if (flags.mode == "unary") {
    backend = std::make_unique<UnaryBackend>(flags, *provider, &requests);
  } else if (flags.mode == "batch") {
    backend = std::make_unique<BatchBackend>(flags, *provider, &requests);
    // The flags speak of messages.
    load.in_flight = std::max(1, load.in_flight / flags.batch);
    load.rate /= flags.batch;
  } else {
    backend = NewStreamBackend(flags, *provider, &requests);
  }
  LoadDriver driver(
      load,
      [&](MonotonicTime began, LoadDriver::Done done) { backend->Start(began, std::move(done)); },
      [&](MonotonicTime until) { backend->Wait(until); });
  driver.Run();
  backend->Finish();
  nlohmann::json report = driver.Report();
  AddRefusedTo(&report);
  std::cout << report << std::endl;
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("send_load: sends to the device tokens of a file as fast as it can, or at a rate");
  bellwire::bench::Flags flags;
  bellwire::bench::AddProviderFlags(&app, &flags.provider);
  app.add_option("--mode", flags.mode, "Which call")
      ->check(CLI::IsMember({"unary", "batch", "stream"}))
      ->capture_default_str();
  app.add_option("--batch", flags.batch, "Messages in one SendBatch")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--channels", flags.channels, "Connections; with `stream` one stream on each")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--payload_bytes", flags.payload_bytes, "Of one message")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  app.add_option("--in_flight", flags.load.in_flight, "Messages sent and not answered")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--rate", flags.load.rate, "Messages a second, whatever --in_flight says")
      ->capture_default_str();
  app.add_option("--warmup_seconds", flags.warmup_seconds, "Not measured")->capture_default_str();
  app.add_option("--seconds", flags.seconds, "Measured")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  bellwire::SkipDeadlockDetection();
  return bellwire::bench::Run(flags);
}
