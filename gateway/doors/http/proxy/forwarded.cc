#include "gateway/doors/http/proxy/forwarded.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace bellwire::http {
namespace {

constexpr absl::string_view kStandard = "forwarded";
constexpr absl::string_view kUsual = "x-forwarded-for";

// Splits at `separator`, but not within quotes.
std::vector<absl::string_view> SplitUnquoted(absl::string_view text, char separator) {
  std::vector<absl::string_view> parts;
  bool quoted = false;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] != separator || quoted) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80".
std::optional<net::SocketAddress> ParseNode(absl::string_view node) {
  node = absl::StripAsciiWhitespace(node);
  const std::optional<net::SocketAddress> bare = net::NumericAddress(std::string(node), 0);
  if (bare.has_value()) return bare;
  if (absl::StartsWith(node, "[") && absl::EndsWith(node, "]")) {
    return net::NumericAddress(std::string(node.substr(1, node.size() - 2)), 0);
  }
  const absl::StatusOr<HostPort> parts = ParseHostPort(node);
  return parts.ok() ? net::NumericAddress(parts->host, parts->port) : std::nullopt;
}

// The node of one element of Forwarded: "for=192.0.2.60;proto=http". Empty: it has none.
absl::string_view ForOf(absl::string_view element) {
  for (const absl::string_view pair : SplitUnquoted(element, ';')) {
    const std::pair<absl::string_view, absl::string_view> split =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(split.first), "for")) continue;
    absl::string_view node = absl::StripAsciiWhitespace(split.second);
    if (node.size() >= 2 && node.front() == '"' && node.back() == '"') {
      node = node.substr(1, node.size() - 2);
    }
    return node;
  }
  return {};
}

// The client by the fields of this name.
std::optional<net::SocketAddress> ClientBy(absl::string_view name, const HeaderList& headers,
                                           const net::CidrList& proxies) {
  // Fields of the same name are one list (RFC 9110, 5.3), whose end is the nearest proxy's.
  for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
    if (header->name != name) continue;
    const std::vector<absl::string_view> elements = SplitUnquoted(header->value, ',');
    for (auto element = elements.rbegin(); element != elements.rend(); ++element) {
      const std::optional<net::SocketAddress> node =
          ParseNode(name == kStandard ? ForOf(*element) : *element);
      if (!node.has_value()) return std::nullopt;
      if (!proxies.Contains(*node)) return node;
    }
  }
  return std::nullopt;
}

std::string HostOf(const net::SocketAddress& address) {
  const std::string text = net::FormatAddress(address);
  return text.substr(0, text.rfind(':'));
}

}  // namespace

std::optional<net::SocketAddress> ForwardedClient(const HeaderList& headers,
                                                  const net::CidrList& proxies) {
  const bool standard = FindHeader(headers, kStandard) != nullptr;
  const bool usual = FindHeader(headers, kUsual) != nullptr;
  const auto client = ClientBy(standard ? kStandard : kUsual, headers, proxies);
  if (!standard || !usual || !client.has_value()) return client;
  const auto other = ClientBy(kUsual, headers, proxies);
  const bool agree = other.has_value() && HostOf(*other) == HostOf(*client);
  return agree ? client : std::nullopt;
}

}  // namespace bellwire::http
