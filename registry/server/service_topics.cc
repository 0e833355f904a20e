// The part of Service about topics.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "registry/server/request_decoder.h"
#include "registry/server/service.h"
#include "registry/server/store.h"
#include "registry/server/topic_decoder.h"

namespace bellwire::registry {
namespace {

// Of up to kMaxPageSubscribers entries of each of some topics, in appends.
constexpr int64_t kPageSubscribersCost = 16;
// Of up to 1,000 topics.
constexpr int64_t kListTopicsCost = 8;

bool Refuse(const absl::Status& checked, auto& done) {
  if (checked.ok()) return false;
  std::move(done)(checked);
  return true;
}

// Whose work a call about one registration is: a team's backend's, or the device's.
// REQUIRES: CheckTopicToken.
Owner CallerOf(const auto& request) {
  return (request.team_id().empty() ? Owner::Devices() : Owner::Team(request.team_id()))
      .About(*DeviceId::FromBytes(request.device_id()));
}

}  // namespace

void Service::ChangeSubscription(internal::v1::ChangeSubscriptionRequest request,
                                 Done<internal::v1::ChangeSubscriptionResponse> done) {
  if (Refuse(CheckTopicToken(request.device_id(), request.registration_id(), request.team_id()),
             done) ||
      Refuse(CheckTopicName(request.topic()), done)) {
    return;
  }
  const Owner owner = CallerOf(request);
  group_commit_->Submit<internal::v1::ChangeSubscriptionResponse>(
      owner,
      [request = std::move(request)](
          Store& store) -> absl::StatusOr<internal::v1::ChangeSubscriptionResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(
            const SubscriptionChange change,
            store.ChangeSubscription(*DeviceId::FromBytes(request.device_id()),
                                     request.registration_id(), request.team_id(), request.topic(),
                                     request.subscribed()));
        internal::v1::ChangeSubscriptionResponse response;
        response.set_unchanged(change.unchanged);
        response.set_created_at_ms(change.created_at_ms);
        return response;
      },
      std::move(done));
}

void Service::ListSubscriptions(internal::v1::ListSubscriptionsRequest request,
                                Done<internal::v1::ListSubscriptionsResponse> done) {
  if (Refuse(CheckTopicToken(request.device_id(), request.registration_id(), request.team_id()),
             done)) {
    return;
  }
  const Owner owner = CallerOf(request);
  group_commit_->Submit<internal::v1::ListSubscriptionsResponse>(
      owner,
      [request = std::move(request)](
          Store& store) -> absl::StatusOr<internal::v1::ListSubscriptionsResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(
            std::vector<TopicOfToken> topics,
            store.ListSubscriptions(*DeviceId::FromBytes(request.device_id()),
                                    request.registration_id(), request.team_id()));
        internal::v1::ListSubscriptionsResponse response;
        for (TopicOfToken& topic : topics) {
          auto* entry = response.add_subscriptions();
          entry->set_topic(std::move(topic.topic));
          entry->set_created_at_ms(topic.created_at_ms);
        }
        return response;
      },
      std::move(done));
}

void Service::PageSubscribers(internal::v1::PageSubscribersRequest request,
                              Done<internal::v1::PageSubscribersResponse> done) {
  if (Refuse(CheckPageSubscribers(request), done)) return;
  const Owner owner = Owner::Team(request.team_id(), kPageSubscribersCost);
  group_commit_->Submit<internal::v1::PageSubscribersResponse>(
      owner,
      [request = std::move(request)](
          Store& store) -> absl::StatusOr<internal::v1::PageSubscribersResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const std::optional<SubscriberEntry> after,
                                  DecodeSubscriber(request.has_after(), request.after(), "after"));
        BELLWIRE_ASSIGN_OR_RETURN(
            const SubscriberPage page,
            store.PageSubscribers(request.team_id(),
                                  {request.topics().begin(), request.topics().end()}, after,
                                  request.max_subscribers(), request.app_id()));
        internal::v1::PageSubscribersResponse response;
        response.mutable_subscribers()->Reserve(static_cast<int>(page.subscribers.size()));
        for (const SubscriberPage::Subscriber& subscriber : page.subscribers) {
          internal::v1::Subscriber* entry = response.add_subscribers();
          entry->set_device_id(std::string(subscriber.entry.device.bytes()));
          entry->set_registration_id(subscriber.entry.registration_id);
          entry->set_topics(subscriber.topics);
        }
        response.set_more(page.more);
        return response;
      },
      std::move(done), GroupCommit::Urgency::kPatient);
}

