#include "gateway/doors/http/proxy/proxy_protocol.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace bellwire::http {
namespace {

using State = ProxyHeader::State;

constexpr absl::string_view kVersion1 = "PROXY ";
constexpr size_t kMaxVersion1Bytes = 107;
constexpr absl::string_view kVersion2 = absl::string_view("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kVersion2HeadBytes = 16;
// The shortest header of version 1 is longer.
constexpr size_t kSignatureBytes = 12;

constexpr uint8_t kLocal = 0x20;
constexpr uint8_t kProxy = 0x21;
constexpr uint8_t kTcp4 = 0x11;
constexpr uint8_t kTcp6 = 0x21;
constexpr size_t kTcp4Bytes = 12;
constexpr size_t kTcp6Bytes = 36;

constexpr ProxyHeader kBad = {.state = State::kBad};

ProxyHeader More(size_t bytes) { return {.state = State::kMore, .wants = bytes}; }

ProxyHeader Done(std::optional<net::SocketAddress> client) {
  return {.state = State::kDone, .client = client};
}

bool IsPort(absl::string_view text, uint16_t* port) {
  uint32_t number = 0;
  if (text.empty() || text.size() > 5 ||
      !std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &number) || number > UINT16_MAX) {
    return false;
  }
  *port = static_cast<uint16_t>(number);
  return true;
}

// `line` has its CR LF.
ProxyHeader ReadVersion1(absl::string_view line) {
  const std::vector<std::string> words = absl::StrSplit(line.substr(0, line.size() - 2), ' ');
  if (words[1] == "UNKNOWN") return Done(std::nullopt);
  uint16_t port = 0, own_port = 0;
  if (words.size() != 6 || !IsPort(words[4], &port) || !IsPort(words[5], &own_port)) return kBad;
  const int family = words[1] == "TCP4" ? AF_INET : words[1] == "TCP6" ? AF_INET6 : 0;
  const std::optional<net::SocketAddress> client = net::NumericAddress(words[2], port);
  const std::optional<net::SocketAddress> own = net::NumericAddress(words[3], own_port);
  if (!client.has_value() || !own.has_value() || client->family() != family ||
      own->family() != family) {
    return kBad;
  }
  return Done(client);
}

ProxyHeader ReadVersion2(absl::string_view bytes) {
  if (bytes.size() < kVersion2HeadBytes) return More(kVersion2HeadBytes - bytes.size());
  const auto byte = [bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const size_t size = kVersion2HeadBytes + (size_t{byte(14)} << 8 | byte(15));
  if ((byte(12) != kLocal && byte(12) != kProxy) || size > kMaxProxyHeaderBytes) return kBad;
  if (bytes.size() < size) return More(size - bytes.size());
  if (byte(12) == kLocal) return Done(std::nullopt);
  const absl::string_view addresses = bytes.substr(kVersion2HeadBytes, size - kVersion2HeadBytes);
  net::SocketAddress client;
  if (byte(13) == kTcp4) {
    if (addresses.size() < kTcp4Bytes) return kBad;
    auto* const in = reinterpret_cast<sockaddr_in*>(client.get());
    in->sin_family = AF_INET;
    memcpy(&in->sin_addr, addresses.data(), 4);
    memcpy(&in->sin_port, addresses.data() + 8, 2);
    client.size = sizeof(sockaddr_in);
  } else if (byte(13) == kTcp6) {
    if (addresses.size() < kTcp6Bytes) return kBad;
    auto* const in = reinterpret_cast<sockaddr_in6*>(client.get());
    in->sin6_family = AF_INET6;
    memcpy(&in->sin6_addr, addresses.data(), 16);
    memcpy(&in->sin6_port, addresses.data() + 32, 2);
    client.size = sizeof(sockaddr_in6);
  } else {
    // Unix sockets, datagrams, unspecified: nothing that could be a client's address here.
    return Done(std::nullopt);
  }
  return Done(client);
}

}  // namespace

ProxyHeader ReadProxyHeader(absl::string_view bytes) {
  const absl::string_view begin = bytes.substr(0, kSignatureBytes);
  if (absl::StartsWith(kVersion2, begin)) {
    if (begin.size() < kSignatureBytes) return More(kSignatureBytes - begin.size());
    return ReadVersion2(bytes);
  }
  if (!absl::StartsWith(begin, kVersion1.substr(0, begin.size()))) return kBad;
  if (begin.size() < kSignatureBytes) return More(kSignatureBytes - begin.size());
  const size_t end = bytes.find('\n');
  if (end == absl::string_view::npos) {
    return bytes.size() < kMaxVersion1Bytes ? More(1) : kBad;
  }
  if (end >= kMaxVersion1Bytes || bytes[end - 1] != '\r') return kBad;
  return ReadVersion1(bytes.substr(0, end + 1));
}

}  // namespace bellwire::http
