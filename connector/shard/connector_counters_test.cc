#include "connector/shard/connector_counters.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

// What was counted, without zeros: "metric label" → value.
std::map<std::string, double> Counted(const ConnectorCounters& counters) {
  metrics::Samples samples;
  counters.Report(&samples);
  std::map<std::string, double> counted;
  for (const auto& family : samples.Take()) {
    for (const auto& metric : family.metric) {
      if (metric.counter.value == 0) continue;
      counted[absl::StrCat(family.name, " ",
                           metric.label.empty() ? "" : metric.label[0].value)] =
          metric.counter.value;
    }
  }
  return counted;
}

TEST(ConnectorCountersTest, ALoginEndsWithASessionOrTheReasonWhyNot) {
  ConnectorCounters counters;
  counters.OnClosed(ConnectionState::kHandshaking, CloseReason::kTransportError, false);
  counters.OnHandshake(/*resumed=*/false);
  counters.OnClosed(ConnectionState::kAwaitingLogin, CloseReason::kLoginRefused, false);
  counters.OnHandshake(/*resumed=*/true);
  counters.OnSession();
  counters.OnClosed(ConnectionState::kActive, CloseReason::kSilent, true);
  const std::map<std::string, double> expected = {
      {"bellwire_connector_handshakes_total failed", 1},
      {"bellwire_connector_handshakes_total full", 1},
      {"bellwire_connector_handshakes_total resumed", 1},
      {"bellwire_connector_logins_total ok", 1},
      {"bellwire_connector_logins_total login_refused", 1},
      {"bellwire_connector_logins_total transport_error", 1},
      {"bellwire_connector_sessions_ended_total silent", 1},
  };
  EXPECT_EQ(Counted(counters), expected);
}

TEST(ConnectorCountersTest, CountsMessages) {
  ConnectorCounters counters;
  counters.OnHandOver(/*has_session=*/true);
  counters.OnHandOver(/*has_session=*/true);
  counters.OnHandOver(/*has_session=*/false);
  counters.sessions()->pushes.Add(3);
  const std::map<std::string, double> expected = {
      {"bellwire_connector_hand_overs_total no_session", 1},
      {"bellwire_connector_hand_overs_total taken", 2},
      {"bellwire_connector_pushes_total ", 3},
  };
  EXPECT_EQ(Counted(counters), expected);
}

}  // namespace
}  // namespace bellwire::connector
