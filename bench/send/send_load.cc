// An app backend under full steam: sends to the device tokens of a file, one JSON object on stdout tells how
// it went. Each payload begins with the time at which it was sent (CLOCK_MONOTONIC, nanoseconds,
// little-endian), so that a device on the same machine knows how long it took.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bench/load/histogram.h"
#include "bench/send/load_driver.h"
#include "cli/provider_credentials.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "daemon/main_support.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/client_callback.h"
#include "nlohmann/json.hpp"
#include "rpc/credentials.h"
#include "rpc/grpc_status.h"

namespace bellwire::bench {
namespace {

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

// The messages that were refused as a server should: RESOURCE_EXHAUSTED, and when to come back.
class Refused {
 public:
  void Add(MonotonicTime began) {
    const MonotonicTime now = RealClock()->Monotonic();
    absl::MutexLock lock(&mutex_);
    latency_.Add(now - began);
  }
  void AddTo(nlohmann::json* report) {
    absl::MutexLock lock(&mutex_);
    (*report)["refused"] = latency_.count();
    (*report)["refused_p99_us"] = latency_.Percentile(0.99);
  }

 private:
  absl::Mutex mutex_;
  Histogram latency_ ABSL_GUARDED_BY(mutex_);
};
Refused* AllRefused() {
  static Refused* const refused = new Refused;
  return refused;
}

// Says once why calls fail; what a bench needs to be repaired.
void ReportError(const std::string& what) {
  static std::atomic<bool> said{false};
  if (!said.exchange(true)) std::cerr << "send_load: " << what << "\n";
}

void ReportIfFailed(const push::v1::SendResult& result, MonotonicTime began) {
  if (!result.has_error()) return;
  const push::v1::SendError& error = result.error();
  if (error.code() == grpc::StatusCode::RESOURCE_EXHAUSTED && error.has_retry_after()) {
    return AllRefused()->Add(began);
  }
  ReportError(absl::StrCat(error.reason(), ": ", error.message()));
}

void ReportIfFailed(const grpc::Status& status, MonotonicTime began) {
  if (status.ok()) return;
  const absl::Status converted = FromGrpcStatus(status);
  if (absl::IsResourceExhausted(converted) && RetryAfter(converted).has_value()) {
    return AllRefused()->Add(began);
  }
  ReportError(status.error_message());
}

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
  virtual void Start(MonotonicTime began, LoadDriver::Done done) = 0;
  virtual void Finish() {}

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

// One SendStream: what it is given waits for the write before it. The correlation id is a slot's number.
class OneStream final
    : public grpc::ClientBidiReactor<push::v1::SendStreamRequest, push::v1::SendStreamResponse> {
 public:
  // `authorize` puts the credential on the call.
  OneStream(push::v1::PushService::Stub* stub, const std::string& authorization) {
    context_.AddMetadata("authorization", authorization);
    stub->async()->SendStream(&context_, this);
    StartRead(&response_);
    StartCall();
  }

  void Send(Requests* requests, MonotonicTime began, LoadDriver::Done done) {
    absl::ReleasableMutexLock lock(&mutex_);
    if (ended_) {
      lock.Release();
      return std::move(done)(0, 1);
    }
    size_t slot;
    if (free_.empty()) {
      slot = waiting_.size();
      waiting_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    waiting_[slot] = {began, std::move(done)};
    push::v1::SendStreamRequest& request = unsent_.emplace_back();
    request.set_correlation_id(slot);
    requests->Fill(began, request.mutable_request());
    WriteNext();
  }

  // When everything was answered.
  void Finish() {
    StartWritesDone();
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&ended_));
  }

