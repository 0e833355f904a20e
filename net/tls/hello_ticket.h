#ifndef BELLWIRE_NET_TLS_HELLO_TICKET_H_
#define BELLWIRE_NET_TLS_HELLO_TICKET_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "net/tls/ticket_keys.h"

namespace bellwire::net {

// The session ticket in a ClientHello (RFC 8446, 4.2.11), if `bytes`, the first that a peer sent,
// hold all of it: its first identity. A view into `bytes`. Pure; takes any bytes.
std::optional<absl::string_view> TicketInHello(absl::string_view bytes);

// What tells one ticket of ours from all others: its MAC. Nullopt if no key of `keys` made it. Says
// nothing about who shows it: whoever has seen it pass by can. So it is good for sharing out
// places, and no proof of identity. A few microseconds.
std::optional<absl::string_view> MacOfOurTicket(absl::string_view ticket, TicketKeys* keys);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_HELLO_TICKET_H_
