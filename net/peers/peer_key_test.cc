#include "net/peers/peer_key.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

using std::string_literals::operator""s;

PeerKey Of(const char* host) { return PeerKey::OfAddress(*NumericAddress(host, 7444)); }

TEST(PeerKeyTest, AnIpv4AddressIsOnePeer) {
  EXPECT_EQ(Of("192.0.2.1"), PeerKey::OfAddress(*NumericAddress("192.0.2.1", 1)));
  EXPECT_FALSE(Of("192.0.2.1") == Of("192.0.2.2"));
}

TEST(PeerKeyTest, ASixtyFourOfIpv6IsOnePeer) {
  EXPECT_EQ(Of("2001:db8:0:1::1"), Of("2001:db8:0:1:ffff::2"));
  EXPECT_FALSE(Of("2001:db8:0:1::1") == Of("2001:db8:0:2::1"));
}

// A listener for both families sees IPv4 peers so.
TEST(PeerKeyTest, AnIpv4AddressMappedIntoIpv6IsTheSamePeer) {
  EXPECT_EQ(Of("::ffff:192.0.2.1"), Of("192.0.2.1"));
  EXPECT_FALSE(Of("::ffff:192.0.2.1") == Of("::ffff:192.0.2.2"));
}

TEST(PeerKeyTest, AnAddressHasItsBytes) {
  EXPECT_EQ(Of("192.0.2.1").address_bytes(), "\xc0\x00\x02\x01"s);
  EXPECT_EQ(Of("::ffff:192.0.2.1").address_bytes(), "\xc0\x00\x02\x01"s);
  EXPECT_EQ(Of("2001:db8:0:1::1").address_bytes(), "\x20\x01\x0d\xb8\x00\x00\x00\x01"s);
  EXPECT_EQ(PeerKey::OfProof("0123456789abcdef").address_bytes(), "");
  EXPECT_EQ(PeerKey().address_bytes(), "");
}

TEST(PeerKeyTest, AProofIsNoAddress) {
  const PeerKey proof = PeerKey::OfProof("0123456789abcdef");
  EXPECT_EQ(proof, PeerKey::OfProof("0123456789abcdef and more"));
  EXPECT_FALSE(proof == PeerKey::OfProof("0123456789abcdeg"));
  EXPECT_FALSE(PeerKey::OfProof("") == PeerKey());
}

}  // namespace
}  // namespace bellwire::net
