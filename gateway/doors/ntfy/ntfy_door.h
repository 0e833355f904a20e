#ifndef BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_DOOR_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/key_cache.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/doors/ntfy/ntfy_publish.h"
#include "gateway/send/send_engine.h"

namespace bellwire::gateway {

inline constexpr http::Route kNtfyRoutes[] = {
    {"POST", "/ntfy/{topic}"},
    {"PUT", "/ntfy/{topic}"},
    {"GET", "/ntfy/{topic}/publish"},
    {"GET", "/ntfy/{topic}/send"},
    {"GET", "/ntfy/{topic}/trigger"},
    {"POST", "/ntfy"},
    {"PUT", "/ntfy"},
    {"POST", "/"},
    {"PUT", "/"},
    {"GET", "/ntfy/v1/health"},
};

// Publishing as ntfy has it (docs/reference/doors.md): what speaks to an ntfy server speaks to a
// device here. A topic is an alias that the publisher's team has given a device token. The app gets
// the JSON that a subscriber of ntfy would.
//
//   POST, PUT  /ntfy/TOPIC                       the message, or its text with header fields
//   GET        /ntfy/TOPIC/publish|send|trigger  by the query alone
//   POST, PUT  /ntfy, /                          JSON; apprise knows no other path than "/"
//   GET        /ntfy/v1/health
//
// Thread-safe.
class NtfyDoor final : public http::WholeBodyDoor {
 public:
  // Not owned; they outlive the door.
  struct Environment {
    Authenticator* authenticator = nullptr;
    // Apart from those of the authenticator: who makes up topics pushes out topics only.
    KeyCache* aliases = nullptr;
    SendEngine* engine = nullptr;
    const Clock* clock = nullptr;
  };

  explicit NtfyDoor(const Environment& environment) : environment_(environment) {}
  ~NtfyDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kNtfyRoutes; }

 private:
  struct Call;

  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  void FindToken(std::shared_ptr<Call> call);
  void Send(std::shared_ptr<Call> call, const std::string& token);

  const Environment environment_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_DOOR_H_
