#include "device-agent/core/agent.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/status_macros.h"
#include "crypto/device_key.h"
#include "crypto/file_util.h"
#include "device-agent/apps/app_hub.h"
#include "device-agent/apps/app_policy.h"
#include "device-agent/apps/hook_runner.h"
#include "device-agent/apps/peer_identity.h"
#include "device-agent/core/agent_core.h"
#include "device-agent/core/release_code.h"
#include "device-agent/core/state_directory.h"
#include "device-agent/enrolment/enrolment.h"
#include "device-agent/heartbeat/default_route.h"
#include "device-agent/heartbeat/heartbeat_policy.h"
#include "device-agent/heartbeat/learned_heartbeat.h"
#include "device-agent/heartbeat/network_names.h"
#include "device-agent/inbox/inbox.h"
#include "device-agent/network/network_watch.h"
#include "net/loop/boottime_alarm.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/address.h"
#include "net/socket/unix_stream.h"
#include "net/tls/tls_client.h"
#include "net/tls/tls_context.h"

namespace bellwire::agent {
namespace {

constexpr size_t kSha256Bytes = 32;
// A phone that gets messages all the time needs its code all the time.
constexpr absl::Duration kReleaseInterval = absl::Seconds(20);
// How long a scrape waits for the agent's thread.
constexpr absl::Duration kReportPatience = absl::Seconds(1);

// Names this boot of the machine. Empty: it does not say.
std::string BootId() {
  const absl::StatusOr<std::string> id = ReadWholeFile("/proc/sys/kernel/random/boot_id");
  return id.ok() ? std::string(absl::StripAsciiWhitespace(*id)) : "";
}

bool IsHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == absl::string_view::npos;
}

absl::StatusOr<std::shared_ptr<net::TlsClientContext>> MakeTlsContext(const AgentOptions& options) {
  net::TlsClientContext::Options tls;
  if (options.ca_path.empty() == options.pin_sha256_hex.empty()) {
    return absl::InvalidArgumentError(
        "say how the server proves itself: either --ca FILE or --pin SHA256");
  }
  if (!options.ca_path.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(tls.ca_pem, ReadWholeFile(options.ca_path));
  } else {
    if (options.pin_sha256_hex.size() != 2 * kSha256Bytes || !IsHex(options.pin_sha256_hex)) {
      return absl::InvalidArgumentError("a pin is a SHA-256 in hex: 64 characters");
    }
    tls.pin_sha256 = absl::HexStringToBytes(options.pin_sha256_hex);
  }
  return net::TlsClientContext::Create(tls);
}

// What is known about networks only saves energy: a file that is damaged or can't be written is a
// warning.
NetworkTable LoadNetworks(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadWholeFile(path);
  if (!bytes.ok()) {
    if (!absl::IsNotFound(bytes.status())) {
      LogWarning("networks_not_read", {{"error", bytes.status().message()}});
    }
    return NetworkTable();
  }
  absl::StatusOr<NetworkTable> table = NetworkTable::Parse(*bytes);
  if (table.ok()) return *std::move(table);
  LogWarning("networks_not_read", {{"error", table.status().message()}});
  return NetworkTable();
}

std::unique_ptr<HeartbeatPolicy> MakeHeartbeat(const AgentOptions& options, std::string path,
                                               const NetworkNames* names) {
  if (options.heartbeat_interval.has_value()) {
    return std::make_unique<FixedHeartbeat>(*options.heartbeat_interval);
  }
  NetworkTable known = LoadNetworks(path);
  auto save = [path = std::move(path)](const std::string& state) {
    const absl::Status s = ReplaceFileAtomically(path, state, FileAccess::kPrivate);
    if (!s.ok()) LogWarning("networks_not_saved", {{"error", s.message()}});
  };
  return std::make_unique<LearnedHeartbeat>(
      LearnedHeartbeat::Options{.clock = RealClock(),
                                .known = std::move(known),
                                .network = [names] { return names->Complete(ReadDefaultRoute()); },
                                .save = std::move(save),
                                .share = options.share_networks});
}

// Apps must not take the descriptors that the agent itself needs.
size_t MaxAppConnections() {
  rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return kMaxAppConnections;
  if (descriptors.rlim_cur >= kMaxAppConnections + kAgentDescriptorReserve) {
    return kMaxAppConnections;
  }
  return descriptors.rlim_cur > 2 * kAgentDescriptorReserve
             ? descriptors.rlim_cur - kAgentDescriptorReserve
             : descriptors.rlim_cur / 2;
}

class AgentImpl final : public Agent {
 public:
  AgentImpl(std::unique_ptr<StateDirectory> state, std::unique_ptr<DeviceKey> key,
            std::unique_ptr<Inbox> inbox, Enrolment enrolment,
            std::shared_ptr<net::TlsClientContext> tls, AppPolicy policy,
            const AgentOptions& options)
      : state_(std::move(state)),
        key_(std::move(key)),
        inbox_(std::move(inbox)),
        enrolment_(std::move(enrolment)),
        options_(options),
        device_id_(ToHex(key_->device_id())),
        socket_path_(options.socket_path),
        loop_(RealClock(), net::Suspend::kBetweenTurns),
        tls_(&loop_, std::move(tls)),
        hooks_(&loop_, options.start_app_hook,
               [this](const std::string& key) { core_.OnAppStartEnded(key); }),
        heartbeat_(MakeHeartbeat(options, state_->PathOf("networks.state"), &network_names_)),
        network_watch_(WatchNetwork()),
        clock_watch_(WatchClock()),
        core_(&loop_, inbox_.get(), key_.get(), heartbeat_.get(), random_,
              {.servers = options.servers,
               .dial = [this, name = options.server_name](
                           const std::string& address) { return tls_.Connect(address, name); },
               .network = network_watch_ != nullptr ? &network_watch_->monitor() : nullptr,
               .new_wakeup_timer =
                   [this](absl::AnyInvocable<void()> on_fire) {
                     return NewWakeupTimer(std::move(on_fire));
                   },
               .agent_uid = geteuid(),
               .max_app_connections = MaxAppConnections(),
               .start_app = StartApp(options.start_app_hook),
               .policy = std::move(policy),
               .set_network =
                   [this](const v1::SetNetwork& request) {
                     return TakeNetworkName(request, ReadDefaultRoute().interface, &network_names_);
                   },
               .enrolment = &enrolment_,
               .on_wake = [this] { OnWake(); },
               .reconnect_max = options.reconnect_max}),
        watchdog_interval_(options.watchdog_interval),
        watchdog_(options.watchdog),
        watchdog_timer_(loop_.NewTimer([this] { OnWake(); })) {}

