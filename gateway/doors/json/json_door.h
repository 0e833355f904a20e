#ifndef BELLWIRE_GATEWAY_DOORS_JSON_JSON_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_JSON_JSON_DOOR_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"

namespace bellwire::gateway {

// The longest body of a Send: 4,096 bytes of payload in base64, and as much again for the rest.
inline constexpr size_t kMaxJsonSendBytes = 16 * 1024;
// Of a Publish: as much, and a condition of the longest topics.
inline constexpr size_t kMaxJsonPublishBytes = 32 * 1024;
// Of a Subscribe: 1,000 tokens of 160 characters, and white space.
inline constexpr size_t kMaxJsonChangeBytes = 256 * 1024;

inline constexpr http::Route kJsonRoutes[] = {
    {"POST", "/v1/messages"},
    {"POST", "/v1/messages:batch"},
    {"GET", "/v1/messages/{token}/{id}"},
    {"DELETE", "/v1/messages/{token}/{id}"},
    {"GET", "/v1/receipts"},
    {"GET", "/v1/topics"},
    {"POST", "/v1/topics:publish"},
    {"POST", "/v1/topics:subscribe"},
    {"POST", "/v1/topics:unsubscribe"},
    {"GET", "/v1/subscriptions/{token}"},
    {"GET", "/v1/topic-messages/{id}"},
    {"DELETE", "/v1/topic-messages/{id}"},
};

// The provider API for people with curl (docs/reference/json_api.md). A request becomes a call of
// the method of PushService or TopicService that it stands for, so everything but the mapping is
// the same:
//
//   POST   /v1/messages              Send
//   POST   /v1/messages:batch        SendBatch
//   GET    /v1/messages/TOKEN/ID     GetMessage
//   DELETE /v1/messages/TOKEN/ID     Recall
//   GET    /v1/receipts              WatchReceipts, as server-sent events
//   GET    /v1/topics                ListTopics
//   POST   /v1/topics:publish        Publish; :subscribe, :unsubscribe
//   GET    /v1/subscriptions/TOKEN   ListSubscriptions
//   GET    /v1/topic-messages/ID     GetTopicMessage
//   DELETE /v1/topic-messages/ID     RecallTopicMessage
//
// Thread-safe.
class JsonDoor final : public http::WholeBodyDoor {
 public:
  // `methods` outlives the door, and has those of PushService and TopicService.
  explicit JsonDoor(const MethodTable* methods) : methods_(methods) {}
  ~JsonDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kJsonRoutes; }

 private:
  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  const MethodTable* const methods_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_JSON_JSON_DOOR_H_
