#ifndef BELLWIRE_GATEWAY_TESTING_FAKE_REGISTRY_H_
#define BELLWIRE_GATEWAY_TESTING_FAKE_REGISTRY_H_

#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// The contracts that a gateway uses, answered as the test says: a function per method,
// UNIMPLEMENTED where there is none. They run one at a time, on the caller's thread, and so do the
// answers, unless the test holds them back. Thread-safe, but set the functions before the registry
// is used.
class FakeRegistry final : public MailboxApi,
                           public CatalogueApi,
                           public KeysApi,
                           public FeedApi,
                           public StoreApi,
                           public TopicApi,
                           public DeviceApi {
 public:
  template <typename Request, typename Response>
  using Handler = std::function<absl::StatusOr<Response>(const Request&)>;

  Handler<internal::v1::AppendRequest, internal::v1::AppendResponse> append;
  Handler<internal::v1::GetMessageRequest, internal::v1::GetMessageResponse> get_message;
  Handler<internal::v1::RecallRequest, internal::v1::RecallResponse> recall;
  Handler<internal::v1::ReadReceiptsRequest, internal::v1::ReadReceiptsResponse> read_receipts;
  Handler<internal::v1::GetKeyRequest, admin::v1::Key> get_key;
  Handler<admin::v1::Team, admin::v1::Team> put_team;
  Handler<admin::v1::App, admin::v1::App> put_app;
  Handler<admin::v1::Key, admin::v1::Key> put_key;
  Handler<admin::v1::UpdateTeamRequest, admin::v1::Team> update_team;
  Handler<admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse> list_teams;
  Handler<admin::v1::ListAppsRequest, admin::v1::ListAppsResponse> list_apps;
  Handler<admin::v1::ListKeysRequest, admin::v1::ListKeysResponse> list_keys;
  Handler<admin::v1::RevokeKeyRequest, admin::v1::Key> revoke_key;
  Handler<admin::v1::DeleteTeamRequest, admin::v1::Team> delete_team;
  Handler<admin::v1::DeleteAppRequest, admin::v1::App> delete_app;
  Handler<internal::v1::CountRecordsRequest, internal::v1::CountRecordsResponse> count_records;
  Handler<admin::v1::GetQuotaRequest, admin::v1::GetQuotaResponse> get_quota;
  Handler<admin::v1::SetQuotaRequest, admin::v1::QuotaReport> set_quota;

  Handler<admin::v1::BackupRequest, admin::v1::BackupResponse> backup;
  Handler<admin::v1::GetPayloadKeysRequest, admin::v1::GetPayloadKeysResponse> get_payload_keys;

  Handler<admin::v1::Enrolment, admin::v1::Enrolment> put_enrolment;
  Handler<admin::v1::ListEnrolmentsRequest, admin::v1::ListEnrolmentsResponse> list_enrolments;
  Handler<admin::v1::DeleteEnrolmentRequest, admin::v1::Enrolment> delete_enrolment;
  Handler<admin::v1::ListDevicesRequest, admin::v1::ListDevicesResponse> list_devices;
  Handler<internal::v1::GetDeviceRequest, admin::v1::GetDeviceResponse> get_device;
  Handler<internal::v1::EndDeviceRequest, internal::v1::EndDeviceResponse> end_device;

  Handler<internal::v1::ChangeSubscriptionRequest, internal::v1::ChangeSubscriptionResponse>
      change_subscription;
  Handler<internal::v1::ListSubscriptionsRequest, internal::v1::ListSubscriptionsResponse>
      list_subscriptions;
  Handler<internal::v1::PageSubscribersRequest, internal::v1::PageSubscribersResponse>
      page_subscribers;
  Handler<internal::v1::ListTopicsRequest, internal::v1::ListTopicsResponse> list_topics;
  Handler<internal::v1::PutTopicRequest, internal::v1::KeptTopic> put_topic;
  Handler<internal::v1::PublishTopicRequest, internal::v1::PublishTopicResponse> publish;
  Handler<internal::v1::ClaimRequest, internal::v1::ClaimResponse> claim;
  Handler<internal::v1::AdvanceRequest, internal::v1::AdvanceResponse> advance;
  Handler<internal::v1::GetTopicMessageRequest, push::v1::TopicMessage> get_topic_message;
  Handler<internal::v1::GetTopicMessageRequest, push::v1::TopicMessage> recall_topic_message;

  // From now on calls wait for ReleaseAnswers.
  void HoldAnswers() {
    absl::MutexLock lock(&mu_);
    holding_ = true;
  }
  // Returns once so many calls wait.
  void WaitForHeld(size_t calls) {
    absl::MutexLock lock(&mu_);
    const auto enough = [this, calls] {
      mu_.AssertHeld();
      return held_.size() + waits_.size() >= calls;
    };
    mu_.Await(absl::Condition(&enough));
  }
  size_t held() {
    absl::MutexLock lock(&mu_);
    return held_.size() + waits_.size();
  }
  // Answers those that wait, in the order in which they came, on this thread: Appends with a waiter
  // last. Further ones are answered at once.
  void ReleaseAnswers() {
    std::vector<absl::AnyInvocable<void() &&>> held;
    {
      absl::MutexLock lock(&mu_);
      holding_ = false;
      held.swap(held_);
      for (auto& wait : waits_) held.push_back(std::move(wait));
      waits_.clear();
    }
    for (auto& answer : held) std::move(answer)();
  }

  void Append(internal::v1::AppendRequest request,
              Done<internal::v1::AppendResponse> done) override {
    const bool waits = request.waiter() != 0;
    Answer(append, std::move(request), std::move(done), waits);
  }
  // Answers the Appends with a waiter; other calls are held on.
  void EndWaits(internal::v1::EndWaitsRequest, Done<internal::v1::EndWaitsResponse> done) override {
    std::vector<absl::AnyInvocable<void() &&>> waits;
    {
      absl::MutexLock lock(&mu_);
      waits.swap(waits_);
    }
    for (auto& answer : waits) std::move(answer)();
    std::move(done)(internal::v1::EndWaitsResponse());
  }
  void GetMessage(internal::v1::GetMessageRequest request,
                  Done<internal::v1::GetMessageResponse> done) override {
    Answer(get_message, std::move(request), std::move(done));
  }
  void Recall(internal::v1::RecallRequest request,
              Done<internal::v1::RecallResponse> done) override {
    Answer(recall, std::move(request), std::move(done));
  }
  void ReadReceipts(internal::v1::ReadReceiptsRequest request,
                    Done<internal::v1::ReadReceiptsResponse> done) override {
    Answer(read_receipts, std::move(request), std::move(done));
  }
  void GetKey(internal::v1::GetKeyRequest request, Done<admin::v1::Key> done) override {
    Answer(get_key, std::move(request), std::move(done));
  }
  void PutTeam(admin::v1::Team request, Done<admin::v1::Team> done) override {
    Answer(put_team, std::move(request), std::move(done));
  }
  void PutApp(admin::v1::App request, Done<admin::v1::App> done) override {
    Answer(put_app, std::move(request), std::move(done));
  }
  void PutKey(admin::v1::Key request, Done<admin::v1::Key> done) override {
    Answer(put_key, std::move(request), std::move(done));
  }
  void UpdateTeam(admin::v1::UpdateTeamRequest request, Done<admin::v1::Team> done) override {
    Answer(update_team, std::move(request), std::move(done));
  }
  void ListTeams(admin::v1::ListTeamsRequest request,
                 Done<admin::v1::ListTeamsResponse> done) override {
    Answer(list_teams, std::move(request), std::move(done));
  }
  void ListApps(admin::v1::ListAppsRequest request,
                Done<admin::v1::ListAppsResponse> done) override {
    Answer(list_apps, std::move(request), std::move(done));
  }
  void ListKeys(admin::v1::ListKeysRequest request,
                Done<admin::v1::ListKeysResponse> done) override {
    Answer(list_keys, std::move(request), std::move(done));
  }
  void RevokeKey(admin::v1::RevokeKeyRequest request, Done<admin::v1::Key> done) override {
    Answer(revoke_key, std::move(request), std::move(done));
  }
  void DeleteTeam(admin::v1::DeleteTeamRequest request, Done<admin::v1::Team> done) override {
    Answer(delete_team, std::move(request), std::move(done));
  }
  void DeleteApp(admin::v1::DeleteAppRequest request, Done<admin::v1::App> done) override {
    Answer(delete_app, std::move(request), std::move(done));
  }
  void CountRecords(internal::v1::CountRecordsRequest request,
                    Done<internal::v1::CountRecordsResponse> done) override {
    Answer(count_records, std::move(request), std::move(done));
  }
  void GetQuota(admin::v1::GetQuotaRequest request,
                Done<admin::v1::GetQuotaResponse> done) override {
    Answer(get_quota, std::move(request), std::move(done));
  }
  void SetQuota(admin::v1::SetQuotaRequest request, Done<admin::v1::QuotaReport> done) override {
    Answer(set_quota, std::move(request), std::move(done));
  }

  void PutEnrolment(admin::v1::Enrolment request, Done<admin::v1::Enrolment> done) override {
    Answer(put_enrolment, std::move(request), std::move(done));
  }
  void ListEnrolments(admin::v1::ListEnrolmentsRequest request,
                      Done<admin::v1::ListEnrolmentsResponse> done) override {
    Answer(list_enrolments, std::move(request), std::move(done));
  }
  void DeleteEnrolment(admin::v1::DeleteEnrolmentRequest request,
                       Done<admin::v1::Enrolment> done) override {
    Answer(delete_enrolment, std::move(request), std::move(done));
  }
  void ListDevices(admin::v1::ListDevicesRequest request,
                   Done<admin::v1::ListDevicesResponse> done) override {
    Answer(list_devices, std::move(request), std::move(done));
  }
  void GetDevice(internal::v1::GetDeviceRequest request,
                 Done<admin::v1::GetDeviceResponse> done) override {
    Answer(get_device, std::move(request), std::move(done));
  }
  void EndDevice(internal::v1::EndDeviceRequest request,
                 Done<internal::v1::EndDeviceResponse> done) override {
    Answer(end_device, std::move(request), std::move(done));
  }
  void Backup(admin::v1::BackupRequest request, Done<admin::v1::BackupResponse> done) override {
    Answer(backup, std::move(request), std::move(done));
  }
  void GetPayloadKeys(admin::v1::GetPayloadKeysRequest request,
                      Done<admin::v1::GetPayloadKeysResponse> done) override {
    Answer(get_payload_keys, std::move(request), std::move(done));
  }

  void ChangeSubscription(internal::v1::ChangeSubscriptionRequest request,
                          Done<internal::v1::ChangeSubscriptionResponse> done) override {
    Answer(change_subscription, std::move(request), std::move(done));
  }
  void ListSubscriptions(internal::v1::ListSubscriptionsRequest request,
                         Done<internal::v1::ListSubscriptionsResponse> done) override {
    Answer(list_subscriptions, std::move(request), std::move(done));
  }
  void PageSubscribers(internal::v1::PageSubscribersRequest request,
                       Done<internal::v1::PageSubscribersResponse> done) override {
    Answer(page_subscribers, std::move(request), std::move(done));
  }
  void ListTopics(internal::v1::ListTopicsRequest request,
                  Done<internal::v1::ListTopicsResponse> done) override {
    Answer(list_topics, std::move(request), std::move(done));
  }
  void PutTopic(internal::v1::PutTopicRequest request,
                Done<internal::v1::KeptTopic> done) override {
    Answer(put_topic, std::move(request), std::move(done));
  }
  void Publish(internal::v1::PublishTopicRequest request,
               Done<internal::v1::PublishTopicResponse> done) override {
    Answer(publish, std::move(request), std::move(done));
  }
  void Claim(internal::v1::ClaimRequest request, Done<internal::v1::ClaimResponse> done) override {
    Answer(claim, std::move(request), std::move(done));
  }
  void Advance(internal::v1::AdvanceRequest request,
               Done<internal::v1::AdvanceResponse> done) override {
    Answer(advance, std::move(request), std::move(done));
  }
  void GetTopicMessage(internal::v1::GetTopicMessageRequest request,
                       Done<push::v1::TopicMessage> done) override {
    Answer(get_topic_message, std::move(request), std::move(done));
  }
  void RecallTopicMessage(internal::v1::GetTopicMessageRequest request,
                          Done<push::v1::TopicMessage> done) override {
    Answer(recall_topic_message, std::move(request), std::move(done));
  }

 private:
  template <typename Request, typename Response>
  void Answer(const Handler<Request, Response>& handler, Request request, Done<Response> done,
              bool waits = false) {
    absl::StatusOr<Response> response = absl::UnimplementedError("the test set no handler");
    {
      absl::MutexLock lock(&mu_);
      if (handler) response = handler(request);
      if (holding_) {
        (waits ? waits_ : held_)
            .push_back([done = std::move(done), response = std::move(response)]() mutable {
              std::move(done)(std::move(response));
            });
        return;
      }
    }
    std::move(done)(std::move(response));
  }

  absl::Mutex mu_;
  bool holding_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<absl::AnyInvocable<void() &&>> held_ ABSL_GUARDED_BY(mu_);
  // Appends with a waiter.
  std::vector<absl::AnyInvocable<void() &&>> waits_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TESTING_FAKE_REGISTRY_H_
