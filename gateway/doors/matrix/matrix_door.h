#ifndef BELLWIRE_GATEWAY_DOORS_MATRIX_MATRIX_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_MATRIX_MATRIX_DOOR_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/public_urls.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/send/send_engine.h"

namespace bellwire::gateway {

inline constexpr http::Route kMatrixRoutes[] = {
    {"POST", "/_matrix/push/v1/notify"},
    {"GET", "/_matrix/push/v1/notify"},
};

// A push gateway of Matrix (docs/reference/doors.md): homeservers send notifications to it, for
// apps that have an endpoint of this server as their pushkey. It answers 200 when everything is
// durable, names the endpoints that are dead for good, and answers 503 for whatever is temporary.
//
//   POST  /_matrix/push/v1/notify
//   GET   /_matrix/push/v1/notify    that there is a gateway, for UnifiedPush
//
// Anybody may call it, as Matrix has it: an endpoint is a capability. It calls nobody. Thread-safe.
class MatrixDoor final : public http::WholeBodyDoor {
 public:
  // `engine` outlives the door.
  MatrixDoor(SendEngine* engine, PublicUrls public_urls)
      : engine_(engine), public_urls_(std::move(public_urls)) {}
  ~MatrixDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kMatrixRoutes; }

 private:
  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  SendEngine* const engine_;
  const PublicUrls public_urls_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_MATRIX_MATRIX_DOOR_H_
