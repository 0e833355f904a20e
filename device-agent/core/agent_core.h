#ifndef BELLWIRE_DEVICE_AGENT_CORE_AGENT_CORE_H_
#define BELLWIRE_DEVICE_AGENT_CORE_AGENT_CORE_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "bellwire/device/v1/device.pb.h"
#include "crypto/device_key.h"
#include "device-agent/apps/app_hub.h"
#include "device-agent/apps/app_owner.h"
#include "device-agent/apps/app_policy.h"
#include "device-agent/apps/app_starter.h"
#include "device-agent/apps/subscription.h"
#include "device-agent/core/app_ack_outbox.h"
#include "device-agent/core/registrar.h"
#include "device-agent/core/server_link.h"
#include "device-agent/core/subscription_names.h"
#include "device-agent/core/topic_changes.h"
#include "device-agent/core/traffic_meter.h"
#include "device-agent/enrolment/enrolment.h"
#include "device-agent/heartbeat/heartbeat_policy.h"
#include "device-agent/heartbeat/suspend_detector.h"
#include "device-agent/inbox/inbox.h"
#include "device-agent/network/network_monitor.h"
#include "net/loop/event_loop.h"
#include "net/socket/stream.h"

namespace bellwire::agent {

// The agent without its edges: joins the connection to the server (ServerLink), the disk (Inbox),
// the apps (AppHub) and what lies between them. Runs the same on real sockets and on simulated
// ones.
//
// What arrives in one turn of the loop, from the server and from apps, is committed together at its
// end; only then is anything acknowledged, delivered or reported. Single-threaded: the loop's
// thread.
class AgentCore final : private ServerLink::Owner,
                        private AppHub::Owner,
                        private Registrar::Owner,
                        private TopicChanges::Owner,
                        private net::Stream::Delegate {
 public:
  struct Options {
    // Of connectors, "host:port", tried in turn.
    std::vector<std::string> servers;
    // Starts to connect to one of them.
    absl::AnyInvocable<std::unique_ptr<net::Stream>(const std::string& address)> dial;
    // What is known about the network, if anything is. Outlives the core.
    const NetworkMonitor* network = nullptr;
    // Makes the timer that beats and reconnects wait for: one that wakes a sleeping phone, where
    // there is such a thing. Null: the loop's.
    absl::AnyInvocable<std::unique_ptr<net::Timer>(absl::AnyInvocable<void()> on_fire)>
        new_wakeup_timer;
    // Whom the agent runs as.
    uid_t agent_uid = 0;
    // Apps connected at a time.
    size_t max_app_connections = kMaxAppConnections;
    // Starts an app that is not running and has messages; OnAppStartEnded follows, not from inside.
    // False: it can't be tried. Empty: apps are not started.
    absl::AnyInvocable<bool(const std::string& app_id, const AppOwner& owner)> start_app;
    // Who may use which app id.
    AppPolicy policy;
    // Takes what the system says of a network, for the heartbeat; INVALID_ARGUMENT if it makes no
    // sense. Empty: nobody wants to know.
    absl::AnyInvocable<absl::Status(const v1::SetNetwork& request)> set_network;
    // Shown at logins until the server has let the phone in. Not owned; outlives the core. Null: no
    // server wants one.
    Enrolment* enrolment = nullptr;
    // Called whenever the phone was awake for the agent anyway: after a timer, and when the server
    // sent something. May be empty.
    absl::AnyInvocable<void()> on_wake;
    // See AgentOptions.
    absl::Duration reconnect_max = kReconnectMax;
  };

  // All must outlive the core.
  AgentCore(net::EventLoop* loop, Inbox* inbox, const DeviceKey* key, HeartbeatPolicy* heartbeat,
            absl::BitGenRef random, Options options);
  ~AgentCore() override;

  // Connects to the server and stays connected.
  void Start();
  // Commits what has arrived and closes all connections.
  void Stop();

  // Whether an app of this user may connect now; AppHub::NotAdmitted() is for who may not.
  bool AdmitApp(uid_t uid) { return hub_.Admit(uid); }
  // An app connected; `who`, and what it runs, as the kernel says.
  void AcceptApp(std::unique_ptr<net::Stream> stream, AppOwner who, std::string executable = "");
  // As AppHub::SetPolicy.
  void SetPolicy(AppPolicy policy) { hub_.SetPolicy(std::move(policy)); }
  // What start_app began is done.
  void OnAppStartEnded(const std::string& app_id) { starter_.OnEnded(app_id); }

  // Options::network has settled on a change.
  void OnNetworkChanged();
  // The machine's clocks were set, or went on after a suspend.
  void OnClockChanged();

  // AppHub::Owner: everything but the apps. Also for metrics.
  void FillStatus(v1::Status* status) override;

  // For tests.
  const ServerLink& link() const { return link_; }

 private:
  // ServerLink::Owner
  void Dial(const std::string& address) override;
  void Write(absl::string_view bytes) override;
  void HangUp() override;
  std::optional<bool> PeerReceivedAll() override;
  absl::StatusOr<device::v1::Login> MakeLogin(const std::string& tls_exporter) override;
  void OnLoginNumberSeen(uint64_t number) override;
  absl::Status OnWelcome(const device::v1::Welcome& welcome) override;
  absl::Status OnFrame(device::v1::ConnectorFrame frame) override;
  void OnBeat() override { outbox_.OnBeat(); }
  void OnBeatAnswered() override;
  void OnSessionEnd() override;

  // AppHub::Owner
  void WantToken(const std::string& app_id, const AppOwner& owner,
                 std::optional<Subscription> subscription) override {
    registrar_.Want(app_id, owner, std::move(subscription));
  }
  void UnwantToken(const std::string& app_id) override { registrar_.Unwant(app_id); }
  void OnAppConnected(const std::string& app_id) override { starter_.OnConnected(app_id); }
  void OnAppLeft(const std::string& app_id) override;
  int StartsOf(const std::string& app_id) override { return starter_.starts(app_id); }
  absl::Status Unregister(const std::string& app_id) override;
  void OnTaken(const std::string& app_id, std::vector<uint64_t> delivery_ids) override;
  void ChangeTopic(const std::string& app_id, const AppOwner& owner, uint64_t registration_id,
                   const v1::ChangeTopic& change) override;
  void ForgetTopicChanges(const std::string& app_id) override { topics_.Forget(app_id); }
  void SetActivity(v1::Activity activity) override;
  absl::Status SetNetwork(const v1::SetNetwork& request) override;
  absl::StatusOr<bool> Enroll(const std::string& token) override;

  // Registrar::Owner
  void SendRequest(const device::v1::AgentFrame& frame) override { link_.Send(frame); }
  void OnRegistered(const std::string& app_id) override { hub_.OnRegistered(app_id); }
  void OnRefused(const std::string& app_id, v1::Error::Code code,
                 absl::string_view message) override {
    hub_.OnRefused(app_id, code, message);
  }

  // TopicChanges::Owner
  void SendTopicChange(const device::v1::AgentFrame& frame) override { link_.Send(frame); }
  void OnTopicChanged(const std::string& app_id, const v1::ChangeTopic& change,
                      v1::TopicChanged::Outcome outcome) override {
    hub_.OnTopicChanged(app_id, change, outcome);
  }

  // net::Stream::Delegate, of the connection to the server.
  void OnOpen() override;
  void OnData(absl::string_view data) override;
  void OnClosed(const absl::Status& status) override;

  void OnTimer();
  void CheckSuspend();
  // For the earliest of all deadlines; after everything that may have moved one.
  void ArmTimer();
  void FlushSoon();
  // Commits the batch, and says so to everybody whom it concerns.
  void Flush();
  void SendAck();
  // What the server is to know: that nobody uses the phone, unless too much depends on it.
  device::v1::Activity ActivityForServer() const;
  // Tells it if that has changed.
  void TellActivity();
  // Ends what expired; the report waits for PumpOutbox.
  void DropExpired();
  // The inbox got another id: apps must hear of it before they are given anything more.
  void OnInboxRenewed();
  void PumpOutbox();
  bool StartApp(const std::string& app_id);
  // The app has messages and is not connected: it is started if that can be done. Companions are
  // not: their users' sessions see to that.
  void WantStarted(const std::string& app_id);
  // Wants every app that has messages and is not connected to be started.
  void StartAppsInArrears();

  net::EventLoop* const loop_;
  Inbox* const inbox_;
  const DeviceKey* const key_;
  const HeartbeatPolicy* const heartbeat_;
  Options options_;
  // Empty once the core is gone: posted tasks look first.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  const std::unique_ptr<net::Timer> timer_;
  // Wakes the phone, for the sake of the connection.
  const std::unique_ptr<net::Timer> wakeup_timer_;
  SuspendDetector suspend_;
  // After a failed transaction that apps' acknowledgements wait for.
  const std::unique_ptr<net::Timer> retry_timer_;
  std::unique_ptr<net::Stream> server_;
  // What server_ stands on, once it is open.
  std::string local_host_;
  std::optional<NetworkPath> path_;

  ServerLink link_;
  AppAckOutbox outbox_;
  const SubscriptionNames subscription_names_;
  Registrar registrar_;
  TopicChanges topics_;
  TrafficMeter meter_;
  AppStarter starter_;
  AppHub hub_;

  // Not committed yet.
  InboxBatch batch_;
  // What batch_ holds of this session, to acknowledge.
  std::vector<uint64_t> ack_seqs_;
  bool flush_posted_ = false;
  // What SetActivity said, and what this session's server knows.
  v1::Activity activity_ = v1::ACTIVE;
  device::v1::Activity told_activity_ = device::v1::ACTIVE;
  int64_t connected_since_ms_ = 0;
  // The disk did not take what expired: tried again then.
  std::optional<MonotonicTime> drop_again_at_;
  // Apps are sent away only to come back.
  bool renewing_ = false;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_AGENT_CORE_H_