void Service::ListTopics(internal::v1::ListTopicsRequest request,
                         Done<internal::v1::ListTopicsResponse> done) {
  if (Refuse(CheckListTopics(request), done)) return;
  const Owner owner = Owner::Team(request.team_id(), kListTopicsCost);
  group_commit_->Submit<internal::v1::ListTopicsResponse>(
      owner,
      [request = std::move(request)](Store& store) {
        return store.ListTopics(request.team_id(), request.after(), request.max_topics(),
                                request.kept_only());
      },
      std::move(done));
}

void Service::PutTopic(internal::v1::PutTopicRequest request, Done<internal::v1::KeptTopic> done) {
  if (Refuse(CheckPutTopic(request), done)) return;
  const Owner owner = Owner::Team(request.topic().team_id());
  group_commit_->Submit<internal::v1::KeptTopic>(
      owner, [request = std::move(request)](Store& store) { return store.PutTopic(request); },
      std::move(done));
}

void Service::Publish(internal::v1::PublishTopicRequest request,
                      Done<internal::v1::PublishTopicResponse> done) {
  if (Refuse(CheckPublish(request), done)) return;
  const Owner owner = Owner::Team(request.team_id());
  group_commit_->Submit<internal::v1::PublishTopicResponse>(
      owner,
      [request =
           std::move(request)](Store& store) -> absl::StatusOr<internal::v1::PublishTopicResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const bool duplicate, store.Publish(request));
        internal::v1::PublishTopicResponse response;
        response.set_duplicate(duplicate);
        return response;
      },
      std::move(done));
}

void Service::Claim(internal::v1::ClaimRequest request, Done<internal::v1::ClaimResponse> done) {
  if (Refuse(CheckClaim(request), done)) return;
  group_commit_->Submit<internal::v1::ClaimResponse>(
      Owner::Operator(),
      [request](Store& store) -> absl::StatusOr<internal::v1::ClaimResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(
            std::optional<internal::v1::ClaimResponse> claimed,
            store.Claim(request.gateway(), absl::Milliseconds(request.lease_ms())));
        return std::move(claimed).value_or(internal::v1::ClaimResponse());
      },
      [this, request,
       done = std::move(done)](absl::StatusOr<internal::v1::ClaimResponse> claimed) mutable {
        if (!claimed.ok() || claimed->has_message() || request.wait_ms() <= 0) {
          std::move(done)(std::move(claimed));
          return;
        }
        // On the writer's thread, as is whatever makes a fan-out claimable: none can be missed in
        // between.
        const MonotonicTime until =
            clock_->Monotonic() + std::min(absl::Milliseconds(request.wait_ms()), kMaxClaimWait);
        claim_waiters_.Park(until, [this, until, request = std::move(request),
                                    done = std::move(done)](absl::Status admitted) mutable {
          if (Refuse(admitted, done)) return;
          request.set_wait_ms(absl::ToInt64Milliseconds(
              std::max(until - clock_->Monotonic(), absl::ZeroDuration())));
          Claim(std::move(request), std::move(done));
        });
      });
}

void Service::Advance(internal::v1::AdvanceRequest request,
                      Done<internal::v1::AdvanceResponse> done) {
  if (Refuse(CheckAdvance(request), done)) return;
  const Owner owner = Owner::Team(request.team_id());
  group_commit_->Submit<internal::v1::AdvanceResponse>(
      owner,
      [request =
           std::move(request)](Store& store) -> absl::StatusOr<internal::v1::AdvanceResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const bool recall, store.Advance(request));
        internal::v1::AdvanceResponse response;
        response.set_recall(recall);
        return response;
      },
      std::move(done));
}

void Service::GetTopicMessage(internal::v1::GetTopicMessageRequest request,
                              Done<push::v1::TopicMessage> done) {
  SubmitAboutTopicMessage(request, &Store::GetTopicMessage, std::move(done));
}

void Service::RecallTopicMessage(internal::v1::GetTopicMessageRequest request,
                                 Done<push::v1::TopicMessage> done) {
  SubmitAboutTopicMessage(request, &Store::RecallTopicMessage, std::move(done));
}

void Service::SubmitAboutTopicMessage(const internal::v1::GetTopicMessageRequest& request,
                                      TopicMessageMethod method,
                                      Done<push::v1::TopicMessage> done) {
  const absl::StatusOr<MessageId> message = DecodeMessageId(request.message_id());
  if (Refuse(CheckTeamId(request.team_id()), done) || Refuse(message.status(), done)) return;
  group_commit_->Submit<push::v1::TopicMessage>(
      Owner::Team(request.team_id()),
      [team_id = request.team_id(), message = *message, method](Store& store) {
        return (store.*method)(team_id, message);
      },
      std::move(done));
}

}  // namespace bellwire::registry
