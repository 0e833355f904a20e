#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_FRONT_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_FRONT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/log_limit.h"
#include "device-agent/companion/browser/autopush_message.h"
#include "device-agent/companion/subscription_hub.h"

namespace bellwire::companion {

// What this front's instances begin with: "push:UAID:CHANNEL:" and 8 hex digits of its own.
inline constexpr char kBrowserInstancePrefix[] = "push:";
// A connection says hello within this time.
inline constexpr absl::Duration kHelloPatience = absl::Seconds(10);
// A registration without an endpoint is answered with an error after this time. Firefox gives up
// after 10 s, and would then not hear of the endpoint.
inline constexpr absl::Duration kBrowserRegisterPatience = absl::Seconds(8);
// Registrations of one connection that wait for their endpoints.
inline constexpr size_t kMaxRegistering = 32;
// Notifications to one browser that it has not acknowledged, at most one of each channel; the rest
// waits here.
inline constexpr size_t kMaxNotificationsInFlight = 32;
// A browser profile that was not seen for so long is gone: its subscriptions end.
inline constexpr absl::Duration kProfileLife = absl::Hours(24 * 60);

// Close codes of the WebSocket (RFC 6455, and Firefox's own).
inline constexpr uint16_t kCloseGoingAway = 1001;
inline constexpr uint16_t kCloseProtocolError = 1002;
// Firefox does not come back by itself after this one.
inline constexpr uint16_t kCloseReplaced = 4774;

// A browser's connection, as the front needs it.
class AutopushPeer {
 public:
  virtual ~AutopushPeer() = default;
  // Sends one text frame. Never calls the front from inside.
  virtual void Send(std::string text) = 0;
  // Closes after what was sent. The front says nothing more to this peer.
  virtual void Close(uint16_t code, absl::string_view reason) = 0;
};

// The user's browsers: what they say and what they are told, without sockets. A browser profile is
// known by its uaid for as long as it has a subscription, and has one connection; each of its
// channels is one subscription of the hub. Messages wait here until the browser acknowledges them,
// and are sent again when it comes back.
//
// A browser can't be told that an endpoint has changed. Where that happens, the whole profile ends:
// its next hello gets a new uaid, upon which Firefox drops its subscriptions and tells the pages
// (pushsubscriptionchange).
//
// Single-threaded. The hub, the clock and the peers outlive it.
class AutopushFront final : public SubscriptionFront {
 public:
  using Session = uint64_t;

  // `random_hex(n)` answers n random bytes in lower-case hex.
  AutopushFront(SubscriptionHub* hub, const Clock* clock,
                std::function<std::string(size_t)> random_hex);
  ~AutopushFront() override;
  AutopushFront(const AutopushFront&) = delete;
  AutopushFront& operator=(const AutopushFront&) = delete;

  // A browser has connected.
  Session Open(AutopushPeer* peer);
  // It sent a text. Nothing happens for a session that was closed.
  void OnText(Session session, absl::string_view text);
  // Its connection has gone; also after Close(). `peer` is not called again.
  void OnClosed(Session session);

  // When OnDeadline() is to be called; it may change with every call of this object and of the hub.
  std::optional<MonotonicTime> NextDeadline() const;
  void OnDeadline();

  void OnEndpoint(const std::string& instance, const std::string& endpoint) override;
  void OnUnsubscribed(const std::string& instance) override;
  void OnMessage(const Message& message) override;
  void OnGap(const std::string& instance, uint32_t dropped, uint64_t delivery_id) override;
  void OnError(const std::string& instance, agent::v1::Error::Code code,
               const std::string& text) override;
  void OnAgent(bool connected) override;

 private:
  struct Registering {
    std::string instance;
    std::string vapid_key;
    MonotonicTime deadline;
  };
  struct Conversation {
    AutopushPeer* peer = nullptr;
    // Empty: it has not said hello.
    std::string uaid;
    MonotonicTime hello_deadline;
    // By channel.
    std::map<std::string, Registering> registering;
  };
  struct Channel {
    std::string instance;
    std::string vapid_key;
    std::string endpoint;
  };
  // A message that the browser has not acknowledged.
  struct Waiting {
    std::string channel_id;
    std::string version;
    Message message;
    // Sent on the present connection.
    bool is_in_flight = false;
  };
  struct Profile {
    // By channel id.
    std::map<std::string, Channel> channels;
    // In order.
    std::deque<Waiting> messages;
    // The channels of which one is in flight. Firefox decrypts what it gets at the same time in any
    // order, and acknowledges a message after it was given to the page.
    std::set<std::string> in_flight;
    std::optional<Session> session;
  };
  struct Place {
    std::string uaid;
    std::string channel_id;
  };

  void OnHello(Session session, const AutopushHello& hello);
  void OnRegister(Session session, const AutopushRegister& request);
  void OnUnregister(Session session, const AutopushUnregister& request);
  void OnAck(Session session, const AutopushAck& ack);
  void OnNack(const Conversation& conversation, const AutopushNack& nack);

  // Forgets the session and closes its connection.
  void Fail(Session session, uint16_t code, absl::string_view reason);
  // The conversation's registration comes to nothing; answers the browser.
  void Refuse(Conversation* conversation, const std::string& channel_id, int status,
              absl::string_view reason);
  void Forget(Session session);
  void Pump(const std::string& uaid);
  void DropChannel(Profile* profile, const std::string& channel_id);
  // All of its subscriptions end, and its connection.
  void EndProfile(const std::string& uaid, absl::string_view why);
  // Notes that the profile was seen today.
  void NoteSeen(const Profile& profile);
  void EndOldProfiles();
  std::string Today() const;
  void RemoveIfEmpty(const std::string& uaid);

  SubscriptionHub* const hub_;
  const Clock* const clock_;
  const std::function<std::string(size_t)> random_hex_;
  LogLimit refusals_;
  LogLimit failures_;
  Session last_session_ = 0;
  std::map<Session, Conversation> sessions_;
  // By uaid. Those with a subscription or a connection.
  std::map<std::string, Profile> profiles_;
  // Of the channels, by instance.
  absl::flat_hash_map<std::string, Place> places_;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_FRONT_H_
