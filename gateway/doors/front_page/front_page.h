#ifndef BELLWIRE_GATEWAY_DOORS_FRONT_PAGE_FRONT_PAGE_H_
#define BELLWIRE_GATEWAY_DOORS_FRONT_PAGE_FRONT_PAGE_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/route.h"

namespace bellwire::gateway {

inline constexpr http::Route kFrontPageRoutes[] = {
    {"GET", "/"},
    {"GET", "/healthz"},
    {"GET", "/readyz"},
};

// What a person or a load balancer asks a gateway, and the answer to all that no other door wants:
// the last door of each port.
//   GET /         JSON: that this is Bellwire, and which doors are open
//   GET /healthz  200 as long as the process serves
//   GET /readyz   200; 503 while the store fails, and once it is to stop, to whoever can still
//                 connect
// Anything else is 404 with a JSON error.
//
// Thread-safe.
class FrontPage final : public http::Door {
 public:
  struct OpenDoor {
    // Such as "webpush".
    std::string name;
    // Where its requests begin, such as "/wpush/".
    std::string path;
  };

  explicit FrontPage(const std::vector<OpenDoor>& doors);

  // From now on /readyz says that it is to stop.
  void SetDraining() { draining_.store(true, std::memory_order_relaxed); }
  // Whether messages can be stored, for /readyz. Starts true.
  void SetStoreOk(bool ok) { store_ok_.store(ok, std::memory_order_relaxed); }

  bool Matches(const http::RequestHead&) const override { return true; }
  absl::Span<const http::Route> Routes() const override { return kFrontPageRoutes; }
  std::unique_ptr<http::ExchangeHandler> Open(http::Exchange* exchange) override;

 private:
  const std::string page_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> store_ok_{true};
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_FRONT_PAGE_FRONT_PAGE_H_
