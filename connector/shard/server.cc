#include "connector/shard/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "connector/shard/service.h"
#include "connector/shard/shard.h"
#include "crypto/file_util.h"
#include "net/socket/descriptor_budget.h"
#include "net/tls/ticket_keys.h"
#include "net/tls/tls_context.h"
#include "rpc/credentials.h"

namespace bellwire::connector {

namespace {

absl::StatusOr<std::vector<net::TicketSecret>> ReadTicketSecrets(const std::string& path) {
  if (path.empty()) return std::vector<net::TicketSecret>();
  BELLWIRE_ASSIGN_OR_RETURN(const std::string text, ReadPrivateFile(path));
  auto secrets = net::ParseTicketSecrets(text);
  if (secrets.ok()) return secrets;
  return MakeError(secrets.status().code(), ErrorReason(secrets.status()),
                   absl::StrCat(path, ": ", secrets.status().message()));
}

size_t DescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur;
}

class ConnectorServerImpl final : public ConnectorServer {
 public:
  explicit ConnectorServerImpl(const Options& options)
      : incarnation_(RandomUint64()),
        service_(incarnation_),
        stream_(options.stream),
        descriptors_(options.max_descriptors > 0
                         ? options.max_descriptors
                         : net::DescriptorBudget::DeviceShare(DescriptorLimit())) {
    environment_.clock = options.clock != nullptr ? options.clock : RealClock();
    environment_.sessions = options.stream != nullptr ? options.stream : options.sessions;
    environment_.networks = options.networks;
    environment_.topics = options.topics;
    environment_.service = &service_;
    environment_.connector_address = options.internal_address;
    environment_.connector_incarnation = incarnation_;
    environment_.login_timeout = options.login_timeout;
    environment_.drain_to = options.drain_to;
    environment_.public_url = options.public_url;
    certificate_path_ = options.certificate_path;
    private_key_path_ = options.private_key_path;
    environment_.heartbeat_range = options.heartbeat_range;
    environment_.max_connections_per_shard = options.max_connections_per_shard;
    environment_.descriptors = &descriptors_;
  }

  ~ConnectorServerImpl() override {
    if (stream_open_) stream_->Close();
    // All threads first, then the shards: they call each other.
    for (const std::unique_ptr<Shard>& shard : shards_) shard->Stop();
  }

  absl::Status Init(const Options& options) {
    BELLWIRE_ASSIGN_OR_RETURN(environment_.tls, ReadTls(options.ticket_key_path));

    int shards = options.shards;
    if (shards == 0) shards = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    if (shards < 0 || shards > kMaxShards) {
      return MakeError(absl::StatusCode::kInvalidArgument, "BAD_SHARDS",
                       absl::StrCat("shards must be 0 to ", kMaxShards, ", not ", shards));
    }
    const HeartbeatRange& range = options.heartbeat_range;
    if (range.min <= absl::ZeroDuration() || range.max < range.min ||
        range.max > kMaxHeartbeatInterval) {
      return MakeError(absl::StatusCode::kInvalidArgument, "BAD_HEARTBEAT_RANGE",
                       absl::StrCat("heartbeats of ", absl::FormatDuration(range.min), " to ",
                                    absl::FormatDuration(range.max), " can't be had: at most ",
                                    absl::FormatDuration(kMaxHeartbeatInterval),
                                    ", and not less than the minimum"));
    }
    // With port 0 the first one finds the port that all of them share.
    std::string address = options.device_listen;
    std::vector<ConnectorEnd*> ports;
    for (int index = 0; index < shards; ++index) {
      absl::StatusOr<std::unique_ptr<Shard>> shard = Shard::Listen(&environment_, index, address);
      if (!shard.ok()) return shard.status();
      address = (*shard)->address();
      ports.push_back(shard->get());
      shards_.push_back(*std::move(shard));
    }
    service_.SetShards(std::move(ports));
    if (stream_ != nullptr) {
      internal::v1::Attach attach;
      attach.set_connector_incarnation(incarnation_);
      attach.set_connector_address(options.internal_address);
      stream_->Open(attach, &service_);
      stream_open_ = true;
    }
    for (const std::unique_ptr<Shard>& shard : shards_) shard->Run();
    LogInfo("connector_started", {{"device_address", address},
                                  {"internal_address", options.internal_address},
                                  {"shards", shards},
                                  {"max_connections", descriptors_.capacity()}});
    return absl::OkStatus();
  }

  absl::Status ReloadTls(const std::string& ticket_key_path) override {
    BELLWIRE_ASSIGN_OR_RETURN(const std::shared_ptr<net::TlsServerContext> tls,
                              ReadTls(ticket_key_path));
    for (const std::unique_ptr<Shard>& shard : shards_) shard->SetTls(tls);
    return absl::OkStatus();
  }

  ConnectorEnd* connector() override { return &service_; }
  std::string device_address() const override { return shards_.front()->address(); }

  bool Responds(absl::Duration patience) override {
    return std::all_of(shards_.begin(), shards_.end(),
                       [patience](const auto& shard) { return shard->Responds(patience); });
  }

  void Report(metrics::Samples* samples) override {
    environment_.counters.Report(samples);
    samples->Add(metrics::kSessions, static_cast<double>(environment_.devices.size()));
    samples->Add(metrics::kBytesInFlight,
                 static_cast<double>(environment_.bytes_in_flight.value()));
    samples->AddQueue("device_sockets", descriptors_.in_use(), descriptors_.capacity());
    samples->AddQueue("logins", static_cast<size_t>(environment_.logins.value()),
                      shards_.size() * (kMaxUnfinishedLogins + kMaxBindsPerShard));
  }

  void Drain(absl::Duration time) override {
    const MonotonicTime end = environment_.clock->Monotonic() + time;
    LogInfo("drain_started", {{"connections", environment_.connections.value()},
                              {"time", absl::FormatDuration(time)}});
    for (const std::unique_ptr<Shard>& shard : shards_) shard->StartDrain(time);
    bool complete = true;
    for (const std::unique_ptr<Shard>& shard : shards_) {
      complete &= shard->WaitDrained(end - environment_.clock->Monotonic());
    }
    LogInfo("drain_ended", {{"complete", complete ? "true" : "false"},
                            {"connections", environment_.connections.value()}});
  }

 private:
  absl::StatusOr<std::shared_ptr<net::TlsServerContext>> ReadTls(
      const std::string& ticket_key_path) const {
    // Its errors name the file.
    BELLWIRE_ASSIGN_OR_RETURN(TlsKeyPair pair,
                              ReadTlsKeyPair(certificate_path_, private_key_path_));
    net::TlsServerContext::Options tls;
    tls.certificate_pem = std::move(pair.certificate_pem);
    tls.private_key_pem = std::move(pair.key_pem);
    BELLWIRE_ASSIGN_OR_RETURN(tls.ticket_secrets, ReadTicketSecrets(ticket_key_path));
    tls.clock = environment_.clock;
    return net::TlsServerContext::Create(tls);
  }

  const uint64_t incarnation_;
  std::string certificate_path_;
  std::string private_key_path_;
  ConnectorService service_;
  SessionStream* const stream_;
  bool stream_open_ = false;
  // Outlives the shards' sockets.
  net::DescriptorBudget descriptors_;
  ShardEnvironment environment_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectorServer>> ConnectorServer::Start(Options options) {
  auto server = std::make_unique<ConnectorServerImpl>(options);
  const absl::Status started = server->Init(options);
  if (!started.ok()) return started;
  return server;
}

}  // namespace bellwire::connector
