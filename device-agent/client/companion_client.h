#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_COMPANION_CLIENT_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_COMPANION_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "device-agent/client/client.h"

namespace bellwire::agent {

struct CompanionClientOptions {
  std::string socket_path = kDefaultSocketPath;
  // For the agent's log, at most 64 bytes.
  std::string client_version = "bellwire-companion/1.0";
};

// What a CompanionClient tells. Called inside Dispatch() and Run() only, on their thread, with no
// lock held: each may call every method of the client but Dispatch() and Run(). Each may be left
// empty; none may destroy the client.
struct CompanionCallbacks {
  // A message of a subscription. Ack() it once it is taken for good; until then it comes again on
  // each new connection to the agent. `instance`, `delivery_id`, `message_id` (UUID as text),
  // `payload`, `content`, `priority`, `accepted_at_ms` and `redelivered` are set.
  std::function<void(const v1::Delivery& delivery)> on_delivery;
  // `dropped` messages of the subscription never reached the phone. Ack() it like a message.
  std::function<void(const v1::Gap& gap)> on_gap;
  // The URL that senders POST to: once after each Subscribe() of the instance, and again whenever
  // it changes.
  std::function<void(const std::string& instance, const std::string& endpoint)> on_endpoint;
  // The endpoint is dead, and the agent has noted it on its disk.
  std::function<void(const std::string& instance)> on_unsubscribed;
  // The agent refuses something: the code, and a sentence for the developer. `instance` names the
  // subscription; empty: it is about the connection. A subscription that is refused stays
  // remembered, and is asked for again on the next connection, until Unsubscribe(). After
  // SESSION_REPLACED and PERMISSION_DENIED of the connection the client stays away; after
  // everything else it carries on.
  std::function<void(const std::string& instance, v1::Error::Code code, const std::string& message)>
      on_error;
  // The agent answered: delivery ids are of this inbox (HelloOk.inbox_id, 16 bytes).
  std::function<void(const std::string& inbox_id)> on_connected;
  // The agent is away; the client reconnects by itself.
  std::function<void()> on_disconnected;
};

// A companion's connection to the agent (docs/reference/agent_protocol.md, "The companion"): all
// subscriptions of one user over one connection. While the agent is away it reconnects by itself,
// with back-off, and says Subscribe for each subscription again. A message whose acknowledgement
// the agent lost in a crash is acknowledged again and not handed to on_delivery twice by the same
// client.
//
// Thread-safe, except that one thread at a time calls Dispatch() or Run().
class CompanionClient {
 public:
  // INVALID_ARGUMENT: a malformed path. An agent that is away is no error.
  static absl::StatusOr<std::unique_ptr<CompanionClient>> Create(
      const CompanionClientOptions& options, CompanionCallbacks callbacks);
  virtual ~CompanionClient() = default;  // Closes; what was not acknowledged comes again.

  // From now on there is this subscription, and its messages are wanted: on_endpoint or on_error
  // follow. It is remembered, not on disk: say it again after a restart of the process. Fields as
  // Subscribe says in agent.proto; the instance that lives already must have the same owner and
  // key.
  virtual void Subscribe(const v1::Subscribe& subscription) = 0;
  // Kills the endpoint and drops what waits (on_unsubscribed). It need not have been subscribed by
  // this client. Nothing more of the instance is told, until it is subscribed anew.
  virtual void Unsubscribe(absl::string_view instance) = 0;
  // The message or gap is taken for good.
  virtual void Ack(absl::string_view instance, uint64_t delivery_id) = 0;

  // As in Client.
  virtual int fd() const = 0;
  virtual absl::Status Dispatch(absl::Duration timeout) = 0;
  virtual absl::Status Run() = 0;
  // Safe in a signal handler too.
  virtual void Stop() = 0;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CLIENT_COMPANION_CLIENT_H_
