#include "net/simulated/simulated_network.h"

#include <utility>

#include "net/simulated/simulated_connection.h"

namespace bellwire::net {

SimulatedNetwork::SimulatedNetwork(EventLoop* loop, uint64_t seed) : loop_(loop), random_(seed) {}

SimulatedNetwork::~SimulatedNetwork() = default;

void SimulatedNetwork::Listen(absl::string_view address, OnAccept on_accept) {
  listeners_[std::string(address)] = std::make_shared<OnAccept>(std::move(on_accept));
}

void SimulatedNetwork::StopListening(absl::string_view address) {
  listeners_.erase(std::string(address));
}

std::unique_ptr<Stream> SimulatedNetwork::Connect(absl::string_view address, TicketSlot* ticket,
                                                  absl::Duration timeout) {
  const uint64_t id = next_connection_++;
  auto connection =
      std::make_shared<SimulatedConnection>(this, id, std::string(address), link_options_);
  return connection->StartClient(ticket, timeout);
}

void SimulatedNetwork::Cut(absl::string_view address) { cut_.emplace(address); }

void SimulatedNetwork::Mend(absl::string_view address) {
  cut_.erase(std::string(address));
  for (const auto& [id, connection] : connections_) {
    if (connection->address() == address) connection->Resume();
  }
}

void SimulatedNetwork::Reset(Stream* end) { SimulatedConnection::Of(end).connection->Reset(); }

void SimulatedNetwork::BlackHole(Stream* end) {
  SimulatedConnection::Of(end).connection->BlackHole();
}

void SimulatedNetwork::Vanish(Stream* end) {
  const SimulatedConnection::Place place = SimulatedConnection::Of(end);
  place.connection->Vanish(place.side);
}

size_t SimulatedNetwork::open_connections() const {
  size_t count = 0;
  for (const auto& [id, connection] : connections_) count += connection->in_use() ? 1 : 0;
  return count;
}

uint64_t SimulatedNetwork::Random(uint64_t bound) { return random_() % bound; }

bool SimulatedNetwork::Chance(double probability) {
  // No draw for what can't happen: an option that isn't used doesn't change the course of a seed.
  return probability > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
}

}  // namespace bellwire::net
