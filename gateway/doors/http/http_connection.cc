#include "gateway/doors/http/http_connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/http/h1/h1_connection.h"
#include "gateway/doors/http/h2/h2_connection.h"
#include "net/tls/tls_context.h"

namespace bellwire::http {
namespace {

// How HTTP/2 begins (RFC 9113, 3.4), as far as no request of HTTP/1 does.
constexpr absl::string_view kHttp2Opening = "PRI ";

// Between two looks whether the connection has used up its quantum: some ten small requests.
constexpr size_t kPieceBytes = 4096;

}  // namespace

HttpConnection::HttpConnection(const Shared* shared, Arrival arrival,
                               std::unique_ptr<net::Stream> stream)
    : shared_(shared),
      arrival_(std::move(arrival)),
      stream_(std::move(stream)),
      memory_(shared->memory, arrival_.peer),
      timer_(shared->loop->NewTimer([this] { OnTimer(); })),
      timer_at_(shared->loop->clock().Monotonic() + kHttpHandshakeTimeout),
      more_(shared->loop, [this](uint32_t) { Flush(); }) {
  memory_.AddAnyway(kHttpConnectionBytes);
  stream_->SetDelegate(this);
  timer_->Arm(kHttpHandshakeTimeout);
}

void HttpConnection::OnOpen() {
  const std::string alpn = stream_->alpn();
  if (alpn == net::kAlpnHttp2) {
    Speak<H2Connection>();
  } else if (alpn == net::kAlpnHttp1) {
    Speak<H1Connection>();
  } else {
    return;
  }
  if (draining_) http_->Drain();
  Flush();
}

void HttpConnection::OnData(absl::string_view data) {
  if (ended_) return;
  if (http_ == nullptr) return Recognise(data);
  Feed(data);
}

void HttpConnection::Recognise(absl::string_view data) {
  pending_.append(data.data(), data.size());
  const absl::string_view known = absl::string_view(pending_).substr(0, kHttp2Opening.size());
  if (!absl::StartsWith(kHttp2Opening, known)) {
    // A method begins with a letter; anything else is another protocol, such as TLS.
    if (!absl::ascii_isalpha(static_cast<unsigned char>(pending_[0])) && pending_[0] != '\r') {
      return End("not_http");
    }
    Speak<H1Connection>();
  } else if (known.size() < kHttp2Opening.size()) {
    return;
  } else {
    Speak<H2Connection>();
  }
  Feed(std::exchange(pending_, std::string()));
  // After its first request, which is served yet.
  if (ended_ || !draining_) return;
  http_->Drain();
  Flush();
}

template <typename Protocol>
void HttpConnection::Speak() {
  http_ = std::make_unique<Protocol>(ServerProtocol::Environment{.clock = &shared_->loop->clock(),
                                                                 .doors = arrival_.doors,
                                                                 .memory = &memory_,
                                                                 .thread = shared_->thread,
                                                                 .peer = arrival_.peer_name,
                                                                 .proxy = arrival_.proxy,
                                                                 .scheme = arrival_.scheme},
                                     this);
}

void HttpConnection::Feed(absl::string_view data) {
  bool may_go_on = true;
  while (may_go_on && !data.empty()) {
    const absl::Duration began = ThreadCpuTime();
    const absl::string_view piece = data.substr(0, kPieceBytes);
    const size_t taken = http_->Receive(piece);
    data.remove_prefix(taken);
    may_go_on =
        shared_->thread->turns()->Charge(&used_, ThreadCpuTime() - began) && taken == piece.size();
  }
  SettleOnce();
  Flush();
  if (ended_) return;
  pending_.assign(data.data(), data.size());
  if (!pending_.empty() && !http_->wants_input()) {
    // Until Flush finds that it wants them.
    stream_->PauseReading();
  } else if (!may_go_on) {
    StandInLine();
  }
}

void HttpConnection::StandInLine() {
  stream_->PauseReading();
  place_in_line_ = shared_->thread->Stand([this] { OnTurn(); });
}

void HttpConnection::OnTurn() {
  place_in_line_ = 0;
  if (!pending_.empty()) Feed(std::exchange(pending_, std::string()));
  if (!ended_ && place_in_line_ == 0 && pending_.empty()) stream_->ResumeReading();
}

void HttpConnection::SettleOnce() {
  if (settled_ || !http_->served()) return;
  settled_ = true;
  shared_->owner->Settle(this);
}

void HttpConnection::Flush() {
  if (ended_ || http_ == nullptr) return;
  flushing_ = true;
  size_t budget = kMaxHttpBytesPerTurn;
  while (stream_->buffered_bytes() < kHttpWriteBufferBytes) {
    const absl::string_view output = http_->TakeOutput();
    if (output.empty()) break;
    stream_->Write(output);
    if (output.size() >= budget) {
      more_.Wake();
      break;
    }
    budget -= output.size();
  }
  // What they write leaves in the next turn.
  http_->NotifyDrained();
  http_->SetBlocked(stream_->buffered_bytes() > 0);
  flushing_ = false;
  if (http_->done()) return End(http_->end_reason());
  if (!pending_.empty() && place_in_line_ == 0 && http_->wants_input()) StandInLine();
  ArmTimer();
}

void HttpConnection::OnDrained() {
  if (ended_ || http_ == nullptr) return;
  // Else one that is always busy would seem to take nothing.
  http_->SetBlocked(false);
  Flush();
}

void HttpConnection::OnChanged() {
  if (ended_) return;
  if (flushing_) {
    more_.Wake();
  } else {
    shared_->owner->FlushSoon(this);
  }
}

void HttpConnection::OnTimer() {
  if (ended_) return;
  if (http_ == nullptr) return End(draining_ ? "" : "no_request");
  http_->OnTimer();
  timer_at_ = MonotonicTime::FromNanoseconds(INT64_MAX);
  Flush();
}

void HttpConnection::ArmTimer() {
  const MonotonicTime at = http_->next_deadline();
  // One that fires too early finds nothing to do and looks again.
  if (timer_->armed() && timer_at_ <= at) return;
  timer_at_ = at;
  timer_->Arm(std::max(absl::ZeroDuration(), at - shared_->loop->clock().Monotonic()));
}

void HttpConnection::Drain() {
  if (ended_ || std::exchange(draining_, true)) return;
  if (http_ == nullptr) {
    // To the client the handshake may be over, and its first requests on their way.
    if (timer_at_ - shared_->loop->clock().Monotonic() > kHttpDrainNotice) {
      timer_->Arm(kHttpDrainNotice);
    }
    return;
  }
  http_->Drain();
  Flush();
}

void HttpConnection::EndExchanges() {
  if (ended_) return;
  if (http_ == nullptr) return Close();
  http_->EndExchanges();
  Flush();
}

void HttpConnection::Close() { End(""); }

void HttpConnection::OnClosed(const absl::Status& status) {
  const bool in_handshake = http_ == nullptr && !status.ok();
  End(in_handshake ? ErrorReason(status) : "");
}

void HttpConnection::End(absl::string_view reason) {
  if (std::exchange(ended_, true)) return;
  timer_->Cancel();
  shared_->thread->turns()->Leave(place_in_line_);
  stream_->Close();
  shared_->owner->Remove(this, reason);
}

}  // namespace bellwire::http
