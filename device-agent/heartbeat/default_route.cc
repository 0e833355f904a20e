#include "device-agent/heartbeat/default_route.h"

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bellwire::agent {
namespace {

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

}  // namespace

NetworkKey ParseDefaultRoute(absl::string_view routes, absl::string_view neighbours) {
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
    key.name = std::string(words[0]);
    key.gateway = absl::StrCat(gateway & 0xff, ".", gateway >> 8 & 0xff, ".", gateway >> 16 & 0xff,
                               ".", gateway >> 24);
  }
  // IP address, HW type, Flags, HW address, Mask, Device.
  for (const absl::string_view line : absl::StrSplit(neighbours, '\n')) {
    const std::vector<absl::string_view> words = Words(line);
    if (words.size() >= 6 && words[0] == key.gateway && words[5] == key.name &&
        words[3] != "00:00:00:00:00:00") {
      key.gateway = std::string(words[3]);
      break;
    }
  }
  return key;
}

NetworkKey ReadDefaultRoute() {
  NetworkKey key = ParseDefaultRoute(ReadText("/proc/net/route"), ReadText("/proc/net/arp"));
  key.kind = KindOf(key.name);
  return key;
}

}  // namespace bellwire::agent
