#ifndef BELLWIRE_DEVICE_AGENT_APPS_APP_HUB_H_
#define BELLWIRE_DEVICE_AGENT_APPS_APP_HUB_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "common/limits.h"
#include "common/log_limit.h"
#include "device-agent/apps/app_channel.h"
#include "device-agent/apps/app_connection.h"
#include "device-agent/apps/app_policy.h"
#include "device-agent/apps/subscription.h"
#include "device-agent/inbox/inbox.h"
#include "net/loop/event_loop.h"
#include "net/socket/stream.h"

namespace bellwire::agent {

// ChangeTopics of one connection that are not answered: as many as a server takes of all apps.
inline constexpr size_t kMaxOpenTopicChanges = 64;

// The apps' side of the agent (docs/reference/agent_protocol.md): who may speak for which app, one
// connection for each of them, and their messages in order, at most kAppWindowMessages of them
// unacknowledged.
//
// Who the kernel says an app is (app_owner.h) is part of what it speaks for: the same app id of
// another user, or of another sandbox, is another app here. So nobody reads another's messages,
// learns its token or takes its id away, root neither. A policy may pin an app id to some
// (app_policy.h).
//
// A companion speaks for all subscriptions of its user (subscription.h) over one connection. Each
// has a channel of its own in it, with its own order and window: one whose window is full holds up
// itself. What is called an app id in calls from and to the rest of the agent is the key of an app
// (app_key.h) or of a subscription.
// Single-threaded.
class AppHub final : private AppConnection::Owner {
 public:
  // What the hub needs of the rest of the agent.
  class Owner {
   public:
    virtual ~Owner() = default;
    // This app has no token, or the subscription is to be something else from now on: ask the
    // server. OnRegistered or OnRefused follow some day, maybe from inside.
    virtual void WantToken(const std::string& app_id, const AppOwner& owner,
                           std::optional<Subscription> subscription) = 0;
    // The app that waited for its token has gone.
    virtual void UnwantToken(const std::string& app_id) = 0;
    // The app is connected now, and may take its messages.
    virtual void OnAppConnected(const std::string& app_id) = 0;
    // It went, and there are messages that it has not taken.
    virtual void OnAppLeft(const std::string& app_id) = 0;
    // How often the app was started since it last took a message.
    virtual int StartsOf(const std::string& app_id) = 0;
    // The app is to be forgotten; on disk when it answers OK.
    virtual absl::Status Unregister(const std::string& app_id) = 0;
    // The app acknowledged these: to be committed, then OnCommitted.
    virtual void OnTaken(const std::string& app_id, std::vector<uint64_t> delivery_ids) = 0;
    // The app, whose registration this is, subscribes to a topic or leaves it. OnTopicChanged
    // follows, maybe from inside, unless the app goes before.
    virtual void ChangeTopic(const std::string& app_id, const AppOwner& owner,
                             uint64_t registration_id, const v1::ChangeTopic& change) = 0;
    // Nobody waits for the answers to this app's changes any more.
    virtual void ForgetTopicChanges(const std::string& app_id) = 0;
    // Whether a person uses the phone, as whoever may know says.
    virtual void SetActivity(v1::Activity activity) = 0;
    // What an interface leads to, as the system says. INVALID_ARGUMENT: it makes no sense.
    virtual absl::Status SetNetwork(const v1::SetNetwork& request) = 0;
    // A token that lets the phone in, from whoever may give one. Answers whether it is not needed:
    // the phone was let in. INVALID_ARGUMENT: it is no token; others: the disk refuses.
    virtual absl::StatusOr<bool> Enroll(const std::string& token) = 0;
    // Everything but the apps.
    virtual void FillStatus(v1::Status* status) = 0;
  };

  // `agent_uid` is whom the agent runs as: like root, it may ask for everybody's status and say
  // whether the phone is used and which network it is in. All must outlive the hub.
  AppHub(net::EventLoop* loop, Inbox* inbox, uid_t agent_uid, Owner* owner,
         size_t max_connections = kMaxAppConnections);

  // Who may use which app id, from now on. Connections that may no longer speak for theirs are
  // closed with PERMISSION_DENIED.
  void SetPolicy(AppPolicy policy);

  // Closes all connections; the agent is going down.
  void CloseAll();
  // Closes those that speak for an app: they come back by themselves, and learn the inbox's new id.
  void CloseApps();