  absl::Status Listen(mode_t mode) {
    auto on_accept = [this](std::unique_ptr<net::Stream> stream, const net::PeerCredentials& peer) {
      absl::StatusOr<PeerIdentity> who = IdentifyPeer(peer);
      if (!who.ok()) {
        if (const auto unsaid = refusals_.Take()) {
          LogInfo("app_refused",
                  {{"uid", peer.uid}, {"why", who.status().message()}, {"unsaid", *unsaid}});
        }
        return;
      }
      core_.AcceptApp(std::move(stream), std::move(who->owner), std::move(who->executable));
    };
    BELLWIRE_ASSIGN_OR_RETURN(
        listener_,
        net::UnixListener::Listen(
            &loop_, socket_path_, mode, std::move(on_accept),
            {.kernel_bytes = kAppSocketBytes,
             .piece_bytes = kAppPieceBytes,
             .refuse = [this](const net::PeerCredentials& peer) -> std::optional<std::string> {
               if (core_.AdmitApp(peer.uid)) return std::nullopt;
               return AppHub::NotAdmitted();
             }}));
    return absl::OkStatus();
  }

  void Run() override {
    LogInfo("agent_running", {{"device", device_id_}, {"socket", socket_path()}});
    core_.Start();
    OnWake();
    loop_.Run();
    LogInfo("agent_stopped");
  }

  void Stop() override {
    const bool posted = loop_.Post([this] {
      listener_.reset();
      watchdog_timer_->Cancel();
      core_.Stop();
      // After this turn, at whose end the streams send what is left.
      loop_.Stop();
    });
    if (!posted) loop_.Stop();
  }

