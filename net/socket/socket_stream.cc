#include "net/socket/socket_stream.h"

#include <utility>

#include "common/error.h"
#include "common/limits.h"
#include "net/socket/close_reason.h"
#include "net/socket/lingering_close.h"
#include "net/socket/tcp_socket.h"

namespace bellwire::net {
namespace {

// As much as a TLS record holds: nothing is gained by collecting more.
constexpr size_t kFlushBytes = 16 * 1024;

}  // namespace

SocketStream::SocketStream(EpollLoop* loop, std::unique_ptr<Transport> transport,
                           std::string peer_name, HandshakeQueue* handshakes)
    : loop_(loop),
      transport_(std::move(transport)),
      peer_name_(std::move(peer_name)),
      watch_(loop, [this](uint32_t events) { OnReady(events); }) {
  if (handshakes != nullptr) turn_ = std::make_unique<Turn>(handshakes, this);
  const absl::Status status = watch_.Start(transport_->socket().fd());
  if (!status.ok()) failure_ = MakeError(status.code(), kNoResources, status.message());
  // The client speaks first, and a Unix socket has nothing to wait for: don't wait for an edge. The
  // server of a handshake has nothing to do before the kernel tells of the peer's first bytes.
  if (turn_ == nullptr || !failure_.ok()) watch_.Wake();
}

SocketStream::~SocketStream() = default;

void SocketStream::Write(absl::string_view data) {
  if (state_ == State::kEnded || !failure_.ok()) return;
  out_.Append(data);
  if (state_ != State::kOpen || blocked_) return;
  if (out_.size() >= (local_piece_ > 0 ? local_piece_ : kFlushBytes)) {
    Flush();
  } else if (!in_turn_) {
    watch_.Wake();
  }
}

void SocketStream::Close() {
  if (state_ == State::kEnded) return;
  const bool was_open = state_ == State::kOpen;
  if (was_open && failure_.ok()) Flush();
  state_ = State::kEnded;
  watch_.Stop();
  turn_.reset();
  // Lingering is a kindness that costs a descriptor. While they are scarce the last words go to the
  // kernel, and the rest is its business.
  const bool scarce = transport_->socket().counted().scarce();
  const bool cut = scarce || (local_piece_ > 0 && out_.empty());
  if (was_open && failure_.ok() && cut && out_.empty()) transport_->FinishWriting();
  if (was_open && failure_.ok() && !cut) {
    LingeringClose::Start(loop_, std::move(transport_), std::move(out_));
  }
  transport_.reset();
}

void SocketStream::ResumeReading() {
  if (!paused_) return;
  paused_ = false;
  // The edge may have come and gone.
  if (state_ != State::kEnded) watch_.Wake();
}

std::string SocketStream::tls_exporter() const {
  return transport_ != nullptr ? transport_->tls_exporter() : std::string();
}

std::string SocketStream::resumed_ticket_data() const {
  return transport_ != nullptr ? transport_->resumed_ticket_data() : std::string();
}

std::string SocketStream::alpn() const {
  return transport_ != nullptr ? transport_->alpn() : std::string();
}

std::string SocketStream::local_host() const {
  return transport_ != nullptr ? LocalHost(transport_->socket().fd()) : std::string();
}

std::optional<bool> SocketStream::peer_received_all() const {
  if (transport_ == nullptr) return std::nullopt;
  const std::optional<bool> by_kernel = PeerReceivedAll(transport_->socket().fd());
  return by_kernel.has_value() ? std::make_optional(*by_kernel && out_.empty()) : std::nullopt;
}

void SocketStream::SendTicket(absl::string_view data) {
  if (state_ == State::kOpen) transport_->SendTicket(data);
}

void SocketStream::OnReady(uint32_t events) {
  if (state_ == State::kEnded) return;
  transport_->socket().OnEvents(events);
  if (turn_ != nullptr && failure_.ok()) {
    // The first edge tells that there is room to write, which no handshake waits for.
    if (transport_->socket().may_go_on()) turn_->place.AskForTurn();
    return;
  }
  ReadAndWrite();
}

void SocketStream::ReadAndWrite() {
  in_turn_ = true;
  transport_->socket().AllowReading(kMaxTlsBytesPerTurn);
  // Reading comes before writing: what a peer said before it reset the connection still counts.
  if ((state_ == State::kOpen || (failure_.ok() && RunHandshake())) && ReadAll()) {
    const bool was_blocked = blocked_;
    Flush();
    if (was_blocked && !blocked_ && failure_.ok()) {
      delegate_->OnDrained();
      if (!Interrupted()) Flush();
    }
  }
  in_turn_ = false;
  // With deletions pending another turn is on its way.
  if (state_ == State::kEnded || loop_->deletions_pending()) return;
  transport_->socket().SendKept();
  if (!failure_.ok()) End(failure_);
}

bool SocketStream::RunHandshake() {
  Transport::Result result = transport_->Handshake();
  switch (result.kind) {
    case Transport::Result::kDone:
      state_ = State::kOpen;
      turn_.reset();
      delegate_->OnOpen();
      return !Interrupted();
    case Transport::Result::kBlocked:
      return false;
    case Transport::Result::kEnd:
    case Transport::Result::kFailed:
      End(result.status);
      return false;
  }
  return false;
}

bool SocketStream::ReadAll() {
  int reads = 0;
  while (!paused_) {
    absl::Span<char> buffer = loop_->scratch();
    if (local_piece_ > 0) buffer = buffer.subspan(0, local_piece_);
    Transport::Result result = transport_->Read(buffer);
    switch (result.kind) {
      case Transport::Result::kDone:
        delegate_->OnData(absl::string_view(buffer.data(), result.bytes));
        if (Interrupted()) return false;
        if (++reads >= kMaxTlsReadsPerTurn) {
          watch_.Wake();
          return true;
        }
        break;
      case Transport::Result::kBlocked:
        if (transport_->socket().read_stopped()) watch_.Wake();
        return true;
      case Transport::Result::kEnd:
        transport_->FinishWriting();
        End(absl::OkStatus());
        return false;
      case Transport::Result::kFailed:
        End(result.status);
        return false;
    }
  }
  return true;
}

bool SocketStream::Interrupted() {
  if (state_ == State::kEnded) return true;
  if (!loop_->deletions_pending()) return false;
  // It may be us, or our delegate, or neither: the loop finds out, and calls who is left.
  watch_.Wake();
  return true;
}

void SocketStream::Flush() {
  while (!out_.empty() && failure_.ok()) {
    Transport::Result result = transport_->Write(out_.data());
    if (result.kind == Transport::Result::kDone) {
      out_.Take(result.bytes);
    } else if (result.kind == Transport::Result::kBlocked) {
      blocked_ = true;
      return;
    } else {
      failure_ = result.status;
      watch_.Wake();
    }
  }
  blocked_ = false;
}

void SocketStream::End(const absl::Status& status) {
  state_ = State::kEnded;
  watch_.Stop();
  turn_.reset();
  // Frees the descriptor and TLS's memory now, however long the owner keeps us.
  transport_.reset();
  out_ = WriteBuffer();
  delegate_->OnClosed(status);
}

}  // namespace bellwire::net