  // Whether an app of this user may connect. Says in the log that it may not.
  bool Admit(uid_t uid);
  // What to tell who may not: one frame.
  static std::string NotAdmitted();
  // An app connected; `who`, and what it runs, as the kernel says (peer_identity.h).
  void Accept(std::unique_ptr<net::Stream> stream, AppOwner who, std::string executable = "");

  // The inbox has a token for the app.
  void OnRegistered(const std::string& app_id);
  // The server won't register it.
  void OnRefused(const std::string& app_id, v1::Error::Code code, absl::string_view message);
  // The inbox has something new for the app.
  void Deliver(const std::string& app_id);
  // What became of a change that ChangeTopic told.
  void OnTopicChanged(const std::string& app_id, const v1::ChangeTopic& change,
                      v1::TopicChanged::Outcome outcome);
  // What OnTaken told is on disk.
  void OnCommitted(const std::vector<InboxBatch::Taken>& taken);

  // Whether the app, or the companion of the subscription, is connected.
  bool IsConnected(absl::string_view app_id) const { return Find(app_id) != nullptr; }
  size_t connections() const { return connections_.size(); }

 private:
  void OnAppOpen(AppConnection* connection) override;
  void OnAppFrame(AppConnection* connection, const v1::AppFrame& frame) override;
  void OnAppDrained(AppConnection* connection) override;
  void OnAppRefused(const AppConnection& connection, v1::Error::Code code,
                    absl::string_view why) override;
  void OnAppClosed(AppConnection* connection) override;

  void OnHello(AppConnection* connection, const v1::Hello& hello);
  // Whether this Hello names a companion or an app that it may speak for; if not, it is told so.
  bool MayBeCompanion(AppConnection* connection, const v1::Hello& hello);
  bool MaySpeakFor(AppConnection* connection, const std::string& app_id);
  // The frames of a connection that speaks for an app, and of a companion's.
  void OnFrameOfApp(AppConnection* connection, const v1::AppFrame& frame);
  void OnFrameOfCompanion(AppConnection* connection, const v1::AppFrame& frame);
  void OnSubscribe(AppConnection* connection, const v1::Subscribe& request);
  // The app, or the subscription, wants its token.
  void Register(AppConnection* connection, AppChannel* channel,
                std::optional<Subscription> subscription);
  void OnUnregister(AppConnection* connection, const std::string& app_id);
  void OnAck(AppConnection* connection, const std::string& app_id, const v1::Ack& ack);
  void OnChangeTopic(AppConnection* connection, const v1::ChangeTopic& change);
  void OnStatusRequest(AppConnection* connection);
  void OnSetActivity(AppConnection* connection, const v1::SetActivity& request);
  void OnSetNetwork(AppConnection* connection, const v1::SetNetwork& request);
  void OnEnroll(AppConnection* connection, const v1::Enroll& request);
  void LogRefusal(absl::string_view app_id, uid_t uid, v1::Error::Code code, absl::string_view why);
  void LogFailure(absl::string_view event, absl::string_view app_id, const absl::Status& error);
  // Whether it speaks for the phone and not only for an app.
  bool IsPrivileged(const AppConnection& connection) const;
  void AddApps(bool sees_all, const AppOwner& who, v1::Status* status);
  // The channel is told its token before anything else, and has what waits for it from now on.
  void TellToken(AppConnection* connection, AppChannel* channel, const std::string& token);
  void MakeDue(AppConnection* connection, AppChannel* channel);
  // Nothing of the subscription goes over this connection any more.
  void Drop(AppConnection* connection, AppChannel* channel);
  // Tells and gives what is due, channel by channel, as far as windows and the socket have room.
  void Pump(AppConnection* connection);
  // Of one channel, a few items. False: the connection takes nothing more now.
  bool PumpChannel(AppConnection* connection, AppChannel* channel);
  // Whoever speaks for the app, or for the subscription. Null: nobody is connected.
  AppConnection* Find(absl::string_view app_id) const;
  // That one's channel for it. Null: there is none.
  AppChannel* FindChannel(absl::string_view app_id) const;

  net::EventLoop* const loop_;
  Inbox* const inbox_;
  const uid_t agent_uid_;
  Owner* const owner_;
  const size_t max_connections_;
  AppPolicy policy_;
  // What apps can cause as often as they like.
  LogLimit refusals_;
  LogLimit failures_;
  absl::flat_hash_map<AppConnection*, std::unique_ptr<AppConnection>> connections_;
  // Those that are to be told so as soon as they are open.
  absl::flat_hash_set<AppConnection*> refused_;
  // Those that speak for an app, and companions.
  absl::flat_hash_map<std::string, AppConnection*> by_app_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_APP_HUB_H_