 private:
  struct Waiting {
    MonotonicTime began;
    LoadDriver::Done done;
  };

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || unsent_.empty()) return;
    writing_ = true;
    grpc::WriteOptions options;
    // More follows: it may share a packet.
    if (unsent_.size() > 1) options.set_buffer_hint();
    StartWrite(&unsent_.front(), options);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    unsent_.pop_front();
    if (ok) WriteNext();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    Waiting waiting;
    {
      absl::MutexLock lock(&mutex_);
      const size_t slot = response_.correlation_id();
      waiting = std::move(waiting_[slot]);
      free_.push_back(slot);
    }
    const bool succeeded = response_.result().has_response();
    ReportIfFailed(response_.result(), waiting.began);
    StartRead(&response_);
    std::move(waiting.done)(succeeded ? 1 : 0, succeeded ? 0 : 1);
  }

  void OnDone(const grpc::Status& status) override {
    if (!status.ok()) ReportError(status.error_message());
    std::vector<Waiting> waiting;
    {
      absl::MutexLock lock(&mutex_);
      waiting.swap(waiting_);
      ended_ = true;
    }
    for (Waiting& w : waiting) {
      if (w.done) std::move(w.done)(0, 1);
    }
  }

  grpc::ClientContext context_;
  push::v1::SendStreamResponse response_;
  absl::Mutex mutex_;
  std::deque<push::v1::SendStreamRequest> unsent_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<size_t> free_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

class StreamBackend final : public Backend {
 public:
  StreamBackend(const Flags& flags, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                std::string authorization, Requests* requests)
      : Backend(flags, credentials, std::move(authorization), requests) {
    for (const auto& stub : stubs_) {
      streams_.push_back(std::make_unique<OneStream>(stub.get(), authorization_));
    }
  }

  void Start(MonotonicTime began, LoadDriver::Done done) override {
    const size_t stream = next_.fetch_add(1, std::memory_order_relaxed) % streams_.size();
    streams_[stream]->Send(requests_, began, std::move(done));
  }
  void Finish() override {
    for (const auto& stream : streams_) stream->Finish();
  }

 private:
  std::vector<std::unique_ptr<OneStream>> streams_;
  std::atomic<size_t> next_{0};
};

int Fail(const absl::Status& status) {
  std::cerr << "send_load: " << status << "\n";
  return 1;
}

int Run(const Flags& flags) {
  std::vector<std::string> tokens;
  std::ifstream file(flags.tokens);
  for (std::string line; std::getline(file, line);) tokens.push_back(line);
  if (tokens.empty()) return Fail(absl::InvalidArgumentError("no tokens in " + flags.tokens));
  const auto credentials = cli::ReadProviderCredentials(flags.credentials);
  if (!credentials.ok()) return Fail(credentials.status());
  const auto jwt = cli::SignProviderJwt(*credentials, RealClock()->WallNow());
  if (!jwt.ok()) return Fail(jwt.status());
  const auto tls = ClientTlsCredentials(flags.ca);
  if (!tls.ok()) return Fail(tls.status());

  Requests requests(std::move(tokens), flags.payload_bytes);
  const std::string authorization = absl::StrCat("Bearer ", *jwt);
  std::unique_ptr<Backend> backend;
  LoadDriver::Options load = flags.load;
  load.warmup = absl::Seconds(flags.warmup_seconds);
  load.time = absl::Seconds(flags.seconds);
  if (flags.mode == "unary") {
    backend = std::make_unique<UnaryBackend>(flags, *tls, authorization, &requests);
  } else if (flags.mode == "batch") {
    backend = std::make_unique<BatchBackend>(flags, *tls, authorization, &requests);
    // The flags speak of messages.
    load.in_flight = std::max(1, load.in_flight / flags.batch);
    load.rate /= flags.batch;
  } else {
    backend = std::make_unique<StreamBackend>(flags, *tls, authorization, &requests);
  }
  LoadDriver driver(load, [&](MonotonicTime began, LoadDriver::Done done) {
    backend->Start(began, std::move(done));
  });
  driver.Run();
  backend->Finish();
  nlohmann::json report = driver.Report();
  AllRefused()->AddTo(&report);
  std::cout << report << std::endl;
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("send_load: sends to the device tokens of a file as fast as it can, or at a rate");
  bellwire::bench::Flags flags;
  app.add_option("--server", flags.server, "Provider port, HOST:PORT")->required();
  app.add_option("--ca", flags.ca, "PEM file of the server's CA")->required();
  app.add_option("--credentials", flags.credentials, "As `bellwire key create --out` makes it")
      ->required();
  app.add_option("--tokens", flags.tokens, "Device tokens, one a line")->required();
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
