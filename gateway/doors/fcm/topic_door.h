#ifndef BELLWIRE_GATEWAY_DOORS_FCM_TOPIC_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_TOPIC_DOOR_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gateway/doors/fcm/fcm_credential.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/topics/topic_engine.h"

namespace bellwire::gateway::fcm {

inline constexpr http::Route kTopicRoutes[] = {
    {"POST", "/iid/v1:batchAdd"},
    {"POST", "/iid/v1:batchRemove"},
    {"POST", "/v1/projects/{project}/registrations/{token}/topicSubscriptions"},
    {"GET", "/v1/projects/{project}/registrations/{token}/topicSubscriptions"},
    {"GET", "/v1/projects/{project}/registrations/{token}/topicSubscriptions/{topic}"},
    {"PATCH", "/v1/projects/{project}/registrations/{token}/topicSubscriptions/{topic}"},
    {"DELETE", "/v1/projects/{project}/registrations/{token}/topicSubscriptions/{topic}"},
};

// Who is subscribed to FCM's topics (docs/reference/fcm.md), in its older way and its newer one:
//
//   POST  /iid/v1:batchAdd, /iid/v1:batchRemove                          up to 1,000 tokens
//   POST, GET          /v1/projects/P/registrations/TOKEN/topicSubscriptions
//   GET, PATCH, DELETE /v1/projects/P/registrations/TOKEN/topicSubscriptions/TOPIC
//
// Thread-safe.
class TopicDoor final : public http::WholeBodyDoor {
 public:
  // Not owned; they outlive the door.
  TopicDoor(FcmCredentials* credentials, TopicEngine* topics)
      : credentials_(credentials), topics_(topics) {}
  ~TopicDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kTopicRoutes; }

 private:
  struct Call;

  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  // Each once the caller is known.
  void ChangeBatch(std::unique_ptr<Call> call);
  void Subscribe(std::unique_ptr<Call> call, bool may_exist);
  void Unsubscribe(std::unique_ptr<Call> call);
  // One, or all.
  void Read(std::unique_ptr<Call> call);

  FcmCredentials* const credentials_;
  TopicEngine* const topics_;
};

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_TOPIC_DOOR_H_
