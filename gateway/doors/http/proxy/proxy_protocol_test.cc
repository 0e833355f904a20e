#include "gateway/doors/http/proxy/proxy_protocol.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

using State = ProxyHeader::State;

// Reads as a socket would be read: no byte more than is wanted. The client, "local" or "bad"; and
// behind it what was left.
std::string Read(const std::string& bytes) {
  size_t have = 0;
  for (;;) {
    const ProxyHeader header = ReadProxyHeader(bytes.substr(0, have));
    if (header.state == State::kBad) return "bad";
    if (header.state == State::kDone) {
      return absl::StrCat(header.client.has_value() ? net::FormatAddress(*header.client) : "local",
                          "|", bytes.substr(have));
    }
    EXPECT_GT(header.wants, 0u);
    if (have + header.wants > bytes.size()) return "more";
    have += header.wants;
  }
}

std::string Version2(char command, char family, const std::string& addresses) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += command;
  header += family;
  header += static_cast<char>(addresses.size() >> 8);
  header += static_cast<char>(addresses.size());
  return header + addresses;
}

TEST(ProxyProtocol, ReadsVersion1) {
  EXPECT_EQ(Read("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /"), "192.0.2.1:56324|GET /");
  EXPECT_EQ(Read("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n\x16"), "[2001:db8::1]:65535|\x16");
  EXPECT_EQ(Read("PROXY UNKNOWN\r\nGET"), "local|GET");
  EXPECT_EQ(Read("PROXY UNKNOWN ff:ff what it likes\r\n"), "local|");
  EXPECT_EQ(Read("PROXY TCP4 192.0.2.1"), "more");
  EXPECT_EQ(Read(""), "more");
  EXPECT_EQ(Read("PROX"), "more");
}

TEST(ProxyProtocol, RefusesWhatIsNotVersion1) {
  for (const char* bad :
       {"GET / HTTP/1.1\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n", "PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 443\r\n", "PROXY TCP4  192.0.2.1 192.0.2.2 1 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 443 \r\n", "PROXY UDP4 192.0.2.1 192.0.2.2 1 443\r\n",
        "PROXY TCP4 a.example 192.0.2.2 1 443\r\n", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"}) {
    EXPECT_EQ(Read(bad), "bad") << bad;
  }
  EXPECT_EQ(Read("PROXY UNKNOWN " + std::string(200, 'x')), "bad");
}

TEST(ProxyProtocol, ReadsVersion2) {
  const std::string tcp4("\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb", 12);
  EXPECT_EQ(Read(Version2(0x21, 0x11, tcp4) + "GET"), "192.0.2.1:56324|GET");
  EXPECT_EQ(Read(Version2(0x21, 0x11, tcp4 + "extensions") + "GET"), "192.0.2.1:56324|GET");
  std::string tcp6(36, '\0');
  tcp6[15] = 1;
  tcp6[33] = 80;
  EXPECT_EQ(Read(Version2(0x21, 0x21, tcp6) + "GET"), "[::1]:80|GET");
  EXPECT_EQ(Read(Version2(0x20, 0x11, tcp4) + "GET"), "local|GET");
  EXPECT_EQ(Read(Version2(0x20, 0x00, "") + "GET"), "local|GET");
  EXPECT_EQ(Read(Version2(0x21, 0x31, std::string(216, 'x')) + "GET"), "local|GET");
  EXPECT_EQ(Read(Version2(0x21, 0x11, tcp4).substr(0, 20)), "more");
}

TEST(ProxyProtocol, RefusesWhatIsNotVersion2) {
  EXPECT_EQ(Read(Version2(0x11, 0x11, std::string(12, 'x'))), "bad");
  EXPECT_EQ(Read(Version2(0x22, 0x11, std::string(12, 'x'))), "bad");
  EXPECT_EQ(Read(Version2(0x21, 0x11, "short")), "bad");
  EXPECT_EQ(Read(Version2(0x21, 0x21, std::string(35, 'x'))), "bad");
  EXPECT_EQ(Read(Version2(0x21, 0x11, std::string(kMaxProxyHeaderBytes - 15, 'x'))), "bad");
  EXPECT_NE(Read(Version2(0x21, 0x11, std::string(kMaxProxyHeaderBytes - 16, 'x'))), "bad");
}

}  // namespace
}  // namespace bellwire::http
