// Whatever a peer says first: a ticket is part of it, or there is none.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "net/tls/hello_ticket.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::net::TicketKeys;
  static TicketKeys* const keys = new TicketKeys(bellwire::RealClock());
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto ticket = bellwire::net::TicketInHello(bytes);
  if (!ticket.has_value()) return 0;
  if (ticket->empty() || ticket->data() < bytes.data() ||
      ticket->data() + ticket->size() > bytes.data() + bytes.size()) {
    std::abort();
  }
  if (bellwire::net::MacOfOurTicket(*ticket, keys).has_value()) std::abort();
  return 0;
}
