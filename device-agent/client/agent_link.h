#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_AGENT_LINK_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_AGENT_LINK_H_

#include <atomic>
#include <string>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "device-agent/client/agent_socket.h"
#include "device-agent/core/backoff.h"

namespace bellwire::agent {

// A connection to the agent that comes back by itself, with back-off, and says Hello each time:
// what the clients have in common. Single-threaded, except for Wake() and Stop().
class AgentLink {
 public:
  // Called inside Dispatch() only. It may call every method of the link but Dispatch() and Run().
  class Owner {
   public:
    virtual ~Owner() = default;
    // The agent has answered Hello: what is sent from now on is heard.
    virtual void OnGreeted(const v1::HelloOk& hello_ok) = 0;
    // A frame other than HelloOk. After an Error of SESSION_REPLACED or PERMISSION_DENIED nothing
    // more comes.
    virtual void OnFrame(const v1::AgentFrame& frame) = 0;
    // The connection that OnGreeted told of is gone.
    virtual void OnLost() = 0;
    // Something was read, or Wake() was called: what has gathered may be sent.
    virtual void OnTurn() = 0;
  };

  // Says `hello` on each connection to the agent at `socket_path`. The owner must outlive the link.
  AgentLink(std::string socket_path, v1::Hello hello, Owner* owner);
  ~AgentLink();
  AgentLink(const AgentLink&) = delete;
  AgentLink& operator=(const AgentLink&) = delete;

  // INVALID_ARGUMENT: a malformed path. RESOURCE_EXHAUSTED: no descriptor left. An agent that is
  // away is no error. Call it first, once.
  absl::Status Init();

  // As in client.h.
  int fd() const { return epoll_fd_; }
  absl::Status Dispatch(absl::Duration timeout);
  absl::Status Run();
  // Both thread-safe, and safe in a signal handler.
  void Stop();
  void Wake();

  void Send(const v1::AppFrame& frame);
  // Whether the agent has answered Hello on the present connection.
  bool greeted() const { return greeted_; }
  bool stopped() const { return stopped_; }

 private:
  void Connect();
  // The connection is gone; the next one is due after a while.
  void Disconnect();
  void OnSocketReady();
  // False: the rest of what was read is of no interest any more.
  bool OnFrame(const v1::AgentFrame& frame);
  void WatchSocket(int operation);

  const std::string socket_path_;
  const v1::Hello hello_;
  Owner* const owner_;
  absl::BitGen random_;
  Backoff backoff_;

  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  int wake_fd_ = -1;
  std::atomic<bool> stopped_{false};
  // Why this client is at its end. OK: it is not.
  absl::Status end_;

  AgentSocket socket_;
  bool greeted_ = false;
  // The agent calls what we say nonsense, or its disk fails: coming back soon would not change
  // that.
  bool scolded_ = false;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CLIENT_AGENT_LINK_H_