  void Reload() override {
    loop_.Post([this] {
      ReloadPolicy();
      if (options_.ca_path.empty()) {
        return LogInfo("hangup_ignored", {{"reason", "the pin is a flag: nothing to read again"}});
      }
      auto tls = MakeTlsContext(options_);
      if (!tls.ok()) {
        return LogError("reload_failed",
                        {{"what", options_.ca_path}, {"error", tls.status().message()}});
      }
      tls_.SetContext(*std::move(tls));
      LogInfo("reloaded", {{"what", options_.ca_path}});
    });
  }

  void Report(metrics::Samples* samples) override {
    // Shared: the answer may come when nobody waits any more.
    struct Answer {
      v1::Status status;
      absl::Notification filled;
    };
    const auto answer = std::make_shared<Answer>();
    const bool posted = loop_.Post([this, answer] {
      core_.FillStatus(&answer->status);
      answer->filled.Notify();
    });
    if (!posted || !answer->filled.WaitForNotificationWithTimeout(kReportPatience)) return;
    const v1::Status& status = answer->status;
    samples->Add(metrics::kAgentConnected, status.connection() == v1::Status::CONNECTED ? 1 : 0);
    samples->Add(metrics::kAgentInbox, status.inbox_messages());
    samples->Add(metrics::kAgentHeartbeatInterval, status.heartbeat_interval_ms() / 1000.0);
    samples->Add(metrics::kAgentHeartbeats, static_cast<double>(status.heartbeats_sent()));
    samples->Add(metrics::kAgentBytes, {"sent"}, static_cast<double>(status.bytes_sent()));
    samples->Add(metrics::kAgentBytes, {"received"}, static_cast<double>(status.bytes_received()));
  }

  const std::string& socket_path() const override { return socket_path_; }
  const std::string& device_id() const override { return device_id_; }

 private:
  absl::AnyInvocable<bool(const std::string&, const AppOwner&)> StartApp(const std::string& hook) {
    if (hook.empty()) return nullptr;
    return [this](const std::string& key, const AppOwner& who) { return hooks_.Run(key, who); };
  }

  void ReloadPolicy() {
    if (options_.policy_path.empty()) return;
    absl::StatusOr<AppPolicy> policy = AppPolicy::Load(options_.policy_path);
    if (!policy.ok()) {
      return LogError("reload_failed", {{"what", options_.policy_path},
                                        {"error", policy.status().message()},
                                        {"consequence", "the policy stays as it was"}});
    }
    LogInfo("reloaded", {{"what", options_.policy_path}, {"rules", policy->rules()}});
    core_.SetPolicy(*std::move(policy));
  }

  // The loop runs, and is awake. Not on every event: a busy phone has many of them.
  void OnWake() {
    const MonotonicTime awake = loop_.clock().Monotonic();
    const bool idle = core_.link().state() == ServerLink::State::kReady;
    // With the first session, and then with beats: whatever ran in between runs seldom.
    if (idle && (!released_.has_value() || awake - *released_ >= kReleaseInterval)) {
      released_ = awake;
      ReleaseCode();
    }
    if (watchdog_interval_ == absl::InfiniteDuration()) return;
    const MonotonicTime now = loop_.clock().Monotonic();
    if (watchdog_told_.has_value() && now - *watchdog_told_ < watchdog_interval_ / 8) return;
    watchdog_told_ = now;
    watchdog_();
    watchdog_timer_->Arm(watchdog_interval_ / 2);
  }

  // What the machine does not offer or permit is said once; the agent works on without it.
  std::unique_ptr<NetworkWatch> WatchNetwork() {
    auto watch = NetworkWatch::Start(&loop_, [this] { core_.OnNetworkChanged(); });
    if (watch.ok()) return *std::move(watch);
    LogWarning("network_not_watched", {{"error", watch.status().message()},
                                       {"consequence", "a lost network is found by heartbeats"}});
    return nullptr;
  }
  std::unique_ptr<net::ClockWatch> WatchClock() {
    auto watch = net::ClockWatch::Start(&loop_, [this] { core_.OnClockChanged(); });
    if (watch.ok()) return *std::move(watch);
    LogWarning("suspend_not_watched", {{"error", watch.status().message()},
                                       {"consequence", "a suspend is noticed with the next beat"}});
    return nullptr;
  }
  std::unique_ptr<net::Timer> NewWakeupTimer(absl::AnyInvocable<void()> on_fire) {
    auto alarm = net::BoottimeAlarm::New(&loop_, std::move(on_fire));
    if (!alarm.ok()) {
      // Only if there are no descriptors left: then there will be no connection either.
      LogError("no_alarm", {{"error", alarm.status().message()}});
      std::abort();
    }
    if (const absl::Status& wakes = (*alarm)->wakes_the_machine(); !wakes.ok()) {
      LogInfo("phone_not_woken", {{"why", wakes.message()},
                                  {"consequence", "beats wait for a suspended phone to wake up"}});
    } else if (!loop_.holds_off_suspend()) {
      LogInfo("suspend_not_held_off",
              {{"why", "CAP_BLOCK_SUSPEND is missing, or this kernel never suspends"},
               {"consequence", "a phone that was woken for a beat may sleep before it is sent"}});
    }
    return *std::move(alarm);
  }

