#ifndef BELLWIRE_GATEWAY_DOORS_WEBPUSH_WEBPUSH_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_WEBPUSH_WEBPUSH_DOOR_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/public_urls.h"
#include "crypto/token_sealer.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/doors/webpush/receipt_streams.h"
#include "gateway/doors/webpush/vapid.h"
#include "gateway/send/message_calls.h"
#include "gateway/send/send_engine.h"

namespace bellwire::webpush {

// The names of resources and tokens have no "/"; a path with more of them names nothing.
inline constexpr http::Route kWebPushRoutes[] = {
    {"DELETE", "/wpush/m/{name}"}, {"GET", "/wpush/r/{name}"},   {"POST", "/wpush/{token}"},
    {"GET", "/wpush/{token}"},     {"OPTIONS", "/wpush/{name}"},
};

// Web Push (RFC 8030, 8291, 8292) for application servers, as docs/reference/web_push.md describes
// it:
//
//   POST   /wpush/TOKEN   a push: 201 with the message resource; 202 with a receipt resource beside
//   GET    /wpush/TOKEN   {"unifiedpush":{"version":1}}
//   DELETE /wpush/m/NAME  withdraws the message
//   GET    /wpush/r/NAME  what became of it: now, as events, or by a server push
//
// TOKEN is a subscription's, and may have "v1/" or "v2/" before it, as Mozilla's push service has.
//
// Thread-safe.
class WebPushDoor final : public http::WholeBodyDoor {
 public:
  struct Options {
    // Not owned; they outlive the door.
    gateway::SendEngine* engine = nullptr;
    const gateway::MessageCalls* calls = nullptr;
    const TokenSealer* sealer = nullptr;
    const Clock* clock = nullptr;
    // The first one names resources, each is a good audience of a VAPID token.
    PublicUrls urls;
    // `calls`, `clock` and `answer` of it are filled in.
    ReceiptStreams::Options receipts = {};
  };

  explicit WebPushDoor(Options options);
  // REQUIRES: the listener is gone.
  ~WebPushDoor() override;

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kWebPushRoutes; }

 private:
  // Is kept until the engine has answered.
  struct Push;

  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  void ServePush(absl::string_view token, http::Request request, http::Responder responder);
  void OnSent(std::unique_ptr<Push> push, absl::StatusOr<push::v1::SendResponse> sent);
  void ServeWithdrawal(absl::string_view name, http::Responder responder);
  void ServeReceipts(absl::string_view name, const http::Request& request,
                     http::Responder responder);
  // How the registry is asked about the message that a resource names; nullopt: it names none.
  std::optional<push::v1::GetMessageRequest> MessageOf(absl::string_view name) const;
  std::string UrlOf(absl::string_view kind, absl::string_view name) const;

  const Options options_;
  VapidVerifier vapid_;
  std::optional<ReceiptStreams> receipts_;
};

}  // namespace bellwire::webpush

#endif  // BELLWIRE_GATEWAY_DOORS_WEBPUSH_WEBPUSH_DOOR_H_
