#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_SESSION_BUS_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_SESSION_BUS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "boost/asio/io_context.hpp"
#include "common/clock.h"
#include "device-agent/companion/unifiedpush/connectors.h"
#include "device-agent/companion/unifiedpush/distributor.h"

namespace bellwire::companion {

inline constexpr char kDistributorBusName[] = "org.unifiedpush.Distributor.bellwire";

// The user's session bus: serves /org/unifiedpush/Distributor under kDistributorBusName with the
// interfaces org.unifiedpush.Distributor1 and 2, and calls the apps. sd-bus does the work, on the
// loop of the process. Single-threaded.
class SessionBus : public Connectors {
 public:
  // Connects to the bus that DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR names. An app that has not
  // answered a call within `app_patience` is taken for one that does not answer. What is passed in
  // must outlive this object.
  //   UNAVAILABLE NO_SESSION_BUS: there is none
  static absl::StatusOr<std::unique_ptr<SessionBus>> Connect(boost::asio::io_context* loop,
                                                             const Clock* clock,
                                                             absl::Duration app_patience);
  ~SessionBus() override = default;

  // Takes the name, and hands what apps ask for to `distributor`, whose time it keeps too.
  // `on_lost` is called when the bus is gone; nothing works then any more. Once.
  //   FAILED_PRECONDITION NAME_TAKEN: another process has the name
  //   INTERNAL: the bus refuses something else
  virtual absl::Status Serve(Distributor* distributor,
                             std::function<void(const absl::Status&)> on_lost) = 0;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_SESSION_BUS_H_
