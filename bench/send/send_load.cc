// An app backend under full steam: sends to the device tokens of a file, one JSON object on stdout
// tells how it went. Each payload begins with the time at which it was sent (CLOCK_MONOTONIC,
// nanoseconds, little-endian), so that a device on the same machine knows how long it took.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bench/send/backend.h"
#include "bench/send/http_backend.h"
#include "bench/send/load_driver.h"
#include "bench/send/outcomes.h"
#include "bench/send/provider.h"
#include "bench/send/requests.h"
#include "bench/send/stream_backend.h"
#include "common/clock.h"
#include "common/status_macros.h"
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

std::unique_ptr<Backend> NewBackend(const Flags& flags, const Provider& provider,
                                    Requests* requests) {
  if (flags.mode == "unary") return std::make_unique<UnaryBackend>(flags, provider, requests);
  if (flags.mode == "batch") return std::make_unique<BatchBackend>(flags, provider, requests);
  if (flags.mode == "json" || flags.mode == "web_push") {
    return NewHttpBackend(flags, provider, requests);
  }
  return NewStreamBackend(flags, provider, requests);
}

// The teams that send, each with its own credential, tokens and connections.
class Teams {
 public:
  // The flags' files, of each team one.
  static absl::StatusOr<std::unique_ptr<Teams>> Read(const Flags& flags) {
    const std::vector<std::string> credentials = absl::StrSplit(flags.provider.credentials, ',');
    const std::vector<std::string> tokens = absl::StrSplit(flags.provider.tokens, ',');
    if (credentials.size() != tokens.size()) {
      return absl::InvalidArgumentError(
          "--credentials and --tokens name different numbers of files");
    }
    if (credentials.size() > 1 && flags.mode == "stream") {
      return absl::InvalidArgumentError("streams are of one team");
    }
    std::unique_ptr<Teams> teams(new Teams);
    for (size_t i = 0; i < credentials.size(); ++i) {
      ProviderFlags of_team = flags.provider;
      of_team.credentials = credentials[i];
      of_team.tokens = tokens[i];
      BELLWIRE_ASSIGN_OR_RETURN(Provider provider, Provider::Read(of_team));
      teams->requests_.push_back(
          std::make_unique<Requests>(std::move(provider.tokens), flags.payload_bytes));
      teams->backends_.push_back(NewBackend(flags, provider, teams->requests_.back().get()));
    }
    return teams;
  }

  // As LoadDriver::Start: they take turns.
  void Start(MonotonicTime began, LoadDriver::Done done) {
    const size_t turn = next_.fetch_add(1, std::memory_order_relaxed);
    backends_[turn % backends_.size()]->Start(began, std::move(done));
  }
  void Wait(MonotonicTime until) { backends_.front()->Wait(until); }
  void Finish() {
    for (const auto& backend : backends_) backend->Finish();
  }

 private:
  Teams() = default;

  std::vector<std::unique_ptr<Requests>> requests_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::atomic<size_t> next_{0};
};

int Run(const Flags& flags) {
  const auto teams = Teams::Read(flags);
  if (!teams.ok()) {
    std::cerr << "send_load: " << teams.status() << "\n";
    return 1;
  }

  LoadDriver::Options load = flags.load;
  load.warmup = absl::Seconds(flags.warmup_seconds);
  load.time = absl::Seconds(flags.seconds);
  if (flags.mode == "batch") {
    // The flags speak of messages.
    load.in_flight = std::max(1, load.in_flight / flags.batch);
    load.rate /= flags.batch;
  }
  LoadDriver driver(
      load,
      [&](MonotonicTime began, LoadDriver::Done done) { (*teams)->Start(began, std::move(done)); },
      [&](MonotonicTime until) { (*teams)->Wait(until); });
  driver.Run();
  (*teams)->Finish();
  nlohmann::json report = driver.Report();
  AddRefusedTo(&report);
  std::cout << report << std::endl;
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app(
      "send_load: sends to the device tokens of a file as fast as it can, or at a rate. "
      "Several teams send in turns: --credentials and --tokens then name a file of each, "
      "with commas in between.");
  bellwire::bench::Flags flags;
  bellwire::bench::AddProviderFlags(&app, &flags.provider);
  app.add_option("--mode", flags.mode, "Which call")
      ->check(CLI::IsMember({"unary", "batch", "stream", "json", "web_push"}))
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
