#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_CONSOLE_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_CONSOLE_DOOR_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "console/assets.h"
#include "gateway/admin/admin_gate.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/console/console_sessions.h"
#include "gateway/doors/console/fleet_watch.h"
#include "gateway/doors/console/live_metrics.h"
#include "gateway/doors/console/live_sources.h"
#include "gateway/doors/console/live_streams.h"
#include "gateway/doors/http/call_count.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {

// A test message, or a public key, and what JSON adds to it.
inline constexpr size_t kMaxConsoleBodyBytes = 64 * 1024;

inline constexpr http::Route kConsoleRoutes[] = {
    {"GET", "/{file}"},
    {"POST", "/api/login"},
    {"POST", "/api/who"},
    {"POST", "/api/logout"},
    {"POST", "/api/rpc/{method}"},
    {"POST", "/api/live/fleet"},
    {"POST", "/api/live/overview"},
    {"POST", "/api/live/message"},
    {"POST", "/api/live/receipts"},
};

// The web page for administrators, at a port of its own:
//
//   GET  /, /assets/...           the page: files that are compiled in (console/)
//   POST /api/login               {"name","token"}: answers
//                                 {"name","role","team_id","may":[...],"version"} and a cookie
//   POST /api/who                 {}: answers as login; {} if nobody is logged in
//   POST /api/logout              {}
//   POST /api/rpc/SERVICE/METHOD  any unary method of bellwire.admin.v1, in protobuf's JSON
//   POST /api/live/overview       {}: answers server-sent events (ops/overview)
//   POST /api/live/message        {"team_id","token","message_id","utc_offset_minutes"}: the same,
//                                 {"message","story"} each time that something happens to it
//   POST /api/live/receipts       {"team_id","cursor"}: the same (receipts_source.h)
//   POST /api/live/fleet          {}: the same, of every program (ops/overview/watch.h)
//
// A login begins a session (console_sessions.h), and the door makes each call in its
// administrator's place: roles, the brake on guesses and the audit log are those of the admin API,
// and nothing here knows a rule of its own. Only pages of this very origin get in: POST takes JSON
// with the field `x-bellwire-console` alone, which no other site can send without asking, and
// SameSite=Strict.
//
// Thread-safe.
class ConsoleDoor final : public http::WholeBodyDoor {
 public:
  // Not owned; they outlive the door.
  struct Environment {
    AdminGate* gate = nullptr;
    // Has the services of bellwire.admin.v1.
    const MethodTable* methods = nullptr;
    // Null: there is nothing to see of this process.
    LiveMetrics* metrics = nullptr;
    // Where the other programs of the fleet show their metrics (FleetWatch::Options::addresses).
    std::vector<std::string> fleet;
    // The machine's.
    const Clock* clock = nullptr;
    // The port has TLS: the cookie never goes without it.
    bool secure = false;
  };

  explicit ConsoleDoor(const Environment& environment);
  ~ConsoleDoor() override;

  bool Matches(const http::RequestHead&) const override { return true; }
  absl::Span<const http::Route> Routes() const override { return kConsoleRoutes; }

  // Ends the live streams, which would hold a drain up. Doesn't block.
  void Drain() { streams_.Drain(); }

 private:
  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  std::string cookie_name() const;
  // The secret of the session that the request names; empty: none.
  std::string SecretOf(const http::RequestHead& head) const;

  void Login(const http::Request& request, const nlohmann::json& body, http::Responder responder);
  void Who(const http::Request& request, const std::string& secret, const ConsoleSession& session,
           http::Responder responder);
  void CallMethod(http::Request request, absl::string_view name, std::string secret,
                  const ConsoleSession& session, http::Responder responder);
  void Live(http::Request request, absl::string_view what, const nlohmann::json& body,
            std::string secret, const ConsoleSession& session, http::Responder responder);
  // A stream of the server's own figures, which are nothing of a team's.
  void LiveFigures(const http::Request& request, absl::string_view what, StillLoggedIn login,
                   const ConsoleSession& session, http::Responder responder);
  // What the page is told about who is logged in.
  std::string Describe(const Administrator& who) const;
  // {"set-cookie": …}; empty `secret`: forget it.
  http::Header Cookie(absl::string_view secret) const;

  const Environment environment_;
  ConsoleSessions sessions_;
  FleetWatch fleet_;
  // Of the streams of receipts.
  http::CallCount receipt_calls_;
  // Last: its sources use the rest.
  LiveStreams streams_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_CONSOLE_DOOR_H_
