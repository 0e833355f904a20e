#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_SUBSCRIPTION_HUB_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_SUBSCRIPTION_HUB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"

// Where the two halves of the companion meet: the hub keeps the user's subscriptions, on disk and
// at the agent; a front (UnifiedPush on D-Bus, the WebSocket for browsers) speaks to the software
// that they are for. One thread, the companion's io_context; the hub calls fronts from its own
// turns of that loop, never from inside a call of theirs.
namespace bellwire::companion {

// One message of one subscription.
struct Message {
  // The subscription that it is of.
  std::string instance;
  // Acknowledge with this. Grows; unique for the instance.
  uint64_t delivery_id = 0;
  // UUID as text.
  std::string message_id;
  // The sender's bytes, untouched; at most 4,096.
  std::string payload;
  agent::v1::Content::Door door = agent::v1::Content::DOOR_UNSPECIFIED;
  // With WEB_PUSH, the sender's header fields Content-Encoding, Encryption and Crypto-Key.
  std::string encoding;
  std::string encryption;
  std::string crypto_key;
  agent::v1::Priority priority = agent::v1::PRIORITY_UNSPECIFIED;
  // An earlier process, or this one on an earlier connection, may have had it already.
  bool redelivered = false;
};

// A subscription as the hub keeps it on disk.
struct Subscription {
  // Its name: the front's prefix, then 1 to 200 bytes of UTF-8 of the front's choice. A name is
  // never used again after Unsubscribe: late words about the old one would be taken for the new
  // one's.
  std::string instance;
  // Whose it is, such as "org.kde.tokodon" or "firefox https://mail.example": 1 to 256 bytes. The
  // agent bounds the subscriptions of one owner.
  std::string owner;
  // The sender's VAPID key, an uncompressed P-256 point, 65 bytes. Empty: none.
  std::string vapid_key;
  // What the front wants to know of it after a restart; at most 4,096 bytes. The hub never looks.
  std::string note;
  // The latest endpoint. Empty: there was none yet.
  std::string endpoint;
};

// What the hub tells a front about subscriptions with its prefix.
class SubscriptionFront {
 public:
  virtual ~SubscriptionFront() = default;

  // The endpoint: once after every Subscribe() that it answered OK, and again when it changes.
  virtual void OnEndpoint(const std::string& instance, const std::string& endpoint) = 0;
  // After Unsubscribe(): the agent has noted that the subscription is dead.
  virtual void OnUnsubscribed(const std::string& instance) = 0;
  // A message, in order within the instance. Until Ack() it comes again on each new connection to
  // the agent, under the same delivery id; after Ack() this process gets it no more.
  virtual void OnMessage(const Message& message) = 0;
  // `dropped` messages never reached the phone. Takes its place among the messages and is to be
  // acknowledged like one of them.
  virtual void OnGap(const std::string& instance, uint32_t dropped, uint64_t delivery_id) = 0;
  // The agent refuses the subscription: VAPID_REQUIRED, SUBSCRIPTIONS_OFF, LIMIT_REACHED, INTERNAL.
  // One that had no endpoint yet is off the disk already; one that had keeps its place. `text` says
  // to a person what to do.
  virtual void OnError(const std::string& instance, agent::v1::Error::Code code,
                       const std::string& text) = 0;
  // The connection to the agent came or went (it is not the agent's connection to the server).
  virtual void OnAgent(bool connected) = 0;
};

// The user's subscriptions.
class SubscriptionHub {
 public:
  virtual ~SubscriptionHub() = default;

  // From now on `front` is told of every instance that begins with `prefix` ("up:", "push:"); what
  // came for them before waits until then. Once per prefix. `front` must outlive the hub's loop or
  // be detached with nullptr.
  virtual void Attach(const std::string& prefix, SubscriptionFront* front) = 0;

  // Notes the subscription on disk and asks the agent for its endpoint; OnEndpoint or OnError
  // follows, and where the endpoint is known from before, OnEndpoint without asking anyone. Saying
  // it again for one that lives replaces its note. `subscription.endpoint` is ignored.
  //   INVALID_ARGUMENT     a field breaks its bounds, or the key of a living subscription changes
  //   RESOURCE_EXHAUSTED   TOO_MANY_SUBSCRIPTIONS (the bounds below), DISK_FULL
  //   others               the disk fails
  virtual absl::Status Subscribe(const Subscription& subscription) = 0;
  // Notes on disk that it shall die, and sees to it at the agent, also after restarts;
  // OnUnsubscribed follows. From the return on, Find and List don't know it and none of its
  // messages comes. OK for one that is not there (without OnUnsubscribed).
  virtual absl::Status Unsubscribe(const std::string& instance) = 0;
  // The software has the message for good: the agent forgets it.
  virtual void Ack(const std::string& instance, uint64_t delivery_id) = 0;

  // A living subscription, or nullptr. Valid until the next call of the hub.
  virtual const Subscription* Find(absl::string_view instance) const = 0;
  // The living ones whose name begins with `prefix`, by name.
  virtual std::vector<Subscription> List(absl::string_view prefix) const = 0;
  // Whether the agent is there.
  virtual bool agent_connected() const = 0;
};

// Bounds of what the hub keeps, of one owner and of the user. The dead that the agent has not noted
// yet count too: an owner that subscribes and unsubscribes in a loop while the agent is away locks
// out itself alone.
inline constexpr size_t kMaxSubscriptionsPerOwner = 256;
inline constexpr size_t kMaxSubscriptions = 4096;
inline constexpr size_t kMaxInstanceNameBytes = 200;
inline constexpr size_t kMaxOwnerBytes = 256;
inline constexpr size_t kMaxNoteBytes = 4096;
inline constexpr size_t kVapidKeyBytes = 65;

// INVALID_ARGUMENT, naming the field, if `subscription` breaks the bounds above.
absl::Status CheckSubscription(const Subscription& subscription);

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_SUBSCRIPTION_HUB_H_
