#include "device-agent/heartbeat/default_route.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bellwire::agent {
namespace {

constexpr absl::string_view kAnyIpv6 = "00000000000000000000000000000000";

std::vector<absl::string_view> Words(absl::string_view line) {
  return absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
}

// Of the kernel's tables in /proc, which are made while they are read.
std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

NetworkKey::Kind KindOf(const std::string& interface) {
  if (interface.empty()) return NetworkKey::Kind::kUnknown;
  if (access(absl::StrCat("/sys/class/net/", interface, "/wireless").c_str(), F_OK) == 0) {
    return NetworkKey::Kind::kWifi;
  }
  for (const absl::string_view prefix : {"wwan", "rmnet", "ppp", "ccmni"}) {
    if (absl::StartsWith(interface, prefix)) return NetworkKey::Kind::kCellular;
  }
  return NetworkKey::Kind::kEthernet;
}

// Of 32 hex digits.
std::string RenderIpv6(absl::string_view hex) {
  const std::string bytes = absl::HexStringToBytes(hex);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
  return text;
}

NetworkKey ParseIpv4(absl::string_view routes, absl::string_view neighbours) {
  // Iface Destination Gateway Flags RefCnt Use Metric Mask …, addresses as hex in host order.
  NetworkKey key;
  uint32_t best_metric = UINT32_MAX;
  for (const absl::string_view line : absl::StrSplit(routes, '\n')) {
    const std::vector<absl::string_view> words = Words(line);
    uint32_t gateway = 0;
    uint32_t metric = 0;
    if (words.size() < 8 || words[1] != "00000000" || words[7] != "00000000" ||
        !absl::SimpleHexAtoi(words[2], &gateway) || !absl::SimpleAtoi(words[6], &metric) ||
        metric >= best_metric) {
      continue;
    }
    best_metric = metric;
    key.interface = std::string(words[0]);
    key.gateway = absl::StrCat(gateway & 0xff, ".", gateway >> 8 & 0xff, ".", gateway >> 16 & 0xff,
                               ".", gateway >> 24);
  }
  // IP address, HW type, Flags, HW address, Mask, Device.
  for (const absl::string_view line : absl::StrSplit(neighbours, '\n')) {
    const std::vector<absl::string_view> words = Words(line);
    if (words.size() >= 6 && words[0] == key.gateway && words[5] == key.interface &&
        words[3] != "00:00:00:00:00:00") {
      key.gateway = std::string(words[3]);
      break;
    }
  }
  return key;
}

// destination prefix-length source prefix-length gateway metric refcnt use flags interface, all but
// the last hex without anything between.
NetworkKey ParseIpv6(absl::string_view routes) {
  NetworkKey key;
  uint32_t best_metric = UINT32_MAX;
  for (const absl::string_view line : absl::StrSplit(routes, '\n')) {
    const std::vector<absl::string_view> words = Words(line);
    uint32_t metric = 0;
    // What must not be reached leads to the loopback.
    if (words.size() < 10 || words[0] != kAnyIpv6 || words[1] != "00" || words[9] == "lo" ||
        words[4].size() != kAnyIpv6.size() || !absl::SimpleHexAtoi(words[5], &metric) ||
        metric >= best_metric) {
      continue;
    }
    best_metric = metric;
    key.interface = std::string(words[9]);
    key.gateway = words[4] == kAnyIpv6 ? "" : RenderIpv6(words[4]);
  }
  return key;
}

}  // namespace

NetworkKey ParseDefaultRoute(absl::string_view routes, absl::string_view neighbours,
                             absl::string_view ipv6_routes) {
  NetworkKey key = ParseIpv4(routes, neighbours);
  return key.interface.empty() ? ParseIpv6(ipv6_routes) : key;
}

NetworkKey ReadDefaultRoute() {
  NetworkKey key = ParseDefaultRoute(ReadText("/proc/net/route"), ReadText("/proc/net/arp"),
                                     ReadText("/proc/net/ipv6_route"));
  key.kind = KindOf(key.interface);
  return key;
}

}  // namespace bellwire::agent
