#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_CLIENT_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/agent/v1/agent.pb.h"

namespace bellwire::agent {

inline constexpr char kDefaultSocketPath[] = "/run/bellwire/agent.sock";

// A message for this app.
struct Message {
  // Names it towards the agent. Grows; unique for this app on this device.
  uint64_t delivery_id = 0;
  // UUID as text, as the app's backend knows it.
  std::string message_id;
  // As the backend sent it, or decrypted.
  std::string payload;
  // The backend encrypted it for this app (ClientOptions.key_file): nobody on the way could read
  // it, and whoever made it has the app's encrypted token. False: it came in the clear.
  bool encrypted = false;
  absl::Time accepted_at;
  // It was delivered before and not acknowledged, to this process or an earlier one.
  bool redelivered = false;
  // What the payload is. Default: the app's own.
  v1::Content content;
  // How urgent the backend called it.
  v1::Priority priority = v1::PRIORITY_UNSPECIFIED;
};

struct ClientOptions {
  std::string socket_path = kDefaultSocketPath;
  // Reverse domain name, as the developer registered it. Required.
  std::string app_id;
  // For the agent's log, at most 64 bytes.
  std::string client_version = "bellwire-client/1.0";
  // End-to-end encryption (docs/guide/end_to_end.md): a file of the app's own, in a directory that
  // only it can read, with the keys for what its backend encrypts; made if there is none. Empty: no
  // keys, and an encrypted payload is given out as it came.
  std::string key_file;
};

// What a Client tells its app. Called inside Dispatch() and Run() only, on their thread. Each may
// be left empty; none may destroy the client.
struct ClientCallbacks {
  // What to send to the app's backend: after Register(), and again whenever it changes. The device
  // token; with a key_file the encrypted token, "e1.TOKEN.P256DH.AUTH", in which it is.
  std::function<void(const std::string& token)> on_token;
  // A message. True: taken for good, the client acknowledges it. False: not yet; either Ack() it
  // later, or it comes again on the next connection.
  std::function<bool(const Message& message)> on_message;
  // A message was encrypted, but not for the keys in the key file, or it was changed on its way.
  // The client acknowledges it, as it can never be read. If it comes again and again, the backend
  // uses an encrypted token of earlier keys: send it the present one.
  std::function<void(const std::string& message_id)> on_undecryptable;
  // `dropped` messages never reached the phone: synchronise with the backend. The client
  // acknowledges it, unless Stop() was called by then: who can't note it stops, and hears of it
  // again.
  std::function<void(uint32_t dropped)> on_gap;
  // The agent refused something: the code and a sentence for the developer. After SESSION_REPLACED
  // and PERMISSION_DENIED the client stays away; after everything else it carries on (after
  // UNKNOWN_APP, Register() asks once more).
  std::function<void(v1::Error::Code code, const std::string& message)> on_error;
  // The connection to the agent came or went (it is not the agent's connection to the server).
  std::function<void(bool connected)> on_connection;
  // The agent has noted Unregister() on its disk.
  std::function<void()> on_unregistered;
  // What became of a ChangeTopic() that answered OK, once for each. NOT_CONNECTED and UNAVAILABLE:
  // not known to be done, so ask again later.
  std::function<void(const std::string& topic, bool subscribed, v1::TopicChanged::Outcome outcome)>
      on_topic_changed;
};

// An app's connection to the agent of its phone. While the agent is away it reconnects by itself,
// with back-off, and registers again. A message whose acknowledgement the agent lost in a crash is
// acknowledged again and not handed to on_message twice by the same client.
//
// Single-threaded, except for Stop(). Either
//   client->Register();
//   client->Run();                     // owns the thread, until Stop()
// or, in the app's own poll loop,
//   poll() fd() for readability, then client->Dispatch(absl::ZeroDuration()).
class Client {
 public:
  // INVALID_ARGUMENT: a malformed app id or path. The key file: errors of AppKeys::LoadOrCreate
  // (crypto/encryption/app_keys.h). An agent that is away is no error.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const ClientOptions& options,
                                                        ClientCallbacks callbacks);
  virtual ~Client() = default;  // Closes; what was not acknowledged comes again.

  // From now on, this app wants its token (on_token) and its messages.
  virtual void Register() = 0;
  // Kills the token and drops what waits (on_unregistered). The keys in the key file are replaced:
  // what was encrypted for them can't be read any more.
  virtual void Unregister() = 0;
  // Acknowledges messages for which on_message returned false.
  virtual void Ack(const std::vector<uint64_t>& delivery_ids) = 0;

  // Subscribes the app to a topic of its team (1 to 900 characters of [a-zA-Z0-9-_.~%]), or ends
  // that: its backend sends one message to all who are subscribed. It lasts until it is ended, or
  // until Unregister(). on_topic_changed tells when it is so. Of one topic, ask again when it was
  // answered.
  //   UNAVAILABLE: the app has no token, or no connection to the agent, now
  //   RESOURCE_EXHAUSTED: 64 changes are not answered yet
  virtual absl::Status ChangeTopic(const std::string& topic, bool subscribed) = 0;

  // Readable when Dispatch() has something to do. The same for the client's whole life; for polling
  // only.
  virtual int fd() const = 0;
  // Waits up to `timeout` (absl::InfiniteDuration(): for ever) for something to do and does it. OK
  // also when the time is over. FAILED_PRECONDITION with the reason SESSION_REPLACED or
  // PERMISSION_DENIED: this client is at its end. CANCELLED after Stop().
  virtual absl::Status Dispatch(absl::Duration timeout) = 0;
  // Dispatches until its status is not OK: OK after Stop(), else that status.
  virtual absl::Status Run() = 0;
  // Ends Run() or the current Dispatch(). Thread-safe, and safe in a signal handler.
  virtual void Stop() = 0;

  // Whether the agent has answered on the present connection.
  virtual bool connected() const = 0;
};

// Asks the agent behind `socket_path` how it is. UNAVAILABLE: none listens there;
// DEADLINE_EXCEEDED: it does not answer within `timeout`. Thread-safe.
absl::StatusOr<v1::Status> FetchAgentStatus(const std::string& socket_path, absl::Duration timeout);

// Tells the agent whether a person uses the phone: for its power manager. Errors as above, and
// PERMISSION_DENIED for whoever is neither root nor the agent's own user. Thread-safe.
absl::Status SetAgentActivity(const std::string& socket_path, v1::Activity activity,
                              absl::Duration timeout);

// Tells the agent what an interface leads to: for who manages the phone's networks. Errors as
// above, and INTERNAL if the request makes no sense. Thread-safe.
absl::Status SetAgentNetwork(const std::string& socket_path, const v1::SetNetwork& request,
                             absl::Duration timeout);

// Gives the agent a token that lets the phone in at a server that takes enrolled devices only: for
// whoever sets the phone up. Answers whether it is not needed, because the phone was let in. Errors
// as above. Thread-safe.
absl::StatusOr<bool> EnrollAgent(const std::string& socket_path, const std::string& token,
                                 absl::Duration timeout);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CLIENT_CLIENT_H_
