#include "net/simulated/simulated_connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/socket/close_reason.h"

namespace bellwire::net {
namespace {

constexpr size_t kExporterBytes = 32;

absl::Status Unavailable(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, reason, message);
}

}  // namespace

// What the owner of an end holds.
class SimulatedConnection::End final : public Stream {
 public:
  End(std::shared_ptr<SimulatedConnection> connection, Side side)
      : connection_(std::move(connection)), side_(side) {}
  ~End() override { connection_->EndSilently(side_, Packet::kTruncated); }

  Place place() const { return {connection_.get(), side_}; }

  void SetDelegate(Delegate* delegate) override { self().delegate = delegate; }
  void Write(absl::string_view data) override {
    if (self().state == State::kOpen) connection_->SendData(side_, data);
  }
  size_t buffered_bytes() const override { return connection_->pipes_[side_].held_back.size(); }
  void Close() override {
    connection_->EndSilently(side_,
                             self().state == State::kOpen ? Packet::kGoodbye : Packet::kTruncated);
  }
  void PauseReading() override { self().paused = true; }
  void ResumeReading() override {
    self().paused = false;
    connection_->Schedule(Other(side_));
  }
  std::string tls_exporter() const override {
    return self().state == State::kOpen ? connection_->exporter_ : std::string();
  }
  std::string resumed_ticket_data() const override { return self().resumed_ticket_data; }
  void SendTicket(absl::string_view data) override {
    if (side_ == kServer && self().state == State::kOpen) {
      connection_->Send(side_, Packet::kTicket, std::string(data));
    }
  }
  std::string local_host() const override {
    return side_ == kClient ? connection_->options_.client_host : std::string();
  }
  std::string peer_name() const override {
    return side_ == kClient ? connection_->address_ : absl::StrCat("client-", connection_->id_);
  }

 private:
  EndState& self() const { return connection_->ends_[side_]; }

  const std::shared_ptr<SimulatedConnection> connection_;
  const Side side_;
};

SimulatedConnection::SimulatedConnection(SimulatedNetwork* network, uint64_t id,
                                         std::string address,
                                         const SimulatedNetwork::LinkOptions& options)
    : network_(network), id_(id), address_(std::move(address)), options_(options) {
  for (size_t i = 0; i < kExporterBytes; ++i) {
    exporter_.push_back(static_cast<char>(network_->Random(256)));
  }
  network_->connections_.emplace(id_, this);
  for (const Side side : {kClient, kServer}) {
    EventLoop* const loop = network_->loop_;
    pipes_[side].arrival = loop->NewTimer([this, side] { Pump(side); });
    pipes_[side].drained = loop->NewTimer([this, side] {
      const EndState& end = ends_[side];
      if (end.state == State::kOpen && pipes_[side].held_back.empty()) end.delegate->OnDrained();
    });
    ends_[side].reset = loop->NewTimer([this, side] {
      EndWith(side, Unavailable(kConnectionReset, "the peer reset the connection"));
    });
  }
}

SimulatedConnection::~SimulatedConnection() { network_->connections_.erase(id_); }

std::unique_ptr<Stream> SimulatedConnection::StartClient(SimulatedNetwork::TicketSlot* ticket,
                                                         absl::Duration timeout) {
  ticket_ = ticket;
  ends_[kClient].state = State::kConnecting;
  connect_deadline_ = network_->loop_->NewTimer([this] {
    Send(kClient, Packet::kTruncated);
    EndWith(kClient, MakeError(absl::StatusCode::kDeadlineExceeded, kConnectTimedOut,
                               absl::StrCat("no connection to ", address_, " in time")));
  });
  connect_deadline_->Arm(timeout);
  Send(kClient, Packet::kSyn);
  return std::make_unique<End>(shared_from_this(), kClient);
}

bool SimulatedConnection::in_use() const {
  return std::any_of(ends_.begin(), ends_.end(), [](const EndState& end) {
    return end.state == State::kConnecting || end.state == State::kOpen;
  });
}

void SimulatedConnection::Reset() {
  for (const Side side : {kClient, kServer}) {
    pipes_[side].packets.clear();
    pipes_[side].data_bytes = 0;
    pipes_[side].held_back.clear();
    // Callbacks come from the loop.
    ends_[side].reset->Arm(absl::ZeroDuration());
  }
}

