#ifndef BELLWIRE_CONNECTOR_SHARD_REGISTRY_CALLS_H_
#define BELLWIRE_CONNECTOR_SHARD_REGISTRY_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "connector/doors/bellwire/device_connection.h"
#include "connector/shard/shard_inbox.h"
#include "rpc/registry_api.h"

namespace bellwire::connector {

// The registry, as the connections of one shard call it: answers come back on the shard's thread,
// to the connection if it is still there. What has to happen even if it isn't, happens here: a Bind
// for a connection that is gone is undone.
//
// On the shard's thread; answers that come after the inbox was closed are dropped.
class RegistryCalls {
 public:
  // Finds a living connection by session id; null if there is none.
  using Find = absl::AnyInvocable<DeviceConnection*(uint64_t session_id) const>;

  // `sessions`, `networks` and `topics` must outlive this object, and this object the taking of
  // answers from `inbox`. `on_resumed` is called whenever a Resume was answered.
  RegistryCalls(SessionApi* sessions, NetworkApi* networks, TopicApi* topics,
                std::shared_ptr<ShardInbox> inbox, Find find,
                absl::AnyInvocable<void()> on_resumed);
  RegistryCalls(const RegistryCalls&) = delete;
  RegistryCalls& operator=(const RegistryCalls&) = delete;

  void Bind(internal::v1::BindRequest request);
  void Pull(uint64_t session_id, internal::v1::PullRequest request);
  void Resume(uint64_t session_id, internal::v1::ResumeRequest request);
  void Ack(uint64_t session_id, internal::v1::AckRequest request);
  void AppAck(uint64_t session_id, internal::v1::AppAckRequest request);
  void RegisterApp(uint64_t session_id, uint32_t request_id,
                   internal::v1::RegisterAppRequest request);
  void RemoveApp(uint64_t session_id, uint32_t request_id, internal::v1::RemoveAppRequest request);
  void ChangeTopic(uint64_t session_id, uint32_t request_id,
                   internal::v1::ChangeSubscriptionRequest request);
  void ReportSent(internal::v1::ReportSentRequest request);
  void HandedOver(internal::v1::HandedOverRequest request);
  void ReportNetwork(uint64_t session_id, internal::v1::ReportNetworkRequest request);
  void Unbind(internal::v1::UnbindRequest request);

  // Calls whose answer has not been handled.
  size_t in_flight() const { return in_flight_; }
  // Of them, those of Resume.
  size_t resuming() const { return resuming_; }

 private:
  // A Done that calls `handler` with the answer on the shard's thread.
  template <typename Response, typename Handler>
  Done<Response> OnThread(Handler handler);
  // The same with the connection of `session_id`, if it is still there.
  template <typename Response, typename Handler>
  Done<Response> OnConnection(uint64_t session_id, Handler handler);

  void OnBound(const DeviceId& device_id, const internal::v1::Route& route,
               absl::StatusOr<internal::v1::BindResponse> response);

  SessionApi* const sessions_;
  NetworkApi* const networks_;
  TopicApi* const topics_;
  const std::shared_ptr<ShardInbox> inbox_;
  const Find find_;
  absl::AnyInvocable<void()> on_resumed_;
  size_t in_flight_ = 0;
  size_t resuming_ = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_REGISTRY_CALLS_H_
