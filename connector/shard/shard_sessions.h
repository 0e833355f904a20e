#ifndef BELLWIRE_CONNECTOR_SHARD_SHARD_SESSIONS_H_
#define BELLWIRE_CONNECTOR_SHARD_SHARD_SESSIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "connector/shard/connection_log.h"
#include "connector/shard/login_admission.h"
#include "connector/shard/registry_calls.h"
#include "connector/shard/shard.h"
#include "connector/shard/shard_inbox.h"
#include "connector/shard/socket_connection.h"
#include "net/loop/event_loop.h"
#include "net/tls/tls_server.h"
#include "rpc/connector_api.h"

namespace bellwire::connector {

// The connections of one shard, and what registries have for them. The shard has the thread, the
// loop and the listener; a simulation has its own.
//
// On the shard's thread, but for what ConnectorEnd and inbox() say.
class ShardSessions final : public ConnectorEnd, public SocketConnection::Owner {
 public:
  // Sessions that ask at the same time what they have missed: some milliseconds' worth of the
  // registry's time, which others need as well.
  static constexpr size_t kMaxResumes = 512;

  struct Options {
    ShardEnvironment* environment = nullptr;
    ConnectionContext* context = nullptr;
    net::EventLoop* loop = nullptr;
    // Makes the shard's thread call DrainInbox soon, as ShardInbox has it.
    absl::AnyInvocable<bool() const> wake_inbox;
    // Makes it call Flush in this turn of the loop or the next.
    absl::AnyInvocable<void()> wake_flush;
    // A message is handed over: it goes before what can wait. May be empty.
    absl::AnyInvocable<void()> on_message;
    // A connection is gone. May be empty.
    absl::AnyInvocable<void()> on_removed;
    // Null: everything is logged.
    ConnectionLog* log = nullptr;
  };

  // All that it names must outlive it.
  explicit ShardSessions(Options options);
  // Ends them in their order, so that a simulation's seed gives the same run each time.
  ~ShardSessions() override;

  // Takes a connection on.
  void Accept(uint64_t session_id, std::unique_ptr<net::Stream> stream,
              const net::Arrival& arrival = {});
  // Null: there is none.
  DeviceConnection* Find(uint64_t session_id);
  // All of them, in order.
  std::vector<uint64_t> ids() const;
  size_t size() const { return connections_.size(); }

  void DrainInbox();
  void Flush();

  // Thread-safe.
  ShardInbox* inbox() { return inbox_.get(); }
  LoginAdmission* logins() { return &logins_; }
  // Calls of the registry whose answer has not been handled.
  size_t calls_in_flight() const { return calls_.in_flight(); }

  // --- ConnectorEnd: thread-safe ---
  bool HandOver(internal::v1::ConnectorRequest request) override {
    return inbox_->AddRequest(std::move(request));
  }
  void OnStreamBroken(const Devices& devices) override;
  void OnStreamOpened(const Devices& devices) override;

  // --- SocketConnection::Owner ---
  void Remove(SocketConnection* connection) override;
  void FlushSoon(uint64_t session_id) override;

 private:
  void Handle(const internal::v1::ConnectorRequest& request);
  void ResumeMore();
  // Sessions of these devices, in order.
  std::vector<uint64_t> IdsOf(const Devices& devices);

  Options options_;
  const std::shared_ptr<ShardInbox> inbox_;
  RegistryCalls calls_;
  LoginAdmission logins_;
  const SocketConnection::Shared shared_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<SocketConnection>> connections_;
  // Sessions with acknowledgements to hand over at the end of this turn.
  std::vector<uint64_t> to_flush_;
  // Sessions that have still to ask what they missed; the last one is next.
  std::vector<uint64_t> to_resume_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SHARD_SESSIONS_H_