void SimulatedConnection::Vanish(Side side) {
  ends_[side].vanished = true;
  ends_[side].state = State::kEnded;
  pipes_[side].held_back.clear();
  if (side == kClient) connect_deadline_->Cancel();
}

void SimulatedConnection::Resume() {
  Schedule(kClient);
  Schedule(kServer);
}

SimulatedConnection::Place SimulatedConnection::Of(Stream* end) {
  return static_cast<End*>(end)->place();
}

MonotonicTime SimulatedConnection::Now() const { return network_->loop_->clock().Monotonic(); }

void SimulatedConnection::Send(Side from, Packet::Kind kind, std::string bytes) {
  Pipe& pipe = pipes_[from];
  absl::Duration way = options_.latency;
  if (options_.jitter > absl::ZeroDuration()) {
    way += absl::Nanoseconds(network_->Random(absl::ToInt64Nanoseconds(options_.jitter) + 1));
  }
  // Never before what was sent earlier: it is a stream.
  pipe.last_arrival = std::max(pipe.last_arrival, Now() + way);
  if (kind == Packet::kData) pipe.data_bytes += bytes.size();
  pipe.packets.push_back(Packet{kind, std::move(bytes), pipe.last_arrival});
  if (pipe.packets.size() == 1) Schedule(from);
}

void SimulatedConnection::SendData(Side from, absl::string_view data) {
  if (data.empty()) return;
  network_->bytes_sent_ += data.size();
  if (network_->Chance(options_.reset_probability)) {
    Reset();
    return;
  }
  if (network_->Chance(options_.stall_probability)) {
    if (options_.stall == absl::InfiniteDuration()) {
      BlackHole();
    } else {
      stalled_until_ = std::max(stalled_until_, Now() + options_.stall);
    }
  }
  Pipe& pipe = pipes_[from];
  if (pipe.held_back.empty()) {
    const size_t room = options_.buffer_bytes - std::min(options_.buffer_bytes, pipe.data_bytes);
    const absl::string_view taken = data.substr(0, room);
    if (!taken.empty()) Send(from, Packet::kData, std::string(taken));
    data.remove_prefix(taken.size());
  }
  pipe.held_back.append(data.data(), data.size());
}

void SimulatedConnection::Schedule(Side from) {
  Pipe& pipe = pipes_[from];
  const EndState& receiver = ends_[Other(from)];
  if (pipe.packets.empty() || black_holed_ || receiver.vanished) return;
  if (network_->cut_.contains(address_)) return;
  if (receiver.paused && receiver.state == State::kOpen) return;
  const absl::Duration wait = std::max(pipe.packets.front().arrives_at, stalled_until_) - Now();
  if (wait > absl::ZeroDuration()) {
    pipe.arrival->Arm(wait);
  } else {
    PostPump(from);
  }
}

void SimulatedConnection::PostPump(Side from) {
  if (pipes_[from].pump_posted) return;
  pipes_[from].pump_posted = network_->loop_->Post([weak = weak_from_this(), from] {
    if (const std::shared_ptr<SimulatedConnection> self = weak.lock()) {
      self->pipes_[from].pump_posted = false;
      self->Pump(from);
    }
  });
  // A full queue of the loop is as good as a slow packet.
  if (!pipes_[from].pump_posted) pipes_[from].arrival->Arm(absl::Milliseconds(1));
}

void SimulatedConnection::Pump(Side from) {
  const std::shared_ptr<SimulatedConnection> self = shared_from_this();
  Pipe& pipe = pipes_[from];
  const Side to = Other(from);
  // What held packets back may have begun since this was scheduled.
  const bool due =
      !pipe.packets.empty() && std::max(pipe.packets.front().arrives_at, stalled_until_) <= Now();
  const bool stopped = black_holed_ || ends_[to].vanished || network_->cut_.contains(address_) ||
                       (ends_[to].paused && ends_[to].state == State::kOpen);
  if (due && !stopped) {
    if (pipe.packets.front().kind == Packet::kData) {
      DeliverData(to);
    } else {
      const Packet packet = std::move(pipe.packets.front());
      pipe.packets.pop_front();
      Deliver(to, packet.kind, packet.bytes);
    }
  }
  Schedule(from);
}

