#ifndef BELLWIRE_CONNECTOR_TESTING_FAKE_REGISTRY_H_
#define BELLWIRE_CONNECTOR_TESTING_FAKE_REGISTRY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "rpc/priority.h"
#include "rpc/registry_api.h"

namespace bellwire::connector {

// The part of a registry that connectors see, in memory: mailboxes, routes, acknowledgements. Answers
// before the call returns, on the caller's thread. Thread-safe.
class FakeRegistry final : public RegistryApi {
 public:
  // Puts a message into a mailbox; answers its seq, and the route as of then.
  struct Appended {
    internal::v1::Envelope message;
    std::optional<internal::v1::Route> route;
  };
  Appended AddMessage(const DeviceId& device, absl::string_view payload, bool now_or_never = false);

  // Every call answers UNAVAILABLE while it is down.
  void set_down(bool down);
  std::optional<internal::v1::Route> RouteOf(const DeviceId& device) const;
  // What a connector of another process would have bound.
  void SetRoute(const DeviceId& device, const internal::v1::Route& route);
  size_t MailboxSize(const DeviceId& device) const;
  std::vector<uint64_t> AckedSeqs(const DeviceId& device) const;
  size_t calls() const;
  // True as soon as `condition` holds, asked after every call; false if it takes longer than `limit`.
  bool WaitUntil(absl::AnyInvocable<bool() const> condition,
                 absl::Duration limit = absl::Seconds(20)) const;

  void Bind(internal::v1::BindRequest request, Done<internal::v1::BindResponse> done) override;
  void Unbind(internal::v1::UnbindRequest request,
              Done<internal::v1::UnbindResponse> done) override;
  void Pull(internal::v1::PullRequest request, Done<internal::v1::PullResponse> done) override;
  void Ack(internal::v1::AckRequest request, Done<internal::v1::AckResponse> done) override;
  void AppAck(internal::v1::AppAckRequest request,
              Done<internal::v1::AppAckResponse> done) override;
  void ReportSent(internal::v1::ReportSentRequest request,
                  Done<internal::v1::ReportSentResponse> done) override;
  void ReportNetwork(internal::v1::ReportNetworkRequest request,
                     Done<internal::v1::ReportNetworkResponse> done) override;
  void RegisterApp(internal::v1::RegisterAppRequest request,
                   Done<internal::v1::RegisterAppResponse> done) override;
  void RemoveApp(internal::v1::RemoveAppRequest request,
                 Done<internal::v1::RemoveAppResponse> done) override;

  // Not for connectors: UNIMPLEMENTED.
  void Append(internal::v1::AppendRequest, Done<internal::v1::AppendResponse> done) override;
  void Resolve(internal::v1::ResolveRequest, Done<internal::v1::ResolveResponse> done) override;
  void GetMessage(internal::v1::GetMessageRequest,
                  Done<internal::v1::GetMessageResponse> done) override;
  void Recall(internal::v1::RecallRequest, Done<internal::v1::RecallResponse> done) override;
  void ReadReceipts(internal::v1::ReadReceiptsRequest,
                    Done<internal::v1::ReadReceiptsResponse> done) override;
  void GetKey(internal::v1::GetKeyRequest, Done<admin::v1::Key> done) override;
  void PutTeam(admin::v1::Team, Done<admin::v1::Team> done) override;
  void PutApp(admin::v1::App, Done<admin::v1::App> done) override;
  void PutKey(admin::v1::Key, Done<admin::v1::Key> done) override;
  void ListTeams(admin::v1::ListTeamsRequest, Done<admin::v1::ListTeamsResponse> done) override;
  void ListApps(admin::v1::ListAppsRequest, Done<admin::v1::ListAppsResponse> done) override;
  void ListKeys(admin::v1::ListKeysRequest, Done<admin::v1::ListKeysResponse> done) override;
  void RevokeKey(admin::v1::RevokeKeyRequest, Done<admin::v1::Key> done) override;
  void DeleteTeam(admin::v1::DeleteTeamRequest, Done<admin::v1::Team> done) override;
  void DeleteApp(admin::v1::DeleteAppRequest, Done<admin::v1::App> done) override;

 private:
  struct Device {
    std::optional<internal::v1::Route> route;
    uint64_t last_login_number = 0;
    uint64_t last_seq = 0;
    std::map<uint64_t, internal::v1::Envelope> mailbox;
    std::vector<uint64_t> acked;
  };

  // Runs `effect` on the device's records and answers what it says, or UNAVAILABLE.
  template <typename Response, typename Effect>
  void Serve(absl::string_view device_id, Done<Response> done, Effect effect);
  static void FillPage(const Device& device, uint64_t after, uint32_t max_bytes,
                       uint32_t max_messages, PrioritySet priorities, internal::v1::Page* page);

  mutable absl::Mutex mutex_;
  mutable absl::CondVar changed_;
  std::map<std::string, Device> devices_ ABSL_GUARDED_BY(mutex_);
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_TESTING_FAKE_REGISTRY_H_
