#ifndef BELLWIRE_GATEWAY_DOORS_FCM_FCM_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_FCM_DOOR_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "gateway/doors/fcm/fcm_credential.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/send/send_engine.h"
#include "gateway/topics/topic_engine.h"

namespace bellwire::gateway::fcm {

inline constexpr http::Route kFcmRoutes[] = {{"POST", "/v1/projects/{project}/messages:send"}};

// FCM HTTP v1: POST /v1/projects/PROJECT/messages:send, for FCM's libraries as they are
// (docs/reference/fcm.md). A project is a team, a registration token a device token. Takes every
// path below /v1/projects/ and /iid/ that TopicDoor leaves, since clients take another's NOT_FOUND
// for a dead token. Thread-safe.
class FcmDoor final : public http::WholeBodyDoor {
 public:
  // Not owned; they outlive the door.
  struct Environment {
    FcmCredentials* credentials = nullptr;
    SendEngine* engine = nullptr;
    TopicEngine* topics = nullptr;
    const TokenSealer* sealer = nullptr;
    const Clock* clock = nullptr;
  };

  explicit FcmDoor(const Environment& environment) : environment_(environment) {}
  ~FcmDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kFcmRoutes; }
  // firebase-admin fails a whole batch.
  bool GoAwayFailsRequests() const override { return true; }

 private:
  struct Call;

  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  // Once the caller is known.
  void Send(std::unique_ptr<Call> call);

  const Environment environment_;
};

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_FCM_DOOR_H_
