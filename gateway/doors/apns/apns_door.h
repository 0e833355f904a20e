#ifndef BELLWIRE_GATEWAY_DOORS_APNS_APNS_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_APNS_APNS_DOOR_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/authenticator.h"
#include "gateway/doors/apns/channel_calls.h"
#include "gateway/doors/apns/provider_tokens.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/send/send_engine.h"

namespace bellwire::gateway::apns {

inline constexpr http::Route kApnsRoutes[] = {
    {"POST", "/3/device/{token}"},         {"POST", "/1/apps/{app}/channels"},
    {"GET", "/1/apps/{app}/channels"},     {"DELETE", "/1/apps/{app}/channels"},
    {"GET", "/1/apps/{app}/all-channels"}, {"POST", "/4/broadcasts/apps/{app}"},
};

// The APNs provider API: POST /3/device/TOKEN, and broadcast channels (apns_channels.h), for the
// client libraries of APNs as they are (docs/guide/from-apns.md). The provider token is the team's
// JWT: `kid` is the key's id, `iss` the team's. The topic is the app's id.
//
// Thread-safe.
class ApnsDoor final : public http::WholeBodyDoor {
 public:
  // Not owned; they outlive the door.
  ApnsDoor(Authenticator* authenticator, SendEngine* engine, const TokenSealer* sealer,
           TopicEngine* topics, ProviderTokens* provider_tokens, const Clock* clock)
      : authenticator_(authenticator),
        engine_(engine),
        sealer_(sealer),
        provider_tokens_(provider_tokens),
        channels_(topics, clock),
        clock_(clock) {}
  ~ApnsDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kApnsRoutes; }

 private:
  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  Authenticator* const authenticator_;
  SendEngine* const engine_;
  const TokenSealer* const sealer_;
  ProviderTokens* const provider_tokens_;
  ChannelCalls channels_;
  const Clock* const clock_;
};

}  // namespace bellwire::gateway::apns

#endif  // BELLWIRE_GATEWAY_DOORS_APNS_APNS_DOOR_H_
