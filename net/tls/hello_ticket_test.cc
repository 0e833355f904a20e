#include "net/tls/hello_ticket.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

std::string Bytes(uint32_t value, size_t size) {
  std::string bytes;
  for (size_t i = size; i-- > 0;) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}
std::string Piece(const std::string& bytes, size_t length_bytes) {
  return Bytes(static_cast<uint32_t>(bytes.size()), length_bytes) + bytes;
}

// As RFC 8446, 4.1.2 has it.
std::string Hello(const std::string& ticket) {
  std::string extensions = Bytes(43, 2) + Piece("\x02\x03\x04", 2);  // supported_versions
  if (!ticket.empty()) {
    const std::string identities = Piece(Piece(ticket, 2) + Bytes(7, 4), 2);
    const std::string binders = Piece(Piece(std::string(32, 'b'), 1), 2);
    extensions += Bytes(41, 2) + Piece(identities + binders, 2);
  }
  const std::string hello = Bytes(0x0303, 2) + std::string(32, 'r') + Piece("id", 1) +
                            Piece(Bytes(0x1301, 2), 2) + Piece(Bytes(0, 1), 1) +
                            Piece(extensions, 2);
  return Bytes(22, 1) + Bytes(0x0301, 2) + Piece(Bytes(1, 1) + Piece(hello, 3), 2);
}

std::string TicketUnder(const TicketKeys::Key& key) {
  std::string ticket(key.name.begin(), key.name.end());
  ticket += std::string(16, 'i') + std::string(160, 'c');
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.hmac.data(), static_cast<int>(key.hmac.size()),
       reinterpret_cast<const unsigned char*>(ticket.data()), ticket.size(), mac, &size);
  return ticket + std::string(reinterpret_cast<char*>(mac), size);
}

TEST(HelloTicketTest, FindsTheTicket) {
  EXPECT_EQ(TicketInHello(Hello("the ticket")), "the ticket");
  EXPECT_EQ(TicketInHello(Hello("")), std::nullopt);
}

TEST(HelloTicketTest, ReadsNothingOutOfPartsOfAHello) {
  const std::string hello = Hello("the ticket");
  for (size_t size = 0; size < hello.size(); ++size) {
    EXPECT_EQ(TicketInHello(hello.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(TicketInHello("GET / HTTP/1.1\r\n\r\n"), std::nullopt);
}

TEST(HelloTicketTest, KnowsOurTickets) {
  SimulatedClock clock;
  TicketKeys ours(&clock), others(&clock);
  const std::string ticket = TicketUnder(ours.Current());
  EXPECT_EQ(MacOfOurTicket(ticket, &ours), ticket.substr(ticket.size() - 32));
  EXPECT_EQ(MacOfOurTicket(ticket, &others), std::nullopt);
  std::string forged = ticket;
  forged[40] ^= 1;
  EXPECT_EQ(MacOfOurTicket(forged, &ours), std::nullopt);
  EXPECT_EQ(MacOfOurTicket(ticket.substr(0, 64), &ours), std::nullopt);
  clock.Advance(2 * kTicketLifetime);
  EXPECT_EQ(MacOfOurTicket(ticket, &ours), std::nullopt) << "it is too old";
}

}  // namespace
}  // namespace bellwire::net
