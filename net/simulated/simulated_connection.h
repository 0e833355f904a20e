#ifndef BELLWIRE_NET_SIMULATED_SIMULATED_CONNECTION_H_
#define BELLWIRE_NET_SIMULATED_SIMULATED_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "net/loop/event_loop.h"
#include "net/simulated/simulated_network.h"
#include "net/socket/stream.h"

namespace bellwire::net {

// One connection of a SimulatedNetwork: two ends and, between them, a pipe each way that carries
// packets in order. An implementation detail of simulated_network.h.
//
// An end is used through a Stream. Everything that an end does, the TCP and TLS handshakes
// included, is a packet in its pipe; everything that happens to it comes out of the other pipe, one
// packet and one delegate callback at a time. So latency, stalls and cuts affect all of it alike.
class SimulatedConnection final : public std::enable_shared_from_this<SimulatedConnection> {
 public:
  enum Side { kClient = 0, kServer = 1 };

  // `network` must outlive it.
  SimulatedConnection(SimulatedNetwork* network, uint64_t id, std::string address,
                      const SimulatedNetwork::LinkOptions& options);
  ~SimulatedConnection();

  // The client's end, on its way to be open.
  std::unique_ptr<Stream> StartClient(SimulatedNetwork::TicketSlot* ticket, absl::Duration timeout);

  const std::string& address() const { return address_; }
  bool in_use() const;

  // What the network does to it; see SimulatedNetwork.
  void Reset();
  void BlackHole() { black_holed_ = true; }
  void Vanish(Side side);
  // Something that held packets back may be over.
  void Resume();

  // The connection behind an end that SimulatedNetwork made.
  struct Place {
    SimulatedConnection* connection;
    Side side;
  };
  static Place Of(Stream* end);

 private:
  class End;
  enum class State { kUnborn, kConnecting, kOpen, kEnded };

  struct Packet {
    enum Kind {
      kSyn,
      kSynAck,
      kRefused,
      kClientHello,  // `bytes`: the ticket's data.
      kServerHello,
      kFinished,
      kData,       // `bytes`.
      kTicket,     // `bytes`.
      kGoodbye,    // TLS's close_notify and FIN.
      kTruncated,  // FIN alone.
    };
    Kind kind;
    std::string bytes;
    MonotonicTime arrives_at;
  };

  // Carries packets from one end to the other.
  struct Pipe {
    std::deque<Packet> packets;
    // Of kData.
    size_t data_bytes = 0;
    // What Write kept because the pipe was full.
    std::string held_back;
    MonotonicTime last_arrival;
    // The first packet's.
    std::unique_ptr<Timer> arrival;
    bool pump_posted = false;
    // Calls OnDrained, from the loop.
    std::unique_ptr<Timer> drained;
  };

  struct EndState {
    State state = State::kUnborn;
    Stream::Delegate* delegate = nullptr;
    bool paused = false;
    bool vanished = false;
    std::string resumed_ticket_data;
    // Says that the connection was reset, from the loop.
    std::unique_ptr<Timer> reset;
  };

  static Side Other(Side side) { return side == kClient ? kServer : kClient; }
  MonotonicTime Now() const;
  void Send(Side from, Packet::Kind kind, std::string bytes = "");
  void SendData(Side from, absl::string_view data);
  // Packets from `from` come out: now, later, or when what holds them back is over.
  void Schedule(Side from);
  void PostPump(Side from);
  void Pump(Side from);
  void Deliver(Side to, Packet::Kind kind, const std::string& bytes);
  void DeliverData(Side to);
  void Accept();
  // Fills the pipe with what was held back, now that there is room.
  void Refill(Side from);
  void Open(Side side);
  // The owner is told …
  void EndWith(Side side, const absl::Status& status);
  // … or did it itself.
  void EndSilently(Side side, Packet::Kind last_words);

  SimulatedNetwork* const network_;
  const uint64_t id_;
  const std::string address_;
  const SimulatedNetwork::LinkOptions options_;
  std::string exporter_;
  SimulatedNetwork::TicketSlot* ticket_ = nullptr;
  std::unique_ptr<Timer> connect_deadline_;
  std::array<EndState, 2> ends_;
  // pipes_[side] carries what `side` sends.
  std::array<Pipe, 2> pipes_;
  MonotonicTime stalled_until_;
  bool black_holed_ = false;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SIMULATED_SIMULATED_CONNECTION_H_
