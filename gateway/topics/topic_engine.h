#ifndef BELLWIRE_GATEWAY_TOPICS_TOPIC_ENGINE_H_
#define BELLWIRE_GATEWAY_TOPICS_TOPIC_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "gateway/send/team_places.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// What doors call about topics, behind their authentication: validates, opens tokens, and asks the
// registry. `team_id` is authenticated everywhere. The fan-out of what is published here is done by
// FanOuts (fan_out.h), in this gateway or another.
//
// Calls take places beside the team's Sends (SendEngine::calls): each token of a Subscribe takes
// one while the registry is asked about it.
//
// A `done` is called exactly once, on any thread, possibly before the method returns. Errors are
// those that push.proto and topics.proto name.
//
// Thread-safe, never blocks. Must outlive its callbacks; touches nothing of itself after one.
class TopicEngine {
 public:
  struct Options {
    // Not owned; they outlive the engine.
    const TokenSealer* sealer = nullptr;
    TopicApi* topics = nullptr;
    // SendEngine::calls().
    TeamPlaces* calls = nullptr;
    const Clock* clock = nullptr;
  };

  // Tokens of one Subscribe that the registry is asked about at a time: they share its commits.
  static constexpr int kTokensAtATime = 64;
  // Subscribes and Unsubscribes of more tokens than that at a time; teams share them. 160 KiB each.
  static constexpr size_t kMaxLargeChanges = 64;

  explicit TopicEngine(const Options& options)
      : options_(options), large_changes_({.places = kMaxLargeChanges}) {}
  TopicEngine(const TopicEngine&) = delete;
  TopicEngine& operator=(const TopicEngine&) = delete;

  // Results are in the order of the tokens, one each.
  void Subscribe(absl::string_view team_id, push::v1::SubscribeRequest request,
                 Done<push::v1::SubscribeResponse> done);
  void Unsubscribe(absl::string_view team_id, push::v1::UnsubscribeRequest request,
                   Done<push::v1::UnsubscribeResponse> done);

  // One token. Says whether it was so before, and since when it is: some doors tell it.
  struct Changed {
    bool unchanged = false;
    // Milliseconds since the Unix epoch; 0 of an Unsubscribe.
    int64_t created_at_ms = 0;
  };
  void ChangeOne(absl::string_view team_id, absl::string_view topic, absl::string_view token,
                 bool subscribed, Done<Changed> done);

  void ListSubscriptions(absl::string_view team_id,
                         const push::v1::ListSubscriptionsRequest& request,
                         Done<push::v1::ListSubscriptionsResponse> done);
  void ListTopics(absl::string_view team_id, const push::v1::ListTopicsRequest& request,
                  Done<push::v1::ListTopicsResponse> done);

  // Topics that exist without subscribers, for APNs' channels. `request.topic().team_id` is
  // replaced.
  //   NOT_FOUND TOPIC_NOT_FOUND
  void PutTopic(absl::string_view team_id, internal::v1::PutTopicRequest request,
                Done<internal::v1::KeptTopic> done);
  // Those of the team after the name `after`, at most 1,000.
  void ListKeptTopics(absl::string_view team_id, absl::string_view after,
                      Done<internal::v1::ListTopicsResponse> done);

  struct PublishOptions {
    // What the payload is. Default: the app's own.
    internal::v1::Content content;
    // Only registrations of this app. Empty: of any of the team's.
    std::string app_id;
  };
  // With `request.message().validate_only` nothing is stored, and the answer has the caller's
  // message id only.
  void Publish(absl::string_view team_id, push::v1::PublishRequest request, PublishOptions options,
               Done<push::v1::PublishResponse> done);

  void GetTopicMessage(absl::string_view team_id, const push::v1::GetTopicMessageRequest& request,
                       Done<push::v1::TopicMessage> done);
  void RecallTopicMessage(absl::string_view team_id,
                          const push::v1::RecallTopicMessageRequest& request,
                          Done<push::v1::TopicMessage> done);

 private:
  template <typename Request, typename Response>
  struct Changes;

  template <typename Request, typename Response>
  void ChangeAll(absl::string_view team_id, Request request, bool subscribed, Done<Response> done);
  // `*done` with a place for the call until the registry has answered, and the registry's errors as
  // callers are told them. nullopt: there is no place, and `*done` has been told.
  template <typename Answer>
  std::optional<Done<Answer>> WithPlace(absl::string_view team_id, Done<Answer>* done);
  template <typename Response, typename Answer>
  static Done<Answer> Rendered(Done<Response> done, Response (*render)(Answer));
  void AskAboutMessage(absl::string_view team_id, absl::string_view message_id,
                       void (TopicApi::*method)(internal::v1::GetTopicMessageRequest,
                                                Done<push::v1::TopicMessage>),
                       Done<push::v1::TopicMessage> done);

  const Options options_;
  TeamPlaces large_changes_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_TOPIC_ENGINE_H_
