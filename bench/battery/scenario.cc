#include "bench/battery/scenario.h"

#include <utility>

namespace bellwire::bench {
namespace {

using Kind = agent::NetworkKey::Kind;

constexpr double kMessagesPerDay = 20;

Network Cellular(std::string name, absl::Duration nat_timeout) {
  return {.key = {Kind::kCellular, std::move(name), "10.0.0.1"}, .nat_timeout = nat_timeout};
}

Network Wifi(std::string name, absl::Duration nat_timeout) {
  return {.key = {Kind::kWifi, std::move(name), "192.168.1.1"}, .nat_timeout = nat_timeout};
}

}  // namespace

Scenario StayIn(std::string name, Network network, double messages_per_day) {
  return {.name = std::move(name),
          .segments = {{std::move(network), absl::Hours(24)}},
          .messages_per_day = messages_per_day};
}

std::vector<Scenario> StandardScenarios() {
  const Network five = Cellular("five", absl::Minutes(5));
  Network jittery = Cellular("jittery", absl::Minutes(10));
  jittery.jitter = absl::Minutes(1);
  const Network home = Wifi("home", absl::InfiniteDuration());
  const Network work = Wifi("work", absl::Minutes(60));
  Scenario commute = {
      .name = "commute",
      .segments = {{home, absl::Hours(8)},
                   {five, absl::Hours(1)},
                   {work, absl::Hours(9)},
                   {five, absl::Hours(1)},
                   {home, absl::Hours(5)}},
      .messages_per_day = kMessagesPerDay,
      .outages_per_day = 3,
  };
  Scenario train = StayIn("5 min, tunnels", five, kMessagesPerDay);
  train.outages_per_day = 12;
  return {
      StayIn("NAT 5 min", five, kMessagesPerDay),
      StayIn("NAT 5 min, no mail", five, 0),
      // "Over 28 min" is what is known of China Telecom's.
      StayIn("NAT over 28 min", Cellular("telecom", absl::Seconds(1710)), kMessagesPerDay),
      StayIn("NAT 30 min", Cellular("thirty", absl::Minutes(30)), 0),
      StayIn("NAT 9 to 11 min", jittery, kMessagesPerDay),
      StayIn("Wi-Fi, no NAT", home, kMessagesPerDay),
      StayIn("firewall 60 s", Wifi("firewall", absl::Seconds(60)), kMessagesPerDay),
      train,
      commute,
  };
}

}  // namespace bellwire::bench