  const std::unique_ptr<StateDirectory> state_;
  const std::unique_ptr<DeviceKey> key_;
  const std::unique_ptr<Inbox> inbox_;
  Enrolment enrolment_;
  const AgentOptions options_;
  const std::string device_id_;
  const std::string socket_path_;
  absl::BitGen random_;
  net::EpollLoop loop_;
  net::TlsClient tls_;
  HookRunner hooks_;
  NetworkNames network_names_;
  const std::unique_ptr<HeartbeatPolicy> heartbeat_;
  // Null: the machine has none.
  const std::unique_ptr<NetworkWatch> network_watch_;
  const std::unique_ptr<net::ClockWatch> clock_watch_;
  AgentCore core_;
  const absl::Duration watchdog_interval_;
  const std::function<void()> watchdog_;
  const std::unique_ptr<net::Timer> watchdog_timer_;
  std::optional<MonotonicTime> watchdog_told_;
  // ReleaseCode() ran.
  std::optional<MonotonicTime> released_;
  LogLimit refusals_{RealClock()};
  std::unique_ptr<net::UnixListener> listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(const AgentOptions& options) {
  if (options.servers.empty()) return absl::InvalidArgumentError("no --server HOST:PORT given");
  for (const std::string& server : options.servers) {
    const absl::StatusOr<net::HostPort> parsed = net::ParseHostPort(server);
    if (!parsed.ok() || parsed->host.empty() || parsed->port == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--server takes HOST:PORT, the device port of a server (usually 7444), and not \"",
          server, "\""));
    }
  }
  if (!options.start_app_hook.empty() && access(options.start_app_hook.c_str(), X_OK) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("--start_app_hook ", options.start_app_hook,
                                                   " is no program that can be run"));
  }
  if (options.state_dir.empty()) return absl::InvalidArgumentError("no --state_dir given");
  if (options.heartbeat_interval.has_value() &&
      *options.heartbeat_interval <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("the heartbeat interval must be positive");
  }
  BELLWIRE_ASSIGN_OR_RETURN(std::shared_ptr<net::TlsClientContext> tls, MakeTlsContext(options));
  AppPolicy policy;
  if (!options.policy_path.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(policy, AppPolicy::Load(options.policy_path));
  }
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<StateDirectory> state,
                            StateDirectory::Lock(options.state_dir));
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<DeviceKey> key,
                            DeviceKey::LoadOrCreate(state->PathOf("device.key")));
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<Inbox> inbox,
                            Inbox::Open(state->PathOf("inbox.db"), RealClock(), BootId()));
  Enrolment enrolment(state->PathOf("enrolment"));
  if (!options.enrolment_token.empty()) {
    BELLWIRE_RETURN_IF_ERROR(enrolment.TakeUnlessUsed(options.enrolment_token));
  }
  if (!options.device_certificate_path.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::string pem,
                              ReadWholeFile(options.device_certificate_path));
    if (const absl::Status taken = enrolment.TakeUnlessUsed(pem); !taken.ok()) {
      return MakeError(taken.code(), ErrorReason(taken),
                       absl::StrCat(options.device_certificate_path, ": ", taken.message()));
    }
  }
  auto agent = std::make_unique<AgentImpl>(std::move(state), std::move(key), std::move(inbox),
                                           std::move(enrolment), std::move(tls),
                                           std::move(policy), options);
  BELLWIRE_RETURN_IF_ERROR(agent->Listen(options.socket_mode));
  return agent;
}

}  // namespace bellwire::agent