void SimulatedConnection::Deliver(Side to, Packet::Kind kind, const std::string& bytes) {
  EndState& end = ends_[to];
  if (end.state == State::kEnded) return;
  switch (kind) {
    case Packet::kSyn:
      Accept();
      break;
    case Packet::kSynAck:
      Send(to, Packet::kClientHello, ticket_ != nullptr ? ticket_->data : std::string());
      break;
    case Packet::kRefused:
      EndWith(to, Unavailable(kCannotConnect,
                              absl::StrCat("cannot connect to ", address_, ": nobody listens")));
      break;
    case Packet::kClientHello:
      end.resumed_ticket_data = bytes;
      Send(to, Packet::kServerHello);
      break;
    case Packet::kServerHello:
      Send(to, Packet::kFinished);
      Open(to);
      break;
    case Packet::kFinished:
      Open(to);
      break;
    case Packet::kTicket:
      if (ticket_ != nullptr) ticket_->data = bytes;
      break;
    case Packet::kGoodbye:
      EndWith(to, absl::OkStatus());
      break;
    case Packet::kTruncated:
      EndWith(to, end.state == State::kOpen
                      ? Unavailable(kTruncated, "the connection ended without a goodbye")
                      : Unavailable(kClosedInHandshake,
                                    "the peer closed the connection during the handshake"));
      break;
    case Packet::kData:
      break;  // DeliverData's.
  }
}

void SimulatedConnection::DeliverData(Side to) {
  const Side from = Other(to);
  Pipe& pipe = pipes_[from];
  std::string piece = std::move(pipe.packets.front().bytes);
  if (options_.max_read_bytes > 0) {
    const size_t size = 1 + network_->Random(std::min(options_.max_read_bytes, piece.size()));
    pipe.packets.front().bytes = piece.substr(size);
    piece.resize(size);
  } else {
    pipe.packets.front().bytes.clear();
  }
  if (pipe.packets.front().bytes.empty()) pipe.packets.pop_front();
  pipe.data_bytes -= piece.size();
  Refill(from);
  // To an end that is gone it is lost.
  if (ends_[to].state == State::kOpen) ends_[to].delegate->OnData(piece);
}

void SimulatedConnection::Accept() {
  const auto listener = network_->listeners_.find(address_);
  if (listener == network_->listeners_.end()) {
    Send(kServer, Packet::kRefused);
    ends_[kServer].state = State::kEnded;
    return;
  }
  ends_[kServer].state = State::kConnecting;
  Send(kServer, Packet::kSynAck);
  const std::shared_ptr<SimulatedNetwork::OnAccept> on_accept = listener->second;
  (*on_accept)(std::make_unique<End>(shared_from_this(), kServer));
}

void SimulatedConnection::Refill(Side from) {
  Pipe& pipe = pipes_[from];
  if (pipe.held_back.empty() || pipe.data_bytes >= options_.buffer_bytes) return;
  const size_t room = std::min(options_.buffer_bytes - pipe.data_bytes, pipe.held_back.size());
  Send(from, Packet::kData, pipe.held_back.substr(0, room));
  pipe.held_back.erase(0, room);
  if (pipe.held_back.empty()) pipe.drained->Arm(absl::ZeroDuration());
}

void SimulatedConnection::Open(Side side) {
  ends_[side].state = State::kOpen;
  if (side == kClient) connect_deadline_->Cancel();
  ends_[side].delegate->OnOpen();
}

void SimulatedConnection::EndWith(Side side, const absl::Status& status) {
  EndState& end = ends_[side];
  if (end.state == State::kEnded) return;
  // There was nobody yet to hear of it.
  const bool unborn = end.state == State::kUnborn;
  end.state = State::kEnded;
  pipes_[side].held_back.clear();
  if (side == kClient) connect_deadline_->Cancel();
  if (!unborn) end.delegate->OnClosed(status);
}

void SimulatedConnection::EndSilently(Side side, Packet::Kind last_words) {
  EndState& end = ends_[side];
  if (end.state == State::kEnded) return;
  end.state = State::kEnded;
  if (side == kClient) connect_deadline_->Cancel();
  // Close sends the rest; a cut loses it.
  Pipe& pipe = pipes_[side];
  std::string rest = std::exchange(pipe.held_back, std::string());
  if (last_words == Packet::kGoodbye && !rest.empty()) Send(side, Packet::kData, std::move(rest));
  Send(side, last_words);
  // Nobody reads here any more, so nothing holds back what comes.
  Schedule(Other(side));
}

}  // namespace bellwire::net
